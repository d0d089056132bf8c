using PrivateKernels.Client;

namespace PrivateKernels.Tests;

public sealed class ReadmeTests
{
    [Fact]
    public async Task The_client_example_of_README_runs_as_it_stands_there()
    {
        await using TestServer server = await TestServer.StartAsync();
        string file = Path.Combine(server.Directory, "embeddings.npy");
        var random = new PublicRandom(1);
        float[] rows = [.. Enumerable.Range(0, 500 * 128).Select(_ => (float)(0.05 * random.NextNormal()))];
        NpyFile.Write<float>(file, rows, 128);
        Answers answers = await Example(server.Host.Address.ToString(), file, new Points(rows.AsMemory(0, 10 * 128), 128));
        Assert.Equal(10, answers.Values.Length);
        Assert.All(answers.HalfWidth95, static half => Assert.InRange(half, 1, 500));
    }

    static async Task<Answers> Example(string address, string file, Points queries)
    {
        // README
        using var client = new PrivateKernelsClient(address);       // such as http://127.0.0.1:7443
        DatasetHandle patients = await client.CreateDatasetAsync("patients", new DatasetOptions
        {
            Domain = new Domain(128, maxNorm: 1),
            MaxRecords = 100_000,
            Budget = new PrivacyLoss(1, 1e-6),
        });
        await patients.IngestFileAsync(file);                       // .npy, .csv, .parquet, .arrow, .idx

        await patients.CreateReleaseAsync("similarity", new ReleaseRequest
        {
            Function = "gaussian",
            Bandwidth = 0.8,
            Loss = new PrivacyLoss(0.5, 1e-6),
        });
        Answers answers = await client.Release("patients", "similarity").QueryAsync(queries);
        // END
        return answers;
    }

    [Fact]
    public void README_shows_the_example_that_is_tested()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "PrivateKernels.sln"))) root = Path.GetDirectoryName(root)!;
        string[] source = File.ReadAllLines(Path.Combine(root, "tests/PrivateKernels.Server.Tests/ReadmeTests.cs"));
        int first = Array.FindIndex(source, static l => l.Trim() == "// README") + 1, end = Array.FindIndex(source, static l => l.Trim() == "// END");
        string example = string.Join('\n', source[first..end].Select(static l => l.Length > 8 ? l[8..] : ""));
        Assert.Contains(example, File.ReadAllText(Path.Combine(root, "README.md")), StringComparison.Ordinal);
    }
}
