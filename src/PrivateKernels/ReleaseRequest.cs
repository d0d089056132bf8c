namespace PrivateKernels;

/// <summary>What is asked of a release. Depends on nothing private.</summary>
public sealed record ReleaseRequest
{
    /// <summary>Catalog name.</summary>
    public required string Function { get; init; }

    /// <summary>Length scale in the units of the coordinates; 0 for functions without one.</summary>
    public double Bandwidth { get; init; }

    /// <summary>Shape parameter; 0 = the function's default, or a function without one.</summary>
    public double Exponent { get; init; }

    /// <summary>Structure to use; null = the planner chooses.</summary>
    public SketchMethod? Method { get; init; }

    /// <summary>
    /// Accumulator of a one-pass data set that the release is made of; then only mechanism and strength are asked. For the
    /// wire alone; empty = none.
    /// </summary>
    public string Accumulator { get; init; } = "";

    /// <summary>
    /// Name of the public data set that landmarks come from; empty = none. For the wire alone: the planner takes
    /// <see cref="Landmarks"/>.
    /// </summary>
    public string PublicDataset { get; init; } = "";

    /// <summary>
    /// Public points that landmarks are taken from; null = none. Required by <see cref="SketchMethod.Landmark"/>, refused with
    /// any other method that is named; with no method named the planner then takes landmarks.
    /// </summary>
    public Points? Landmarks { get; init; }

    /// <summary>Frequencies, landmarks, or grid cells per coordinate; 0 = the planner chooses.</summary>
    public int Features { get; init; }

    /// <summary>
    /// Dimension after a random projection, for the methods that have one; 0 = the planner chooses; that of the data = none, for kernels.
    /// </summary>
    public int ProjectedDimension { get; init; }

    /// <summary>Seed of the public randomness; null = drawn when the release is made.</summary>
    public ulong? Seed { get; init; }

    /// <summary>One block of cells for each class of the data set.</summary>
    public bool PerClass { get; init; }

    /// <summary>True: answers are sum_x v_x f(x, y) over the values v of the records; false: sum_x f(x, y).</summary>
    public bool Weighted { get; init; }

    /// <summary>Also hold second moments of the features, for <see cref="ClassScore.LeastSquares"/>.</summary>
    public bool ClassLeastSquares { get; init; }

    /// <summary>Null = rounded normal for a Gaussian account, discrete Laplace for a pure one.</summary>
    public MechanismKind? Mechanism { get; init; }

    /// <summary>Privacy asked as (epsilon, delta); this or <see cref="Mu"/>.</summary>
    public PrivacyLoss? Loss { get; init; }

    /// <summary>Privacy asked as Gaussian-DP mu.</summary>
    public double? Mu { get; init; }
}

/// <summary>What the planner aims at where a request leaves it the choice; 0 sets no limit.</summary>
/// <param name="TargetStd">Wanted standard deviation of an answer, noise and approximation together, in units of f.</param>
/// <param name="MaxOperationsPerRecord">Most arithmetic per record of the build.</param>
/// <param name="MaxFileBytes">Largest release file.</param>
public sealed record PlannerGoal(double TargetStd = 0, double MaxOperationsPerRecord = 0, long MaxFileBytes = 0);

/// <summary>Bounds that no release may pass.</summary>
public sealed record PlannerLimits(int Features = 131072, long Cells = 1L << 26);

/// <summary>Predicted accuracy of a release, from public parameters only.</summary>
/// <param name="NoiseStd">Standard deviation of the noise in one answer, the worst over the domain, in units of f.</param>
/// <param name="ApproximationStdPerRecord">Of the approximation, per record; an answer's is about this times the records.</param>
/// <param name="Cells">Integer cells in the release.</param>
/// <param name="FileBytes">Bytes of the release file.</param>
/// <param name="TotalStdAtMaxRecords">Both parts at the declared bound on the records; 0 if none is declared.</param>
public sealed record AccuracyEstimate(
    double NoiseStd, double ApproximationStdPerRecord, long Cells, long FileBytes, double TotalStdAtMaxRecords);

/// <summary>A request with every choice made, its price and what it would answer.</summary>
/// <param name="Request">Complete: can be asked for as it is. The seed is null if it is yet to be drawn.</param>
/// <param name="Measurement">What would be invoked.</param>
/// <param name="Cost">Price in the account's unit.</param>
/// <param name="Accuracy">Predicted accuracy.</param>
/// <param name="Reason">Why this method and size, and what limits the accuracy.</param>
public sealed record ReleasePlan(
    ReleaseRequest Request, Measurement Measurement, PrivacyCost Cost, AccuracyEstimate Accuracy, string Reason);

/// <summary>A public parameter passes a limit of the server or of the arithmetic.</summary>
public sealed class LimitExceededException(string limit, string text) : InvalidOperationException(text)
{
    /// <summary>Name of the limit.</summary>
    public string Limit { get; } = limit;
}
