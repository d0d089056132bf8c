namespace PrivateKernels;

/// <summary>Answers in the order of the query points; the lists have equal length.</summary>
/// <param name="Values">sum_x f(x, y) with noise, in units of f. Never clamped: may be negative.</param>
/// <param name="NoiseStd">Standard deviation of the privacy noise in each value. Exact.</param>
/// <param name="ApproximationStd">
/// Standard deviation of the sketch's approximation in each value, estimated from the release's own groups of features;
/// without degrees of freedom: the discretisation error, bounded, or for grids and trees what evenly spread records would err.
/// </param>
/// <param name="HalfWidth95">
/// Half-width of the 95 % interval, noise and approximation together: Student's t over the spread of the groups, never below
/// 1.96 NoiseStd (2.12 with Laplace noise); without degrees of freedom that + ApproximationStd.
/// </param>
/// <param name="DegreesOfFreedom">Of ApproximationStd; 0 if it is a bound.</param>
public sealed record Answers(
    double[] Values, double[] NoiseStd, double[] ApproximationStd, double[] HalfWidth95, int DegreesOfFreedom);

/// <summary>Answers for one class of a per-class release.</summary>
/// <param name="ClassIndex">Index in the release's classes.</param>
/// <param name="Count">Noisy number of records of the class; may be negative.</param>
/// <param name="CountNoiseStd">Standard deviation of the noise in it. Exact.</param>
/// <param name="Answers">Sums over the records of the class.</param>
public sealed record ClassAnswers(int ClassIndex, double Count, double CountNoiseStd, Answers Answers);
