using System.Collections;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>The table of <see cref="Roles"/> against the service descriptors, and against a server.</summary>
public sealed class RolesTests
{
    static readonly ServiceDescriptor[] Services =
    [
        V1.DatasetService.Descriptor, V1.ReleaseService.Descriptor, V1.QueryService.Descriptor, Operations.Descriptor,
    ];

    /// <summary>Text fields of requests that name no dataset and nothing that belongs to one.</summary>
    static readonly HashSet<string> NotNames =
    [
        "request_id", "etag", "page_token", "display_name", "description", "reason", "class_name", "filter", "upload_id",
        "release_id", "classification_job_id", "classes", "uid", "id", "accumulator", "paths",
        "privatekernels.v1.PairFunction.name", "CreateDataset dataset.name", "CreateClassificationJob classification_job.name",
        // Operations: whose it is, the service looks up.
        "GetOperation name", "ListOperations name", "WaitOperation name", "CancelOperation name", "DeleteOperation name",
        // UpdateDataset ignores what cannot change.
        "UpdateDataset dataset.population", "UpdateDataset dataset.accumulators.sketch.public_dataset",
    ];

    [Fact]
    public void Every_RPC_has_a_row_and_every_field_that_names_a_dataset_is_in_it()
    {
        foreach (MethodDescriptor method in Services.Append(Health.Descriptor).SelectMany(static s => s.Methods))
            Assert.True(Roles.Find(PathOf(method)) is not null, $"{method.FullName} has no row in Roles");
        foreach (MethodDescriptor method in Services.SelectMany(static s => s.Methods))
            foreach ((string path, FieldDescriptor field) in Texts(method.InputType, ""))
                Assert.True(
                    Roles.Find(PathOf(method))!.Resources.Contains(path) || NotNames.Contains(field.Name)
                        || NotNames.Contains(field.FullName) || NotNames.Contains($"{method.Name} {path}"),
                    $"{method.Name}: does {path} name a dataset? Then it belongs into its row in Roles.");
    }

    [Fact]
    public async Task Each_RPC_obeys_its_roles_and_without_a_grant_a_dataset_might_as_well_not_exist()
    {
        using var keys = new Keys();
        Role[] roles = [Role.Owner, Role.Analyst, Role.Auditor];
        string all = keys.Add("all", Role.Owner, "*");
        foreach (Role role in roles) keys.Add($"{role}".ToLowerInvariant(), role, "mine");
        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        KeyHolder owner = KeyHolder.Of(server.Channel, all);
        foreach (string name in (string[])["mine", "other"]) await owner.Datasets.CreateDatasetAsync(NewDataset(name));

        foreach (MethodDescriptor method in Services.SelectMany(static s => s.Methods))
        {
            AccessRule rule = Roles.Find(PathOf(method))!;
            // The address of the tests has soon failed too often.
            Assert.Contains((await CallAsync(server, null, method, "other")).Reason, (string[])["CREDENTIALS_INVALID", "RATE_LIMITED"]);
            foreach (Role role in roles)
            {
                string key = keys[$"{role}".ToLowerInvariant()];
                Failure granted = await CallAsync(server, key, method, "mine");
                if (!rule.Roles.HasFlag(role))
                {
                    Assert.Equal((StatusCode.PermissionDenied, "ROLE_REQUIRED"), (granted.Code, granted.Reason));
                    continue;
                }
                Assert.NotEqual(StatusCode.PermissionDenied, granted.Code);
                Assert.NotEqual(StatusCode.Unauthenticated, granted.Code);
                if (rule.Resources.Count == 0) continue;
                Failure other = await CallAsync(server, key, method, "other"), ghost = await CallAsync(server, key, method, "ghost");
                // A stream that this version does not take is ended before a frame of it is read.
                if (other.Code == StatusCode.Unimplemented) continue;
                Assert.Equal((StatusCode.NotFound, "RESOURCE_NOT_FOUND"), (other.Code, other.Reason));
                Assert.Equal(ghost.Told("ghost", "other"), other.Told());
                Assert.NotEqual("datasets/mine", granted.Metadata.GetValueOrDefault("resource"));
            }
        }
    }

