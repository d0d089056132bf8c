using System.Collections.Concurrent;
using System.Threading.Channels;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Runs reserved builds: sum on an engine, noise, save, post. A build does not depend on the call that asked for it;
/// what the server's end interrupts stays reserved and goes on at the next start.
/// </summary>
sealed class BuildQueue : IAsyncDisposable
{
    /// <summary>Tries after noise was drawn: from there on only a post ends a reservation.</summary>
    const int MostRestarts = 3;

    /// <summary>A third of a lease.</summary>
    static readonly TimeSpan KeepInterval = TimeSpan.FromSeconds(10);

    readonly DataDirectory _directory;
    readonly Engines _engines;
    readonly ReleaseCache _cache;
    readonly ServerOptions _options;
    readonly JsonLog _log;
    readonly ConcurrentDictionary<string, BuildJob> _jobs = [];
    readonly Channel<BuildJob> _waiting = Channel.CreateUnbounded<BuildJob>();
    readonly CancellationTokenSource _stopping = new();
    readonly Task[] _workers;
    readonly Task _keeper;
    int _accepted;

    internal BuildQueue(DataDirectory directory, Engines engines, ReleaseCache cache, ServerOptions options, JsonLog log)
    {
        (_directory, _engines, _cache, _options, _log) = (directory, engines, cache, options, log);
        foreach (Build build in directory.TakeInterruptedBuilds()) TakeUp(build);
        _keeper = Task.Run(KeepAsync);
        _workers = [.. Enumerable.Range(0, options.Build.Concurrency).Select(_ => Task.Run(WorkAsync))];
    }

    /// <summary>Builds that wait or run.</summary>
    internal int Count => _jobs.Count;

    /// <summary>
    /// Takes a place in the queue before anything is charged; <see cref="Enqueue"/> or <see cref="Leave"/> follows.
    /// </summary>
    internal void Join()
    {
        if (_stopping.IsCancellationRequested) throw Refusal.ShuttingDown();
        if (Interlocked.Increment(ref _accepted) <= _options.Limits.QueuedBuilds + _options.Build.Concurrency) return;
        Leave();
        throw new Refusal("OVERLOADED", $"{_options.Limits.QueuedBuilds} builds are waiting; retry later.",
            ("limit", "Limits:QueuedBuilds"));
    }

    internal void Leave() => Interlocked.Decrement(ref _accepted);

    internal void Enqueue(Build build)
    {
        var job = new BuildJob(build, TimeProvider.System);
        _jobs[job.OperationUid] = job;
        // Refused only while the server stops: the reservation is durable and the next start takes it up.
        if (!_waiting.Writer.TryWrite(job)) End(job);
    }

    internal BuildJob? Find(string operationUid) => _jobs.GetValueOrDefault(operationUid);

    /// <summary>Asks a build to stop and, if no worker has it yet, returns its hold at once.</summary>
    internal async Task CancelAsync(BuildJob job)
    {
        if (job.TryCancel() && job.Take()) await EndByVoidAsync(job, Reasons.Cancelled, "the build was cancelled.");
    }

    /// <summary>
    /// Ends every build of a dataset: by returning its hold where that is legal, else by waiting for it.
    /// </summary>
    internal async Task StopAsync(string datasetId, CancellationToken cancellation)
    {
        BuildJob[] jobs = [.. _jobs.Values.Where(job => job.Build.Release.DatasetId == datasetId)];
        foreach (BuildJob job in jobs) await CancelAsync(job);
        await Task.WhenAll(jobs.Select(static job => job.Ended)).WaitAsync(cancellation);
    }

    void TakeUp(Build build)
    {
        Interlocked.Increment(ref _accepted);
        Enqueue(build);
    }

    /// <summary>Where servers share a ledger: keeps the builds that are here, takes up those of a server that is gone.</summary>
    Task KeepAsync() => EveryTurnAsync(
        async () =>
        {
            foreach (Build build in await _directory.KeepBuildsAsync()) TakeUp(build);
        },
        _stopping.Token);

    /// <summary>Does something several times within a lease, until the server stops.</summary>
    internal static async Task EveryTurnAsync(Func<Task> keep, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(KeepInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
                try
                {
                    await keep();
                }
                catch (StorageException)
                {
                    // Busy, or stopping: the next turn will do, well within a lease.
                }
        }
        catch (OperationCanceledException)
        {
        }
    }

