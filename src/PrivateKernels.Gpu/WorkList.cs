namespace PrivateKernels.Gpu;

/// <summary>Consecutive points of a job.</summary>
readonly record struct PointRange(int First, int Count);

/// <summary>The points of a job that nobody has done yet; devices take from it until it is empty.</summary>
sealed class WorkList(int points)
{
    readonly Lock _lock = new();
    readonly Stack<PointRange> _returned = new();
    int _next;

    /// <summary>Takes up to <paramref name="most"/> points.</summary>
    public bool TryTake(int most, out PointRange range)
    {
        lock (_lock)
        {
            if (_returned.TryPop(out PointRange whole))
            {
                range = new(whole.First, Math.Min(most, whole.Count));
                int left = whole.Count - range.Count;
                if (left > 0) _returned.Push(new(whole.First + range.Count, left));
                return true;
            }
            range = new(_next, Math.Min(most, points - _next));
            _next += range.Count;
            return range.Count > 0;
        }
    }

    /// <summary>Puts back what was taken and not done.</summary>
    public void Return(IEnumerable<PointRange> ranges)
    {
        lock (_lock)
            foreach (PointRange range in ranges) _returned.Push(range);
    }
}
