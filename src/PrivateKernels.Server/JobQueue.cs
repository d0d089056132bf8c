using System.Collections.Concurrent;
using System.Threading.Channels;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Runs classification jobs, one at a time and slice by slice between the queries of callers who wait. A job that the
/// server's end interrupts goes on at the next start behind its last whole block, with the same bits.
/// </summary>
sealed class JobQueue : IAsyncDisposable
{
    /// <summary>Cells times points of one slice: well below a second on any machine.</summary>
    const double SliceWork = 1L << 31;

    readonly DataDirectory _directory;
    readonly Engines _engines;
    readonly ReleaseCache _cache;
    readonly QueryGate _gate;
    readonly int _most;
    readonly JsonLog _log;
    readonly ConcurrentDictionary<string, JobRun> _runs = [];
    readonly Channel<JobRun> _waiting = Channel.CreateUnbounded<JobRun>();
    readonly CancellationTokenSource _stopping = new();
    readonly Task _worker;
    int _accepted;

    internal JobQueue(
        DataDirectory directory, Engines engines, ReleaseCache cache, QueryGate gate, LimitsOptions limits, JsonLog log)
    {
        (_directory, _engines, _cache, _gate, _most, _log) = (directory, engines, cache, gate, limits.QueuedBuilds + 1, log);
        foreach (JobRow job in directory.Jobs.ListUnfinished()) TakeUp(job);
        _worker = Task.WhenAll(Task.Run(WorkAsync), KeepAsync());
    }

    /// <summary>Jobs that wait or run.</summary>
    internal int Count => _runs.Count;

    /// <summary>Takes a place in the queue; <see cref="Enqueue"/> or <see cref="Leave"/> follows.</summary>
    internal void Join()
    {
        if (_stopping.IsCancellationRequested) throw Refusal.ShuttingDown();
        if (Interlocked.Increment(ref _accepted) <= _most) return;
        Leave();
        throw new Refusal("OVERLOADED", $"{_most - 1} jobs are waiting; retry later.", ("limit", "Limits:QueuedBuilds"));
    }

    internal void Leave() => Interlocked.Decrement(ref _accepted);

    internal void Enqueue(JobRow job)
    {
        var run = new JobRun(job, _directory.Jobs.CountRows(job));
        _runs[job.OperationUid] = run;
        // Refused only while the server stops: the next start takes the job up.
        if (!_waiting.Writer.TryWrite(run)) Remove(run);
    }

    void TakeUp(JobRow job)
    {
        Interlocked.Increment(ref _accepted);
        Enqueue(job);
    }

    /// <summary>Where servers share a ledger: keeps the jobs that are here, takes up those of a server that is gone.</summary>
    Task KeepAsync() => BuildQueue.EveryTurnAsync(
        async () =>
        {
            foreach (JobRow job in await _directory.Jobs.KeepAsync()) TakeUp(job);
        },
        _stopping.Token);

    internal JobRun? Find(string operationUid) => _runs.GetValueOrDefault(operationUid);

    /// <summary>Asks a job to stop; one that nobody runs yet ends at once.</summary>
    internal async Task CancelAsync(JobRun run)
    {
        run.Cancel();
        if (run.Take()) await EndAsync(run, JobState.Cancelled, default, Reasons.Cancelled, "the job was cancelled.");
    }

    /// <summary>Stops the jobs that a predicate picks and waits until they have.</summary>
    internal async Task StopAsync(Predicate<JobRow> isMeant)
    {
        JobRun[] runs = [.. _runs.Values.Where(run => isMeant(run.Job))];
        foreach (JobRun run in runs) await CancelAsync(run);
        await Task.WhenAll(runs.Select(static run => run.Ended));
    }

    async Task WorkAsync()
    {
        await foreach (JobRun run in _waiting.Reader.ReadAllAsync())
        {
            if (!run.Take()) continue;
            try
            {
                if (!_stopping.IsCancellationRequested) await RunAsync(run);
            }
            catch (Exception failure)
            {
                // The ledger does not serve, or a bug: the job stays queued and the next start takes it up.
                _log.Incident(Guid.NewGuid().ToString("N"), "job", failure);
            }
            finally
            {
                Remove(run);
            }
        }
    }

