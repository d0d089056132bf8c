namespace PrivateKernels.Tests;

/// <summary>The clock of the machine, put forward by as much as a test says.</summary>
sealed class LaterClock : TimeProvider
{
    internal TimeSpan Later { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Later;

    public override long GetTimestamp() => base.GetTimestamp() + (long)(Later.TotalSeconds * TimestampFrequency);
}
