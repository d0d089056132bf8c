using Google.LongRunning;
using Grpc.Core;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

public sealed class JobTests
{
    const int Rows = 2500;

    [Fact]
    public async Task A_job_predicts_what_the_call_predicts_and_counts_correct_labels_by_name()
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server);
        float[] points = Pattern(Rows, 4);
        // Its classes stand in another order, and one is unknown to the release.
        await server.Datasets.CreateDatasetAsync(NewPublic("tests", "other", "right", "left"));
        uint[] truth = [.. Enumerable.Range(0, Rows).Select(static i => (uint)(i % 3))];
        for (int first = 0, count; first < Rows; first += count)
        {
            count = Math.Min(900, Rows - first);
            await server.IngestAsync("tests", points[(4 * first)..(4 * (first + count))], 4, truth[first..(first + count)]);
        }
        CreateClassificationJobResponse created = await server.Queries.CreateClassificationJobAsync(NewJob("j"));
        Assert.Equal("datasets/people/classificationJobs/j", created.ClassificationJob.Name);
        // What comes after the job was created takes no part.
        await server.IngestAsync("tests", points[..40], 4, truth[..10]);
        Operation ended = await server.EndAsync(created.Operation);
        ClassificationJob job = ended.Response.Unpack<ClassificationJob>();
        Assert.Equal(100u, ended.Metadata.Unpack<ClassificationJobMetadata>().Percent);

        ClassifyResponse expected = await server.Queries.ClassifyAsync(new ClassifyRequest
        {
            Release = "datasets/people/releases/r",
            Points = new V1.Points { Dimension = 4, Values = { points } },
        });
        (List<uint> classes, List<double> margins) = await ReadAsync(server, 0);
        Assert.Equal(expected.Predictions.Select(static p => p.ClassIndex), classes);
        Assert.Equal(expected.Predictions.Select(static p => p.Margin), margins);
        string[] names = ["other", "right", "left"], predicted = ["left", "right"];
        int correct = Enumerable.Range(0, Rows).Count(i => names[truth[i]] == predicted[classes[i]]);
        Assert.Equal(
            (JobState.Succeeded, (long)Rows, (long)Rows, (long)correct, expected.Score),
            ((JobState)job.State, job.RowCount, job.LabelledCount, job.CorrectCount, (V1.ClassScore)job.Score));
        Assert.InRange(correct, 1, Rows - 1);
        Assert.True(job.ExpireTime > job.CreateTime);

        foreach (int first in (int[])[1, 1023, 1024, 2499, 2500])
            Assert.Equal(classes[first..], (await ReadAsync(server, first)).Classes);
        Failure past = await Failure.OfAsync(() => ReadAsync(server, Rows + 1));
        Assert.Equal(("OFFSET_PAST_END", $"{Rows}"), (past.Reason, past.Metadata["size"]));
        Assert.Equal(job, Assert.Single((await server.Queries.ListClassificationJobsAsync(
            new ListClassificationJobsRequest { Parent = "datasets/people" })).ClassificationJobs));
    }

    [Fact]
    public async Task Empty_and_tiny_classes_are_named_and_never_predicted()
    {
        await using TestServer server = await StartAsync();
        await server.Datasets.CreateDatasetAsync(NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["left", "right", "empty", "tiny"]);
            r.Dataset.MaxRecords = 1_000_000;
        }));
        uint[] labels = [.. Enumerable.Range(0, 601).Select(static i => i == 600 ? 3u : (uint)i % 2)];
        await server.IngestAsync("people", Pattern(601, 4), 4, labels);
        await server.BuildAsync(NewRelease("people", "r", 0.5, static r => r.Spec.Sketch.PerClass = true));
        await server.Datasets.CreateDatasetAsync(NewPublic("tests"));
        // The tiny class's own row is asked about too.
        await server.IngestAsync("tests", Pattern(601, 4), 4);
        foreach (V1.ClassScore score in (V1.ClassScore[])[V1.ClassScore.Unspecified, V1.ClassScore.Mean])
        {
            CreateClassificationJobRequest request = NewJob($"j{(int)score}");
            request.ClassificationJob.Score = score;
            ClassificationJob job = (await server.EndAsync((await server.Queries.CreateClassificationJobAsync(request)).Operation))
                .Response.Unpack<ClassificationJob>();
            Assert.Equal([2u, 3u], job.ExcludedClasses);
            Assert.All((await ReadAsync(server, 0, $"j{(int)score}")).Classes, static c => Assert.InRange(c, 0u, 1u));
        }
    }

    [Fact]
    public async Task A_repeated_call_has_one_effect_and_a_deleted_job_is_gone_with_its_file()
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server, points: 50);
        CreateClassificationJobRequest request = NewJob("j");
        request.ValidateOnly = true;
        Assert.Null((await server.Queries.CreateClassificationJobAsync(request)).Operation);
        Assert.Empty((await server.Queries.ListClassificationJobsAsync(
            new ListClassificationJobsRequest { Parent = "datasets/people" })).ClassificationJobs);
        request.ValidateOnly = false;
        CreateClassificationJobResponse first = await server.Queries.CreateClassificationJobAsync(request);
        Assert.Equal(first, await server.Queries.CreateClassificationJobAsync(request));
        await server.EndAsync(first.Operation);
        Assert.Equal("JOB_EXISTS", (await Failure.OfAsync(server.Queries.CreateClassificationJobAsync(NewJob("j")))).Reason);
        request.ClassificationJob.Score = V1.ClassScore.Mean;
        Assert.Equal("REQUEST_ID_REUSED", (await Failure.OfAsync(server.Queries.CreateClassificationJobAsync(request))).Reason);

        var delete = new DeleteClassificationJobRequest { Name = first.ClassificationJob.Name, RequestId = NewId() };
        Assert.Single(Directory.GetFiles(Path.Combine(server.Directory, "predictions")));
        await server.Queries.DeleteClassificationJobAsync(delete);
        await server.Queries.DeleteClassificationJobAsync(delete);
        Assert.Empty(Directory.GetFiles(Path.Combine(server.Directory, "predictions")));
        Failure gone = await Failure.OfAsync(server.Queries.GetClassificationJobAsync(
            new GetClassificationJobRequest { Name = delete.Name }));
        Assert.Equal("RESOURCE_NOT_FOUND", gone.Reason);
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(server.Operations.GetOperationAsync(
            new GetOperationRequest { Name = first.Operation.Name }))).Reason);
        // Unlike a release's, the name of a job is free again; with its dataset all jobs go.
        await server.EndAsync((await server.Queries.CreateClassificationJobAsync(NewJob("j"))).Operation);
        await server.Datasets.DeleteDatasetAsync(
            new DeleteDatasetRequest { Name = "datasets/people", Force = true, RequestId = NewId() });
        Assert.Empty(Directory.GetFiles(Path.Combine(server.Directory, "predictions")));
    }

    [Fact]
    public async Task Pages_of_jobs_go_on_although_jobs_are_deleted_and_their_tokens_do_not_tell_how_many_there_are()
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server, points: 10);
        string[] ids = ["j1", "j2", "j3", "j4", "j5"];
        foreach (string id in ids)
            await server.EndAsync((await server.Queries.CreateClassificationJobAsync(NewJob(id))).Operation);
        List<string> seen = [];
        var list = new ListClassificationJobsRequest { Parent = "datasets/people", PageSize = 2 };
        do
        {
            ListClassificationJobsResponse page = await server.Queries.ListClassificationJobsAsync(list);
            seen.AddRange(page.ClassificationJobs.Select(static job => job.Name.Split('/')[^1]));
            list.PageToken = page.NextPageToken;
            if (list.PageToken.Length == 0) break;
            string position = System.Text.Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(list.PageToken).AsSpan(8));
            Assert.True(Guid.TryParseExact(position.Split('/')[1], "D", out _));
            foreach (ClassificationJob job in page.ClassificationJobs)
                await server.Queries.DeleteClassificationJobAsync(
                    new DeleteClassificationJobRequest { Name = job.Name, RequestId = NewId() });
        }
        while (true);
        Assert.Equal(ids.Reverse(), seen);
    }

    [Theory]
    [InlineData("query_dataset", "datasets/people", "NOT_PUBLIC")]
    [InlineData("query_dataset", "datasets/absent", "RESOURCE_NOT_FOUND")]
    [InlineData("query_dataset", "datasets/wide", "DIMENSION_MISMATCH")]
    [InlineData("query_dataset", "tests", "INVALID_FIELD")]
    [InlineData("release", "datasets/people/releases/absent", "RESOURCE_NOT_FOUND")]
    [InlineData("release", "datasets/people/releases/plain", "NOT_PER_CLASS")]
    [InlineData("release", "datasets/tests/releases/r", "INVALID_FIELD")]
    public async Task A_job_that_could_not_run_is_refused_when_it_is_created(string field, string value, string reason)
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server, points: 10);
        await server.BuildAsync(NewRelease("people", "plain", 0.1));
        await server.Datasets.CreateDatasetAsync(NewDataset("wide", static r =>
        {
            r.Dataset.Kind = DatasetKind.Public;
            r.Dataset.Domain = new V1.Domain { Dimension = 5 };
            r.Budget = null;
        }));
        CreateClassificationJobRequest request = NewJob("j");
        ClassificationJob.Descriptor.FindFieldByName(field).Accessor.SetValue(request.ClassificationJob, value);
        Assert.Equal(reason, (await Failure.OfAsync(server.Queries.CreateClassificationJobAsync(request))).Reason);
        Assert.Empty((await server.Queries.ListClassificationJobsAsync(
            new ListClassificationJobsRequest { Parent = "datasets/people" })).ClassificationJobs);
    }

    [Fact]
    public async Task Jobs_stop_when_asked_or_when_their_rows_are_deleted_and_have_no_predictions()
    {
        await using TestServer server = await StartAsync();
        await FillAsync(server, points: 20_000, features: 65_536);
        Operation running = (await server.Queries.CreateClassificationJobAsync(NewJob("running"))).Operation;
        Operation waiting = (await server.Queries.CreateClassificationJobAsync(NewJob("waiting"))).Operation;
        Failure early = await Failure.OfAsync(() => ReadAsync(server, 0, "waiting"));
        Assert.Equal(("JOB_NOT_READY", waiting.Name), (early.Reason, early.Metadata["operation"]));
        await server.Operations.CancelOperationAsync(new CancelOperationRequest { Name = waiting.Name });
        Assert.Equal((int)StatusCode.Cancelled, (await server.EndAsync(waiting)).Error.Code);
        Assert.Equal(JobState.Cancelled, await StateAsync(server, "waiting"));
        // A job that takes the name of one that was deleted is not ended by a repetition of that.
        var delete = new DeleteClassificationJobRequest { Name = "datasets/people/classificationJobs/waiting", RequestId = NewId() };
        await server.Queries.DeleteClassificationJobAsync(delete);
        await server.Queries.CreateClassificationJobAsync(NewJob("waiting"));
        await server.Queries.DeleteClassificationJobAsync(delete);
        Assert.Equal(JobState.Queued, await StateAsync(server, "waiting"));
        await server.Datasets.DeleteDatasetAsync(new DeleteDatasetRequest { Name = "datasets/tests", RequestId = NewId() });
        Operation ended = await server.EndAsync(running);
        Assert.NotNull(ended.Error);
        Assert.Contains(await StateAsync(server, "running"), (JobState[])[JobState.Cancelled, JobState.Failed]);
    }

    [Fact]
    public async Task A_killed_server_goes_on_with_its_jobs_and_comes_to_the_same_bits()
    {
        string directory = Directory.CreateTempSubdirectory("pk-job-kill-").FullName;
        try
        {
            await using (TestServer server = await StartAsync(directory: directory))
                await FillAsync(server, points: 20_000, features: 32_768);
            string file;
            using (ServerProcess process = await ServerProcess.StartAsync(directory))
            {
                var queries = new V1.QueryService.QueryServiceClient(process.Channel);
                await queries.CreateClassificationJobAsync(NewJob("j"));
                await queries.CreateClassificationJobAsync(NewJob("next"));
                string predictions = Path.Combine(directory, "predictions");
                // Killed in the middle: some blocks are written, not all.
                while (Directory.GetFiles(predictions) is not [var one] || new FileInfo(one).Length < 30_000) await Task.Delay(5);
                process.Kill();
                file = Directory.GetFiles(predictions).Single();
                Assert.InRange(new FileInfo(file).Length, 12_000, 19_000 * 12);
            }
            await using (TestServer server = await StartAsync(directory: directory))
            {
                foreach (string id in (string[])["j", "next"])
                {
                    while (await StateAsync(server, id) is JobState.Queued or JobState.Running) await Task.Delay(20);
                    Assert.Equal(JobState.Succeeded, await StateAsync(server, id));
                }
                (List<uint> Classes, List<double> Margins) resumed = await ReadAsync(server, 0);
                (List<uint> Classes, List<double> Margins) whole = await ReadAsync(server, 0, "next");
                Assert.Equal(20_000, whole.Classes.Count);
                Assert.Equal(whole.Classes, resumed.Classes);
                Assert.Equal(whole.Margins, resumed.Margins);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    static CreateClassificationJobRequest NewJob(string id) => new()
    {
        Parent = "datasets/people",
        ClassificationJobId = id,
        ClassificationJob = new() { Release = "datasets/people/releases/r", QueryDataset = "datasets/tests" },
        RequestId = NewId(),
    };

    static CreateDatasetRequest NewPublic(string id, params string[] classes) => NewDataset(id, r =>
    {
        r.Dataset.Kind = DatasetKind.Public;
        r.Dataset.MaxRecords = 0;
        r.Dataset.Classes.Add(classes);
        r.Budget = null;
    });

    /// <summary>A per-class release "r" of "people", and public points in "tests" if any.</summary>
    static async Task FillAsync(TestServer server, int points = 0, uint features = 256)
    {
        await server.Datasets.CreateDatasetAsync(NewDataset("people", static r =>
        {
            r.Dataset.Classes.Add(["left", "right"]);
            r.Budget = new V1.PrivacyLoss { Epsilon = 1000, Delta = 1e-5 };
        }));
        float[] values = Pattern(100, 4);
        for (int i = 0; i < values.Length; i++) values[i] = values[i] * 0.3f + (i < 200 ? 0 : 0.7f);
        await server.IngestAsync("people", values, 4, [.. Enumerable.Range(0, 100).Select(static i => i < 50 ? 0u : 1u)]);
        await server.BuildAsync(NewRelease("people", "r", 500, r =>
        {
            r.Spec.Sketch.PerClass = true;
            r.Spec.Sketch.Features = features;
            if (features > 256) r.Spec.Sketch.Function.Name = "laplacian";
        }));
        if (points == 0) return;
        await server.Datasets.CreateDatasetAsync(NewPublic("tests"));
        await server.IngestAsync("tests", Pattern(points, 4), 4);
    }

    static async Task<JobState> StateAsync(TestServer server, string id) => (JobState)(await server.Queries.GetClassificationJobAsync(
        new GetClassificationJobRequest { Name = $"datasets/people/classificationJobs/{id}" })).ClassificationJob.State;

    static async Task<(List<uint> Classes, List<double> Margins)> ReadAsync(TestServer server, long firstRow, string id = "j")
    {
        using AsyncServerStreamingCall<ReadPredictionsResponse> call = server.Queries.ReadPredictions(
            new ReadPredictionsRequest { Name = $"datasets/people/classificationJobs/{id}", FirstRow = firstRow });
        List<uint> classes = [];
        List<double> margins = [];
        await foreach (ReadPredictionsResponse part in call.ResponseStream.ReadAllAsync())
        {
            Assert.Equal(firstRow + classes.Count, part.FirstRow);
            classes.AddRange(part.ClassIndices);
            margins.AddRange(part.Margins);
        }
        return (classes, margins);
    }
}
