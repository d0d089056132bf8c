namespace PrivateKernels.Client;

/// <summary>How a client calls.</summary>
public sealed record ClientOptions
{
    /// <summary>Deadline of one attempt of a call that is neither a stream nor a query.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Deadline of one attempt of a query or classification message.</summary>
    public TimeSpan QueryTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most attempts of a call that may succeed a little later; each repeats the same request id.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Query messages under way at once.</summary>
    public int ParallelQueries { get; init; } = 2;

    /// <summary>Bytes of vectors in one message; less where the server's limits say so.</summary>
    public int MessageBytes { get; init; } = 1 << 20;
}
