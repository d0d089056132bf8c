namespace PrivateKernels.Client;

/// <summary>What is declared about a dataset before any row; all of it is public and immutable.</summary>
public sealed record DatasetOptions
{
    /// <summary>Dimension and public bounds.</summary>
    public required Domain Domain { get; init; }

    /// <summary>
    /// Limit of the account; null for a public dataset, or to join the account of <see cref="Population"/>.
    /// </summary>
    public PrivacyLoss? Budget { get; init; }

    /// <summary>Whether rows are public: query points and test sets, without an account.</summary>
    public bool IsPublic { get; init; }

    /// <summary>Whether it takes release files from elsewhere and no rows; without an account.</summary>
    public bool IsImported { get; init; }

    public Adjacency Adjacency { get; init; } = Adjacency.AddOrRemoveOne;

    /// <summary>
    /// Most records that one person (unit) may own here; multiplies the sensitivity. Declared, not verified.
    /// </summary>
    public int MaxRecordsPerUnit { get; init; } = 1;

    /// <summary>Public bound on the number of records; 0 = the server's limit.</summary>
    public long MaxRecords { get; init; }

    /// <summary>Move vectors outside the domain onto it instead of refusing them; replace-one demands it.</summary>
    public bool Clamp { get; init; }

    /// <summary>Names of the classes that labels index; empty for data without labels.</summary>
    public IReadOnlyList<string> Classes { get; init; } = [];

    /// <summary>
    /// Public bound V on the size of the values that rows carry for weighted sums; 0 = rows carry none.
    /// </summary>
    public double MaxAbsValue { get; init; }

    /// <summary>
    /// One pass: rows go into these sketches as they arrive and are never stored; empty = rows are stored. A strength in
    /// them is ignored: each release has its own, and names its accumulator (<see cref="ReleaseRequest.Accumulator"/>).
    /// </summary>
    public IReadOnlyDictionary<string, ReleaseRequest> Accumulators { get; init; } = new Dictionary<string, ReleaseRequest>();

    /// <summary>
    /// Account key: datasets about the same people must name the same one. Empty = the dataset's own id.
    /// </summary>
    public string Population { get; init; } = "";

    public string DisplayName { get; init; } = "";

    public string Description { get; init; } = "";
}
