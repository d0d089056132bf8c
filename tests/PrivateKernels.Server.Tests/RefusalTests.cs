using System.Globalization;
using Grpc.Core;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class RefusalTests
{
    [Fact]
    public void An_unforeseen_exception_becomes_an_incident_id_and_nothing_else()
    {
        Google.Rpc.Status status = Statuses.From(new InvalidOperationException("value 0.12345 in /home/x"), "abc");
        string text = status.ToString();
        Assert.Equal((int)StatusCode.Internal, status.Code);
        Assert.Equal(Reasons.Bug, Statuses.Reason(status));
        Assert.Contains("abc", text, StringComparison.Ordinal);
        Assert.DoesNotContain("0.12345", text, StringComparison.Ordinal);
        Assert.DoesNotContain("/home", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_reason_of_storage_has_a_code()
    {
        foreach (System.Reflection.FieldInfo reason in typeof(Storage.Reasons).GetFields())
            if (Storage.Reasons.ExitCode((string)reason.GetRawConstantValue()!) is null)
                Assert.Contains((string)reason.GetRawConstantValue()!, Reasons.Codes.Keys);
    }

    [Fact]
    public async Task A_coordinate_or_a_key_in_the_log_fails_whatever_test_the_server_ran_for()
    {
        float[] rows = Pattern(3, 4);
        foreach (string leak in (string[])[$"row {rows[^1].ToString("R", CultureInfo.InvariantCulture)}", $"pk_lab_{new string('a', 43)}"])
        {
            TestServer server = await StartAsync();
            await server.Datasets.CreateDatasetAsync(NewDataset("people"));
            await server.IngestAsync("people", rows, 4);
            await server.Log.WriteLineAsync(leak);
            await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(async () => await server.DisposeAsync());
        }
    }

    [Fact]
    public async Task No_value_of_a_private_row_reaches_the_log_or_an_error()
    {
        await using TestServer server = await StartAsync(
            static o => o with { Log = new() { Level = Microsoft.Extensions.Logging.LogLevel.Trace } });
        await server.Datasets.CreateDatasetAsync(NewDataset("canary", static r => r.Dataset.Classes.Add(["x", "y"])));
        const float Canary = 0.123456789f;
        float[] rows = [.. Enumerable.Repeat(Canary, 400)], outside = [.. rows];
        outside[3] = 7.654321f;
        uint[] labels = [.. Enumerable.Range(0, 100).Select(static i => (uint)(i % 2))];
        await server.IngestAsync("canary", rows, 4, labels);
        Failure refused = await Failure.OfAsync(() => server.SendAsync(Start("canary", NewId()), Batch(1, outside, 4, labels)));
        V1.Release release = await server.BuildAsync(NewRelease("canary", "r", 0.5, static r => r.Spec.Sketch.PerClass = true));
        await server.Queries.QueryAsync(new QueryRequest
        {
            Release = release.Name,
            Points = new V1.Points { Dimension = 4, Values = { rows[..4] } },
        });
        await Failure.OfAsync(server.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = "datasets/0.123456789" }));
        string log = server.Log.ToString();
        Assert.Contains("/privatekernels.v1.QueryService/Query", log, StringComparison.Ordinal);
        Assert.Contains("OUT_OF_DOMAIN", log, StringComparison.Ordinal);
        foreach (string canary in (string[])[Canary.ToString("R", CultureInfo.InvariantCulture), "0.1234", "7.65", "123456789"])
        {
            Assert.DoesNotContain(canary, log, StringComparison.Ordinal);
            Assert.DoesNotContain(canary, refused.Status.ToString(), StringComparison.Ordinal);
        }
        foreach (string line in log.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Assert.NotNull(System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("event").GetString());
    }
}