    async Task RunAsync(JobRun run)
    {
        run.IsRunning = true;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(run.Cancelled, _stopping.Token);
        try
        {
            JobCounts counts = await ClassifyAsync(run, either.Token);
            await EndAsync(run, JobState.Succeeded, counts, "", "");
        }
        catch (OperationCanceledException) when (run.Cancelled.IsCancellationRequested)
        {
            await EndAsync(run, JobState.Cancelled, default, Reasons.Cancelled, "the job was cancelled.");
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // What is written stays; the next start goes on behind it.
        }
        catch (Exception failure) when (failure is not StorageException { Reason: Storage.Reasons.LedgerNotServing })
        {
            string incident = Guid.NewGuid().ToString("N");
            Google.Rpc.Status status = Statuses.From(Explain(run.Job, failure), incident);
            if (Statuses.IsBug(status)) _log.Incident(incident, "job", failure);
            await EndAsync(run, JobState.Failed, default, Statuses.Reason(status), status.Message);
        }
    }

    /// <summary>A file of rows that is missing because the dataset was deleted meanwhile is not a damaged one.</summary>
    Exception Explain(JobRow job, Exception failure)
    {
        try
        {
            _directory.Jobs.Query(job);
            return failure;
        }
        catch (StorageException deleted) when (deleted.Reason == Storage.Reasons.DatasetDeleted)
        {
            return deleted;
        }
    }

    async Task<JobCounts> ClassifyAsync(JobRun run, CancellationToken cancellation)
    {
        JobRow job = run.Job;
        ReleaseRow row = _directory.Releases.Get(job.DatasetId, job.ReleaseId);
        if (row.Uid != job.ReleaseUid || row.State != ReleaseState.Ready) throw Refusal.NotFound(job.ReleaseName);
        Release release = _cache.Get(row);
        var tally = new JobTally(_directory.Jobs.Query(job).Definition.Classes, release.Measurement.Classes);
        using PredictionWriter writer = _directory.Jobs.OpenWriter(job);
        foreach (Records rows in JobTally.Blocks(_directory.Jobs.ReadRows(job), release.Measurement.Sketch.Domain.Dimension))
        {
            cancellation.ThrowIfCancellationRequested();
            int count = rows.Values.Length / release.Measurement.Sketch.Domain.Dimension;
            PredictionBlock? block = writer.TryResume(count);
            if (block is null)
            {
                block = await ClassifyAsync(release, rows, count, job, run.Done, cancellation);
                writer.Write(block);
            }
            tally.Add(rows.Labels.Span, block.Classes);
            run.Add(count);
        }
        writer.Finish();
        return tally.Counts;
    }

    async Task<PredictionBlock> ClassifyAsync(
        Release release, Records rows, int count, JobRow job, long before, CancellationToken cancellation)
    {
        var block = new PredictionBlock(new int[count], new double[count]);
        int most = (int)Math.Clamp(SliceWork / release.Measurement.CellCount, 16, count);
        var points = new Points(rows.Values, release.Measurement.Sketch.Domain.Dimension);
        for (int first = 0; first < count; first += most)
        {
            Points slice = points.Slice(first, Math.Min(most, count - first));
            try
            {
                Classification found = await _gate.RunAsync(
                    () => release.Classify(slice, (ClassScore)job.Score, _engines.Queries(cancellation)), cancellation, waits: true);
                found.Labels.CopyTo(block.Classes, first);
                found.Margins.CopyTo(block.Margins, first);
            }
            catch (OutOfDomainException outside)
            {
                long row = before + first + outside.Violation.Row;
                throw new OutOfDomainException(outside.Violation with { Row = (int)Math.Min(row, int.MaxValue) });
            }
        }
        return block;
    }

    async Task EndAsync(JobRun run, JobState state, JobCounts counts, string reason, string message)
    {
        try
        {
            await _directory.Jobs.EndAsync(run.Job, state, counts, reason, message);
        }
        finally
        {
            Remove(run);
        }
    }

    void Remove(JobRun run)
    {
        if (!_runs.TryRemove(run.Job.OperationUid, out _)) return;
        Leave();
        run.End();
    }

    /// <summary>Stops the running job at its next slice; it stays queued.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stopping.CancelAsync();
        await _worker;
        _stopping.Dispose();
    }
}
