using System.Globalization;
using System.Text.Json;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

/// <summary>The program in process against a real server: documents, exit codes, offline answers.</summary>
public sealed class CliTests : IAsyncLifetime
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-cli-");
    ServerHost _host = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await ServerHost.StartAsync(new()
        {
            Data = new() { Directory = At("server") },
            Grpc = new() { Listen = "127.0.0.1:0" },
            Engine = new() { Threads = 1 },
            Build = new() { CompletionQuantum = TimeSpan.Zero },
            Shutdown = new() { Drain = TimeSpan.Zero },
        });
        WriteRows(At("rows.csv"), 300);
        NpyFile.Write<float>(At("queries.npy"), [0.1f, 0.2f, 0.8f, 0.9f], 2);
        NpyFile.Write<int>(At("truth.npy"), [0, 1], 1);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_dataset_is_created_filled_released_queried_classified_and_shown()
    {
        JsonElement created = await CreateAndImportAsync("animals");
        Assert.Equal(300, created.GetProperty("rows").GetInt64());

        JsonElement estimate = await OkAsync("release", "estimate", "animals", "--function", "gaussian", "--bandwidth",
            "1", "--epsilon", "5");
        Assert.True(estimate.GetProperty("affordable").GetBoolean());

        JsonElement release = await ReleaseAsync("animals", "first", 5);
        Assert.Equal(("animals/first", 5.0, 1e-5), (
            release.GetProperty("release").GetString(), release.GetProperty("epsilon").GetDouble(),
            release.GetProperty("delta").GetDouble()));
        Assert.True(release.GetProperty("mu").GetDouble() > 0 && release.GetProperty("seconds").GetDouble() > 0);

        JsonElement query = await OkAsync("query", "animals/first", At("queries.npy"), "--out", At("answers.csv"));
        JsonElement[] answers = [.. query.GetProperty("answers").EnumerateArray()];
        Assert.Equal(2, answers.Length);
        Assert.All(answers, static a => Assert.True(a.GetProperty("noise_std").GetDouble() > 0));
        Assert.All(answers, static a => Assert.InRange(a.GetProperty("value").GetDouble(), 100, 400));
        Assert.Equal(2, query.GetProperty("answers_by_class").GetProperty("cat").GetArrayLength());
        string[] lines = await File.ReadAllLinesAsync(At("answers.csv"), Now);
        Assert.Equal("value,noise_std,approximation_std,half_width_95", lines[0]);
        Assert.StartsWith(answers[0].GetProperty("value").GetRawText(), lines[1]);

        JsonElement classes = await OkAsync("classify", "animals/first", At("queries.npy"), "--labels", At("truth.npy"),
            "--score", "nearest");
        Assert.Equal(["cat", "dog"], classes.GetProperty("labels").EnumerateArray().Select(static l => l.GetString()!));
        Assert.Equal(1, classes.GetProperty("accuracy").GetDouble());

        JsonElement ledger = await OkAsync("ledger", "show", "animals");
        Assert.InRange(ledger.GetProperty("spent").GetProperty("epsilon").GetDouble(), 4.99, 5.01);
        Assert.True(ledger.GetProperty("remaining").GetProperty("mu").GetDouble() > 0);
        Assert.Contains(ledger.GetProperty("entries").EnumerateArray(), static e =>
            e.GetProperty("kind").GetString() == "post");

        JsonElement list = await OkAsync("release", "list", "animals");
        Assert.Equal("animals/first", list.GetProperty("releases")[0].GetProperty("release").GetString());
        JsonElement deleted = await OkAsync("release", "delete", "animals/first");
        Assert.Equal("deleted", deleted.GetProperty("state").GetString());
        JsonElement tombstone = await OkAsync("dataset", "delete", "animals", "--force");
        Assert.Equal("deleted", tombstone.GetProperty("state").GetString());
    }

    [Fact]
    public async Task Landmarks_come_from_a_public_dataset_and_answers_with_them_are_the_same_offline()
    {
        await CreateAndImportAsync("animals");
        await OkAsync("dataset", "create", "open", "--public", "--dimension", "2", "--classes", "cat,dog");
        await OkAsync("dataset", "import", "open", At("rows.csv"));
        string[] options =
            ["--function", "exponential", "--bandwidth", "1", "--epsilon", "5", "--landmarks", "open", "--features", "50"];
        JsonElement estimate = await OkAsync(["release", "estimate", "animals", .. options]);
        Assert.Equal("landmark", estimate.GetProperty("method").GetString());
        await OkAsync(["release", "create", "animals", "near", .. options]);
        await OkAsync("release", "download", "animals/near", At("near.pkr"));
        JsonElement online = await OkAsync("query", "animals/near", At("queries.npy"));
        Assert.All(online.GetProperty("answers").EnumerateArray(), static a =>
            Assert.InRange(a.GetProperty("value").GetDouble(), 100, 300));
        Assert.Equal(
            online.GetRawText(), (await OkAsync("query", "--offline", At("near.pkr"), At("queries.npy"))).GetRawText());
        JsonElement refusal = await FailAsync(1, ["release", "estimate", "animals", .. options[..^3], "animals"]);
        Assert.Equal("NOT_PUBLIC", refusal.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_structure_is_chosen_by_its_name()
    {
        await CreateAndImportAsync("animals");
        string[] options =
            ["--function", "cauchy", "--bandwidth", "1", "--epsilon", "1", "--mechanism", "laplace", "--method", "paper_plus"];
        string[] sizes = ["--features", "512", "--projected-dimension", "1"];
        JsonElement estimate = await OkAsync(["release", "estimate", "animals", .. options]);
        Assert.Equal("paper_plus", estimate.GetProperty("method").GetString());
        await OkAsync(["release", "create", "animals", "paper", .. options, .. sizes]);
        JsonElement release = (await OkAsync("release", "list", "animals")).GetProperty("releases")[0];
        await OkAsync("release", "download", "animals/paper", At("paper.pkr"));
        Assert.Equal(
            (await OkAsync("query", "animals/paper", At("queries.npy"))).GetRawText(),
            (await OkAsync("query", "--offline", At("paper.pkr"), At("queries.npy"))).GetRawText());
        Assert.Equal(("paper_plus", 512, 1), (
            release.GetProperty("method").GetString(), release.GetProperty("features").GetInt32(),
            release.GetProperty("projected_dimension").GetInt32()));
        JsonElement refusal = await FailAsync(1, ["release", "estimate", "animals", .. options[..^4], "--method", "paper"]);
        Assert.Equal("INVALID_FIELD", refusal.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_job_classifies_a_public_dataset_and_its_predictions_are_those_of_classify()
    {
        await CreateAndImportAsync("animals");
        await ReleaseAsync("animals", "first", 5);
        await OkAsync("dataset", "create", "open", "--public", "--dimension", "2", "--classes", "cat,dog");
        await OkAsync("dataset", "import", "open", At("rows.csv"));
        JsonElement job = await OkAsync("job", "create", "animals/first", "open", "--id", "test", "--out", At("job.csv"));
        Assert.Equal(("animals/test", "succeeded", 300L), (
            job.GetProperty("job").GetString(), job.GetProperty("state").GetString(), job.GetProperty("rows").GetInt64()));
        Assert.InRange(job.GetProperty("accuracy").GetDouble(), 0.9, 1);
        JsonElement read = await OkAsync("job", "read", "animals/test");
        Assert.Equal(300, read.GetProperty("labels").GetArrayLength());
        Assert.StartsWith("label,margin", await File.ReadAllTextAsync(At("job.csv"), Now));
        JsonElement list = await OkAsync("job", "list", "animals");
        Assert.Equal("animals/test", list.GetProperty("jobs")[0].GetProperty("job").GetString());
        Assert.Equal("succeeded", (await OkAsync("job", "show", "animals/test")).GetProperty("state").GetString());
        await OkAsync("job", "delete", "animals/test");
        JsonElement gone = await FailAsync(1, "job", "show", "animals/test");
        Assert.Equal("RESOURCE_NOT_FOUND", gone.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Classes_by_least_squares_need_a_release_with_second_moments()
    {
        await CreateAndImportAsync("animals");
        string[] options = ["--function", "gaussian", "--bandwidth", "1", "--epsilon", "4", "--per-class", "--features", "64"];
        JsonElement refused = await FailAsync(1, [
            "release", "create", "animals", "pure", .. options, "--least-squares", "--mechanism", "laplace"]);
        Assert.Contains("class_least_squares", refused.GetProperty("message").GetString());
        await OkAsync(["release", "create", "animals", "fit", .. options, "--least-squares"]);
        await OkAsync(["release", "create", "animals", "sums", .. options]);
        string[] classify = ["--labels", At("truth.npy"), "--score", "least-squares"];
        JsonElement classes = await OkAsync(["classify", "animals/fit", At("queries.npy"), .. classify]);
        Assert.Equal(1, classes.GetProperty("accuracy").GetDouble());
        JsonElement without = await FailAsync(1, ["classify", "animals/sums", At("queries.npy"), .. classify]);
        Assert.Contains("class_least_squares", without.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Weighted_sums_come_from_a_column_of_values_online_and_offline()
    {
        await OkAsync("dataset", "create", "spending", "--dimension", "2", "--budget-epsilon", "100", "--budget-delta", "1e-5",
            "--lower", "0", "--upper", "1", "--max-abs-value", "2.5", "--max-records", "1000");
        double[][] rows = [.. Enumerable.Range(0, 40).Select(static i => (double[])[i / 40.0, i % 5 / 8.0 - 0.25, i % 7 / 7.0])];
        CsvFile.Write(At("spent.csv"), ["a", "spent", "b"], rows.Select(static r => r.Cast<object>().ToArray()));
        JsonElement without = await FailAsync(1, "dataset", "import", "spending", At("spent.csv"));
        Assert.Equal("BAD_ROW", without.GetProperty("reason").GetString());
        await OkAsync("dataset", "import", "spending", At("spent.csv"), "--values", "spent");
        string[] options = ["--function", "l2_squared", "--epsilon", "40", "--weighted"];
        JsonElement refused = await FailAsync(1, ["release", "create", "spending", "s", .. options]);
        Assert.Equal("DOMAIN_NOT_DECLARED", refused.GetProperty("reason").GetString());
        options[1] = "l1";
        await OkAsync(["release", "create", "spending", "s", .. options, "--features", "1024"]);
        JsonElement query = await OkAsync("query", "spending/s", At("queries.npy"));
        JsonElement answer = query.GetProperty("answers")[0];
        double exact = rows.Sum(static r => r[1] * (Math.Abs(r[0] - 0.1f) + Math.Abs(r[2] - 0.2f)));
        double std = answer.GetProperty("noise_std").GetDouble();
        JsonElement listed = (await OkAsync("release", "list", "spending")).GetProperty("releases")[0];
        Assert.Equal((true, false), (listed.GetProperty("weighted").GetBoolean(), listed.GetProperty("least_squares").GetBoolean()));
        Assert.InRange(Math.Abs(answer.GetProperty("value").GetDouble() - exact), 0, 6 * std + 0.05);
        Assert.InRange(std, 0.1, 2);
        await OkAsync("release", "download", "spending/s", At("s.pkr"));
        Assert.Equal(query.GetRawText(), (await OkAsync("query", "--offline", At("s.pkr"), At("queries.npy"))).GetRawText());
        await CreateAndImportAsync("animals");
        JsonElement none = await FailAsync(1, ["release", "create", "animals", "s", .. options]);
        Assert.Contains("max_abs_value", none.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Offline_answers_are_the_servers_bit_for_bit()
    {
        await CreateAndImportAsync("animals");
        await ReleaseAsync("animals", "first", 5);
        await OkAsync("release", "download", "animals/first", At("first.pkr"));
        Assert.Equal(
            (await OkAsync("query", "animals/first", At("queries.npy"))).GetRawText(),
            (await OkAsync("query", "--offline", At("first.pkr"), At("queries.npy"))).GetRawText());
    }

    [Fact]
    public async Task A_release_past_the_budget_is_refused_with_reason_and_details_on_standard_error()
    {
        await CreateAndImportAsync("animals");
        JsonElement refusal =
            await FailAsync(1, "release", "create", "animals", "big", "--function", "l1", "--epsilon", "50");
        Assert.Equal("BUDGET_EXHAUSTED", refusal.GetProperty("reason").GetString());
        Assert.True(refusal.GetProperty("details").TryGetProperty("remaining", out _));
        // People read mu, not units of 2^-40 of its square.
        string text = await FailForPeopleAsync("release", "create", "animals", "big", "--function", "l1", "--epsilon", "50");
        Assert.Contains($"limit μ = {Mu("limit")}{Environment.NewLine}", text, StringComparison.Ordinal);
        Assert.Contains($"spent μ = 0{Environment.NewLine}", text, StringComparison.Ordinal);
        Assert.Contains($"requested μ = {Mu("requested")}{Environment.NewLine}", text, StringComparison.Ordinal);
        Assert.DoesNotContain("2^-40", text, StringComparison.Ordinal);

        string Mu(string key)
        {
            long units = long.Parse(Detail(refusal, key)!, CultureInfo.InvariantCulture);
            return Math.Sqrt(units / Math.Pow(2, 40)).ToString("G5", CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public async Task Budget_is_spent_on_no_rows_only_where_that_is_asked_for()
    {
        await CreateAsync("empty");
        string[] release = ["release", "create", "empty", "early", "--function", "l1", "--epsilon", "1"];
        Assert.Equal("NO_ROWS", (await FailAsync(1, release)).GetProperty("reason").GetString());
        Assert.Equal(0, Spent(await OkAsync("dataset", "show", "empty")));
        await OkAsync([.. release, "--allow-empty"]);
        Assert.True(Spent(await OkAsync("dataset", "show", "empty")) > 0);

        static double Spent(JsonElement shown) => shown.GetProperty("spent").GetProperty("mu").GetDouble();
    }

    [Fact]
    public async Task A_bad_row_is_named_by_row_and_column_and_nothing_is_imported()
    {
        await CreateAsync("animals");
        await File.WriteAllTextAsync(At("bad.csv"), "a,b,label\n0.1,0.2,cat\n0.1,7,dog\n", Now);
        await File.WriteAllTextAsync(At("text.csv"), "a,b,label\n0.1,0.2,cat\n0.1,x,dog\n", Now);
        JsonElement outside = await FailAsync(1, "dataset", "import", "animals", At("bad.csv"));
        Assert.Equal("OUT_OF_DOMAIN", outside.GetProperty("reason").GetString());
        Assert.Equal(("1", "1"), (Detail(outside, "row"), Detail(outside, "column")));
        JsonElement text = await FailAsync(1, "dataset", "import", "animals", At("text.csv"));
        Assert.Equal("BAD_ROW", text.GetProperty("reason").GetString());
        Assert.Equal(("1", "1"), (Detail(text, "row"), Detail(text, "column")));
        Assert.Equal(0, (await OkAsync("dataset", "show", "animals")).GetProperty("rows").GetInt64());
    }

    [Theory]
    [InlineData("dataset", "create", "x")]
    [InlineData("release", "create", "x", "y", "--function", "l1", "--epsilon", "1", "--mechanism", "magic")]
    [InlineData("query", "x/y")]
    [InlineData("no-such-command")]
    public async Task A_bad_command_line_exits_with_64(params string[] arguments) =>
        Assert.Equal("BAD_COMMAND_LINE",
            (await RunForFailureAsync(64, [.. arguments, "--json"])).GetProperty("reason").GetString());

    [Fact]
    public async Task A_value_that_no_server_could_take_exits_with_64()
    {
        JsonElement failure =
            await FailAsync(64, "dataset", "create", "x", "--dimension", "2", "--budget-epsilon", "-1");
        Assert.Equal("INVALID_FIELD", failure.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Without_a_server_the_failure_says_how_to_start_one()
    {
        JsonElement failure =
            await RunForFailureAsync(1, "dataset", "list", "--server", "http://127.0.0.1:1", "--json");
        Assert.Equal("UNREACHABLE", failure.GetProperty("reason").GetString());
        Assert.Contains("pk serve", failure.GetProperty("message").GetString());
        Assert.Contains("https://", failure.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Functions_and_engines_need_no_server()
    {
        JsonElement functions = await RunAsync("functions", "--json");
        Assert.Equal(Catalog.Functions.Select(static f => f.Name),
            functions.GetProperty("functions").EnumerateArray().Select(Name));
        JsonElement engines = await RunAsync("engines", "--json");
        Assert.Contains(engines.GetProperty("engines").EnumerateArray(), static e =>
            e.GetProperty("kind").GetString() == "simd" && e.GetProperty("verified").GetBoolean());

        static string Name(JsonElement function) => function.GetProperty("name").GetString()!;
    }

    [Fact]
    public async Task Without_json_people_read_tables()
    {
        var output = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(["functions"], output, TextWriter.Null, Now));
        Assert.Contains("| gaussian ", output.ToString());
        // A bar in a formula is escaped, so every row has as many cells as the header.
        string[] lines = [.. $"{output}".Split('\n').Where(static line => line.StartsWith('|'))];
        Assert.True(lines.Length > Catalog.Functions.Count);
        Assert.All(lines, line => Assert.Equal(8, line.Replace("\\|", "").Count(static c => c == '|')));
        Assert.Contains("\\|z\\|", $"{output}");
        Assert.DoesNotContain("\u001b", output.ToString());
    }

    static CancellationToken Now => TestContext.Current.CancellationToken;

    string At(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Two clouds in the unit square, cats below and dogs above, from a small fixed generator.</summary>
    static void WriteRows(string path, int count)
    {
        uint state = 12345;
        double Next() => (state = unchecked(state * 1664525 + 1013904223)) / 4294967296.0;
        CsvFile.Write(path, ["a", "b", "label"], Enumerable.Range(0, count).Select(i =>
            new object[] { 0.3 * Next() + i % 2 * 0.7, 0.3 * Next() + i % 2 * 0.7, i % 2 == 0 ? "cat" : "dog" }));
    }

    Task<JsonElement> CreateAsync(string name) => OkAsync(
        "dataset", "create", name, "--dimension", "2", "--budget-epsilon", "10", "--budget-delta", "1e-5", "--lower",
        "0", "--upper", "1",
        "--classes", "cat,dog", "--max-records", "1000");

    async Task<JsonElement> CreateAndImportAsync(string name)
    {
        await CreateAsync(name);
        return await OkAsync("dataset", "import", name, At("rows.csv"));
    }

    Task<JsonElement> ReleaseAsync(string dataset, string id, int epsilon) => OkAsync(
        "release", "create", dataset, id, "--function", "gaussian", "--bandwidth", "1", "--epsilon", $"{epsilon}",
        "--per-class",
        "--features", "512");

    Task<JsonElement> OkAsync(params string[] arguments) => RunAsync(
        arguments is ["query", "--offline", ..]
            ? [.. arguments, "--json"]
            : [.. arguments, "--server", $"{_host.Address}", "--json"]);

    Task<JsonElement> FailAsync(int exitCode, params string[] arguments) =>
        RunForFailureAsync(exitCode, [.. arguments, "--server", $"{_host.Address}", "--json"]);

    async Task<string> FailForPeopleAsync(params string[] arguments)
    {
        var error = new StringWriter();
        Assert.NotEqual(0, await CommandLine.RunAsync(
            [.. arguments, "--server", $"{_host.Address}"], TextWriter.Null, error, Now));
        // Colours, where the surroundings ask for them (CI=true does).
        return System.Text.RegularExpressions.Regex.Replace(error.ToString(), "\x1b\\[[0-9;]*m", "");
    }

    static async Task<JsonElement> RunAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync(arguments, output, error, Now);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        Assert.Empty(error.ToString());
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    static async Task<JsonElement> RunForFailureAsync(int exitCode, params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        Assert.Equal(exitCode, await CommandLine.RunAsync(arguments, output, error, Now));
        Assert.Empty(output.ToString());
        return JsonDocument.Parse(error.ToString()).RootElement;
    }

    static string? Detail(JsonElement failure, string key) =>
        failure.GetProperty("details").GetProperty(key).GetString();
}
