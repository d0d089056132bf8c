namespace PrivateKernels.Server;

/// <summary>Lets so much through per second, and <paramref name="burst"/> at once.</summary>
sealed class RateBucket(double perSecond, double burst, TimeProvider clock)
{
    readonly double _burst = burst;
    readonly Lock _lock = new();
    double _left = burst;
    long _filled = clock.GetTimestamp();

    /// <summary>Takes an amount if it is there. More than a burst is taken from a full bucket, and owed afterwards.</summary>
    internal bool TryTake(double amount)
    {
        lock (_lock)
        {
            long now = clock.GetTimestamp();
            _left = Math.Min(_burst, _left + clock.GetElapsedTime(_filled, now).TotalSeconds * perSecond);
            _filled = now;
            if (_left < Math.Min(amount, _burst)) return false;
            _left -= amount;
            return true;
        }
    }
}