    async Task WorkAsync()
    {
        await foreach (BuildJob job in _waiting.Reader.ReadAllAsync())
        {
            if (!job.Take()) continue;
            try
            {
                if (!_stopping.IsCancellationRequested) await RunAsync(job);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                // Saved but not posted yet: the next start posts that very file.
            }
            catch (Exception failure)
            {
                // The reservation is durable: whatever happened, the next start takes it up.
                _log.Incident(Guid.NewGuid().ToString("N"), "build", failure);
            }
            finally
            {
                End(job);
            }
        }
    }

    async Task RunAsync(BuildJob job)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                Release? release = await SumAsync(job);
                if (release is null) return;
                await PublishAsync(job, release);
                return;
            }
            catch (Exception failure) when (
                job.MayHaveNoise && attempt < MostRestarts && failure is not OperationCanceledException
                    and not StorageException { Reason: Storage.Reasons.LedgerNotServing })
            {
                _log.Incident(Guid.NewGuid().ToString("N"), "build after noise", failure);
                job.Build = await _directory.Ledger.RestartAsync(job.Build);
            }
        }
    }

    /// <summary>The release, or null if the build ended without one (cancelled, failed, or the server stops).</summary>
    async Task<Release?> SumAsync(BuildJob job)
    {
        string engine = "";
        foreach (IEngine next in _engines.All)
        {
            engine = next.Device;
            job.Stage = V1.BuildStage.Aggregating;
            try
            {
                StoredBuild stored = StoredBuild.Read(job.Build.Release.Spec);
                Measurement measurement = stored.Measurement(_directory, job.Build.Dataset.Definition, job.Build.Release.Cost.Unit);
                // A public dataset that was replaced gives other landmarks: give up while the hold can still be returned.
                if (!job.Build.Receipt.Fingerprint.Span.SequenceEqual(measurement.Fingerprint.Span))
                    throw new InvalidOperationException("the measurement is not the one that was reserved");
                return await Task.Run(() => stored.Accumulator.Length > 0
                    ? measurement.Invoke(
                        job.Build.Receipt, job.Build.ReadCells(stored.Accumulator, measurement), job.EnterReleasing)
                    : measurement.Invoke(
                        job.Build.Receipt, job.Rows(measurement.Sketch, _stopping.Token), next, job.EnterReleasing));
            }
            catch (OperationCanceledException) when (job.IsCancelled)
            {
                await EndByVoidAsync(job, Reasons.Cancelled, "the build was cancelled.");
                return null;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return null;
            }
            catch (StorageException failure) when (!job.MayHaveNoise
                && failure.Reason is Storage.Reasons.FileCorrupt or Storage.Reasons.EncryptionKeyWrong)
            {
                await EndByVoidAsync(job, failure.Reason, failure.Message);
                return null;
            }
            catch (Exception failure) when (!job.MayHaveNoise)
            {
                _log.Incident(Guid.NewGuid().ToString("N"), $"build on {engine}", failure);
            }
        }
        await EndByVoidAsync(job, "ENGINE_FAILED", $"the build failed on every engine, at last on {engine}; the hold was returned.");
        return null;
    }

    async Task PublishAsync(BuildJob job, Release release)
    {
        SavedRelease saved = await Task.Run(
            () => _directory.Releases.Save(job.Build, ReleaseFile.Write(release)));
        TimeSpan quantum = _options.Build.CompletionQuantum;
        if (quantum > TimeSpan.Zero)
            await Task.Delay(quantum - TimeSpan.FromTicks(job.Age.Ticks % quantum.Ticks), _stopping.Token);
        ReleaseRow row = await _directory.Ledger.PostAsync(job.Build, saved);
        _cache.Add(row, release);
    }

    async Task EndByVoidAsync(BuildJob job, string reason, string message)
    {
        try
        {
            await _directory.Ledger.VoidAsync(job.Build, reason, message);
        }
        finally
        {
            End(job);
        }
    }

    void End(BuildJob job)
    {
        if (!_jobs.TryRemove(job.OperationUid, out _)) return;
        Leave();
        job.End();
    }

    /// <summary>Stops running builds at their next batch; they stay reserved.</summary>
    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stopping.CancelAsync();
        await Task.WhenAll([.. _workers, _keeper]);
        _stopping.Dispose();
    }
}
