namespace PrivateKernels.Server;

/// <summary>The limits of the server; each is published or named in the error that it causes.</summary>
public sealed record LimitsOptions
{
    /// <summary>Largest request message, bytes.</summary>
    public int RequestBytes { get; init; } = 16 << 20;

    /// <summary>Largest ingest frame, bytes.</summary>
    public int BatchBytes { get; init; } = 4 << 20;

    /// <summary>Largest dimension of a dataset.</summary>
    public int Dimension { get; init; } = Domain.LargestDimension;

    /// <summary>Query points in one message.</summary>
    public int QueryPoints { get; init; } = 16384;

    /// <summary>Records in one dataset.</summary>
    public long Records { get; init; } = 1L << 36;

    /// <summary>Random features of one release.</summary>
    public int Features { get; init; } = 131072;

    /// <summary>Cells of one release.</summary>
    public long Cells { get; init; } = 1L << 26;

    /// <summary>Classes of one dataset.</summary>
    public int Classes { get; init; } = 4096;

    /// <summary>Accumulators of one one-pass dataset.</summary>
    public int Accumulators { get; init; } = 16;

    public int Datasets { get; init; } = 10_000;

    /// <summary>Releases of one dataset, deleted ones included.</summary>
    public int Releases { get; init; } = 10_000;

    /// <summary>Unfinished uploads of one dataset.</summary>
    public int Uploads { get; init; } = 8;

    /// <summary>Builds that may wait for their turn, and as many classification jobs.</summary>
    public int QueuedBuilds { get; init; } = 64;

    /// <summary>Bytes of messages that the whole server handles at once.</summary>
    public long BytesInFlight { get; init; } = 1L << 30;

    /// <summary>Calls per second that one key may make over time.</summary>
    public int CallsPerSecond { get; init; } = 200;

    /// <summary>Calls that one key may make at once.</summary>
    public int CallBurst { get; init; } = 400;

    /// <summary>Query points per second that one key may ask for.</summary>
    public int QueryPointsPerSecond { get; init; } = 2_000_000;

    public int Connections { get; init; } = 1000;

    public int StreamsPerConnection { get; init; } = 100;

    /// <summary>Client streams that one caller may hold open.</summary>
    public int StreamsPerKey { get; init; } = 8;

    /// <summary>Client streams in all.</summary>
    public int Streams { get; init; } = 128;

    /// <summary>Deadline of a unary call that sets none.</summary>
    public TimeSpan DefaultDeadline { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest deadline granted to a unary call.</summary>
    public TimeSpan MaxDeadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Size of all request headers, bytes.</summary>
    public int HeaderBytes { get; init; } = 32 << 10;

    /// <summary>Time for a client to send its headers.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>An ingest stream without a frame for so long is closed.</summary>
    public TimeSpan StreamIdle { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A query stream without a frame for so long is closed.</summary>
    public TimeSpan QueryStreamIdle { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Least rate of an ingest stream, bytes per second over the last 30 s that the server waited.</summary>
    public int StreamRate { get; init; } = 16 << 10;

    /// <summary>Longest life of a client stream.</summary>
    public TimeSpan StreamDuration { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Most bytes of one client stream.</summary>
    public long StreamBytes { get; init; } = 1L << 40;

    /// <summary>Time for the first frame of a stream.</summary>
    public TimeSpan FirstFrame { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Time that the write of one response may block.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(30);

    internal void Validate()
    {
        foreach (System.Reflection.PropertyInfo property in typeof(LimitsOptions).GetProperties())
        {
            bool positive = property.GetValue(this) switch
            {
                int n => n > 0,
                long n => n > 0,
                TimeSpan t => t > TimeSpan.Zero,
                _ => true,
            };
            ServerOptions.Require(positive, $"Limits:{property.Name}", property.GetValue(this)!, "must be above 0");
            if (property.GetValue(this) is TimeSpan time) ServerOptions.RequireTimer($"Limits:{property.Name}", time);
        }
        ServerOptions.Require(Dimension <= Domain.LargestDimension, "Limits:Dimension", Dimension,
            $"must be at most {Domain.LargestDimension}");
        ServerOptions.Require(BatchBytes <= RequestBytes, "Limits:BatchBytes", BatchBytes, "must be at most Limits:RequestBytes");
        ServerOptions.Require(
            BytesInFlight >= RequestBytes, "Limits:BytesInFlight", BytesInFlight, "must be at least Limits:RequestBytes");
        ServerOptions.Require(Classes <= 65536, "Limits:Classes", Classes, "must be at most 65536");
        ServerOptions.Require(Records <= 1L << 40, "Limits:Records", Records, "must be at most 2^40");
    }
}
