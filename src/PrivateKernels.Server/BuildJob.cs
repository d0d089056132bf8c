using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>One build on its way through <see cref="BuildQueue"/>.</summary>
sealed class BuildJob(Build build, TimeProvider clock)
{
    /// <summary>Well below a second on any machine, and enough rows for an engine to work at its full speed.</summary>
    const double SliceOperations = 1L << 34;

    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly long _accepted = clock.GetTimestamp();
    int _taken;
    volatile bool _cancelled;

    /// <summary>The current right to build; a restart brings a new one.</summary>
    internal Build Build { get; set; } = build;

    internal string OperationUid { get; } = build.Operation.Uid;

    internal V1.BuildStage Stage { get; set; } = V1.BuildStage.Queued;

    /// <summary>Of the aggregation, in steps of 25: progress must not measure the data.</summary>
    internal uint Percent => Stage switch
    {
        V1.BuildStage.Queued => 0,
        V1.BuildStage.Aggregating => (uint)Math.Clamp((int)(Build.Progress * 4), 0, 4) * 25,
        _ => 100,
    };

    /// <summary>Completes when the operation has ended, or the server stops with the build still reserved.</summary>
    internal Task Ended => _ended.Task;

    internal bool IsCancelled => _cancelled;

    /// <summary>From the first draw of noise on nothing is returned: the reservation ends in a post.</summary>
    internal bool MayHaveNoise { get; private set; }

    internal TimeSpan Age => clock.GetElapsedTime(_accepted);

    /// <summary>True for the first caller: whoever takes a job ends it.</summary>
    internal bool Take() => Interlocked.Exchange(ref _taken, 1) == 0;

    /// <summary>Asks the build to stop; false once it is past the line where nothing is returned.</summary>
    internal bool TryCancel()
    {
        if (Ended.IsCompleted || MayHaveNoise || !Build.TryCancel()) return false;
        return _cancelled = true;
    }

    /// <summary>
    /// The rows of the snapshot, as long as nobody asks to stop; in slices of bounded work, so that asking is soon
    /// heard.
    /// </summary>
    internal IEnumerable<Records> Rows(ISketch sketch, CancellationToken stopping)
    {
        int dimension = sketch.Domain.Dimension;
        int most = (int)Math.Clamp(SliceOperations / sketch.OperationsPerRecord, 1024, int.MaxValue);
        foreach (Records batch in Build.Read())
        {
            int rows = batch.Values.Length / dimension;
            for (int first = 0; first < rows; first += most)
            {
                stopping.ThrowIfCancellationRequested();
                if (_cancelled) throw new OperationCanceledException("the build was cancelled");
                int count = Math.Min(most, rows - first);
                yield return new(
                    batch.Values.Slice(first * dimension, count * dimension),
                    batch.Labels.IsEmpty ? batch.Labels : batch.Labels.Slice(first, count),
                    batch.RowValues.IsEmpty ? batch.RowValues : batch.RowValues.Slice(first, count));
            }
        }
    }

    internal void EnterReleasing()
    {
        Build.EnterReleasing();
        MayHaveNoise = true;
        Stage = V1.BuildStage.Releasing;
    }

    internal void End()
    {
        Stage = V1.BuildStage.Done;
        _ended.TrySetResult();
    }
}