    [Fact]
    public async Task A_reply_without_a_grant_is_the_one_for_a_missing_resource_word_for_word()
    {
        using var keys = new Keys();
        keys.Add("all", Role.Owner, "*");
        keys.Add("one", Role.Owner, "mine");
        await using TestServer server = await StartAsync(o => o with { Security = new() { KeysFile = keys.Path } });
        foreach (MethodDescriptor method in (MethodDescriptor[])
            [
                V1.DatasetService.Descriptor.FindMethodByName("GetDataset"),
                V1.DatasetService.Descriptor.FindMethodByName("GetBudget"),
                V1.DatasetService.Descriptor.FindMethodByName("ListLedgerEntries"),
                V1.ReleaseService.Descriptor.FindMethodByName("EstimateRelease"),
                V1.ReleaseService.Descriptor.FindMethodByName("GetRelease"),
                V1.ReleaseService.Descriptor.FindMethodByName("ListReleases"),
                V1.ReleaseService.Descriptor.FindMethodByName("DownloadRelease"),
                V1.QueryService.Descriptor.FindMethodByName("Query"),
            ])
        {
            Failure missing = await CallAsync(server, keys["all"], method, "ghost");
            Failure hidden = await CallAsync(server, keys["one"], method, "ghost");
            Assert.Equal("RESOURCE_NOT_FOUND", missing.Reason);
            Assert.Equal(missing.Told(), hidden.Told());
        }
    }

    static string PathOf(MethodDescriptor method) => $"/{method.Service.FullName}/{method.Name}";

    /// <summary>Calls a method with a request that names one dataset wherever it can name any, and lacks its request id.</summary>
    static async Task<Failure> CallAsync(TestServer server, string? key, MethodDescriptor method, string dataset)
    {
        IMessage request = method.InputType.Parser.ParseFrom(ByteString.Empty);
        foreach (string path in Roles.Find(PathOf(method))!.Resources) Fill(request, path.Split('.'), NameOf(method, path, dataset));
        var bytes = new Marshaller<byte[]>(static b => b, static b => b);
        var raw = new Method<byte[], byte[]>(MethodType.DuplexStreaming, method.Service.FullName, method.Name, bytes, bytes);
        using AsyncDuplexStreamingCall<byte[], byte[]> call = KeyHolder.Of(server.Channel, key).Calls
            .AsyncDuplexStreamingCall(raw, null, new CallOptions(deadline: DateTime.UtcNow.AddSeconds(30)));
        try
        {
            await call.RequestStream.WriteAsync(request.ToByteArray());
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException)
        {
            // Refused before the message was read; reading says why.
        }
        try
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
            }
            return new(StatusCode.OK, "", new Dictionary<string, string>(), new());
        }
        catch (RpcException e)
        {
            return await Failure.OfAsync(() => Task.FromException(e));
        }
    }

    static string NameOf(MethodDescriptor method, string path, string dataset) => path switch
    {
        "dataset_id" or "dataset.population" => dataset,
        "release" or "classification_job.release" => $"datasets/{dataset}/releases/r",
        "name" when method.Name.EndsWith("Budget", StringComparison.Ordinal) => $"datasets/{dataset}/budget",
        "name" when method.Name.EndsWith("Release", StringComparison.Ordinal) => $"datasets/{dataset}/releases/r",
        "name" when method.Service == V1.QueryService.Descriptor => $"datasets/{dataset}/classificationJobs/j",
        _ => $"datasets/{dataset}",
    };

    static void Fill(IMessage message, ReadOnlySpan<string> path, string name)
    {
        FieldDescriptor field = message.Descriptor.FindFieldByName(path[0]);
        if (path.Length == 1)
        {
            field.Accessor.SetValue(message, name);
            return;
        }
        IMessage inner = field.MessageType.Parser.ParseFrom(ByteString.Empty);
        if (field.IsRepeated)
        {
            var list = (IList)field.Accessor.GetValue(message);
            if (list.Count > 0) inner = (IMessage)list[0]!;
            else list.Add(inner);
        }
        else if (field.Accessor.GetValue(message) is IMessage present)
        {
            inner = present;
        }
        else
        {
            field.Accessor.SetValue(message, inner);
        }
        Fill(inner, path[1..], name);
    }

    static IEnumerable<(string Path, FieldDescriptor Field)> Texts(MessageDescriptor type, string prefix)
    {
        foreach (FieldDescriptor field in type.Fields.InDeclarationOrder())
            if (field.FieldType == FieldType.String)
                yield return (prefix + field.Name, field);
            else if (field.FieldType == FieldType.Message)
                foreach (var inner in Texts(field.MessageType, $"{prefix}{field.Name}.")) yield return inner;
    }
}
