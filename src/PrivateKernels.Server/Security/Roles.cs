using System.Collections.Frozen;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Health.V1;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace PrivateKernels.Server;

/// <summary>
/// Who may call what: one row for each RPC, with the fields of its request that name datasets. A call without its row is
/// refused, and a test reads the service descriptors and fails if one is missing.
/// </summary>
static class Roles
{
    const Role Owner = Role.Owner;
    const Role Analyst = Role.Owner | Role.Analyst;
    const Role Auditor = Role.Owner | Role.Auditor;
    const Role Any = Role.Owner | Role.Analyst | Role.Auditor;

    /// <summary>Needs no key: says whether the server is up, to load balancers and orchestrators.</summary>
    internal const Role Anyone = Role.None;

    static readonly FrozenDictionary<string, AccessRule> Rules = new[]
    {
        Row(V1.DatasetService.Descriptor, "CreateDataset", Owner,
            "dataset_id", "dataset.population", "dataset.accumulators.sketch.public_dataset"),
        Row(V1.DatasetService.Descriptor, "GetDataset", Any, "name"),
        Row(V1.DatasetService.Descriptor, "ListDatasets", Any),
        Row(V1.DatasetService.Descriptor, "UpdateDataset", Owner, "dataset.name"),
        Row(V1.DatasetService.Descriptor, "DeleteDataset", Owner, "name"),
        Row(V1.DatasetService.Descriptor, "IngestPoints", Owner, "start.dataset"),
        Row(V1.DatasetService.Descriptor, "GetUpload", Owner, "dataset"),
        Row(V1.DatasetService.Descriptor, "AbortUpload", Owner, "dataset"),
        Row(V1.DatasetService.Descriptor, "GetBudget", Any, "name"),
        Row(V1.DatasetService.Descriptor, "UpdateBudget", Owner, "name"),
        Row(V1.DatasetService.Descriptor, "ListLedgerEntries", Auditor, "parent"),
        Row(V1.DatasetService.Descriptor, "ExportPrivacyEvents", Auditor, "parent"),
        Row(V1.ReleaseService.Descriptor, "EstimateRelease", Any, "parent", "specs.sketch.public_dataset"),
        Row(V1.ReleaseService.Descriptor, "CreateRelease", Owner, "parent", "spec.sketch.public_dataset"),
        Row(V1.ReleaseService.Descriptor, "GetRelease", Any, "name"),
        Row(V1.ReleaseService.Descriptor, "ListReleases", Any, "parent"),
        Row(V1.ReleaseService.Descriptor, "DeleteRelease", Owner, "name"),
        Row(V1.ReleaseService.Descriptor, "DownloadRelease", Analyst, "name"),
        Row(V1.ReleaseService.Descriptor, "ImportRelease", Owner, "start.parent"),
        Row(V1.QueryService.Descriptor, "Query", Analyst, "release"),
        Row(V1.QueryService.Descriptor, "StreamQuery", Analyst, "release"),
        Row(V1.QueryService.Descriptor, "Classify", Analyst, "release"),
        Row(V1.QueryService.Descriptor, "CreateClassificationJob", Analyst,
            "parent", "classification_job.release", "classification_job.query_dataset"),
        Row(V1.QueryService.Descriptor, "GetClassificationJob", Analyst, "name"),
        Row(V1.QueryService.Descriptor, "ListClassificationJobs", Analyst, "parent"),
        Row(V1.QueryService.Descriptor, "DeleteClassificationJob", Analyst, "name"),
        Row(V1.QueryService.Descriptor, "ReadPredictions", Analyst, "name"),
        Row(V1.QueryService.Descriptor, "ListPairFunctions", Any),
        Row(V1.QueryService.Descriptor, "GetServerInfo", Any),
        // An operation names no dataset: OperationsService looks at whose it is.
        Row(Operations.Descriptor, "GetOperation", Any),
        Row(Operations.Descriptor, "ListOperations", Any),
        Row(Operations.Descriptor, "WaitOperation", Any),
        Row(Operations.Descriptor, "CancelOperation", Any),
        Row(Operations.Descriptor, "DeleteOperation", Any),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", new AccessRule(Any, null, [])),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", new AccessRule(Any, null, [])),
    }
    .Concat(Health.Descriptor.Methods.Select(static m => Row(Health.Descriptor, m.Name, Anyone)))
    .ToFrozenDictionary(static row => row.Item1, static row => row.Item2);

    /// <summary>The row of "/package.Service/Method"; null if there is none.</summary>
    internal static AccessRule? Find(string method) => Rules.GetValueOrDefault(method);

    static (string, AccessRule) Row(ServiceDescriptor service, string method, Role roles, params string[] resources) =>
        ($"/{service.FullName}/{method}", new AccessRule(roles, service.FindMethodByName(method).InputType, resources));
}

/// <summary>A row of <see cref="Roles"/>.</summary>
sealed class AccessRule
{
    readonly FieldDescriptor[][] _resources;

    /// <param name="roles">Who may call.</param>
    /// <param name="request">Type of the request.</param>
    /// <param name="resources">Paths of the fields that name a dataset, or something that belongs to one.</param>
    internal AccessRule(Role roles, MessageDescriptor? request, string[] resources)
    {
        (Roles, Resources) = (roles, resources);
        _resources = [.. resources.Select(path => Fields(request!, path))];
    }

    internal Role Roles { get; }

    internal IReadOnlyList<string> Resources { get; }

    internal bool Allows(Caller caller) => Roles == Server.Roles.Anyone || (Roles & caller.Role) != 0;

    /// <summary>
    /// Throws the reply for a resource that is not there if the request names one without a grant, whether it is there or
    /// not. A name that is none is left for the service to refuse.
    /// </summary>
    internal void Check(Caller caller, IMessage request)
    {
        if (caller.HasAll) return;
        foreach (FieldDescriptor[] path in _resources) Check(caller, request, path);
    }

    static void Check(Caller caller, IMessage message, ReadOnlySpan<FieldDescriptor> path)
    {
        object? value = path[0].Accessor.GetValue(message);
        if (value is string name)
        {
            string[] parts = name.Split('/');
            string dataset = parts is ["datasets", var id, ..] ? id : parts[0];
            if (!Names.IsId(dataset) || caller.May(dataset)) return;
            throw Refusal.NotFound(parts is [_, _, "budget"] or [_] ? Names.OfDataset(dataset) : name);
        }
        if (value is IMessage inner) Check(caller, inner, path[1..]);
        else if (value is System.Collections.IList list)
            foreach (object? item in list) Check(caller, (IMessage)item!, path[1..]);
    }

    static FieldDescriptor[] Fields(MessageDescriptor type, string path)
    {
        string[] names = path.Split('.');
        var fields = new FieldDescriptor[names.Length];
        for (int i = 0; i < names.Length; i++)
        {
            fields[i] = type.FindFieldByName(names[i]) ?? throw new InvalidOperationException($"{type.FullName} has no {path}");
            if (i + 1 < names.Length) type = fields[i].MessageType;
        }
        return fields;
    }
}
