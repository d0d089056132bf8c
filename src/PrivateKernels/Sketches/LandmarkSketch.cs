using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Landmark (Nystroem) features on PUBLIC points (structures.md, section 9): phi(x) = L^-1 k(x, Z) with LL' = k(Z, Z) +
/// lambda I, psi(y) = phi(y). Exact at the landmarks up to lambda; D landmarks, D cells and a count.
/// </summary>
/// <remarks>
/// Guarantee: after the integer norm clamp the D feature cells of a record have an L2 norm of at most A = 2^20 for
/// every x and every landmark set, hence an L1 norm of at most floor(A sqrt D); the count adds C. Blocks side by side: a
/// change within a block moves the cells by at most twice the norm without count; a change of block by sqrt 2 times the
/// norm with count. Landmarks are public points, never private ones; they and L^-1 are part of the release.
/// </remarks>
public sealed class LandmarkSketch : ISketch
{
    /// <summary>Most landmarks: beyond it the factor costs minutes and a record D^2 operations.</summary>
    public const int MostLandmarks = 4096;

    /// <summary>Under pure epsilon noise grows with the root of D (7.2a).</summary>
    const int MostPureLandmarks = 256;

    /// <summary>Below this |phi(y)|^2 landmarks say too little about a query for a bound to mean anything.</summary>
    const double LeastCover = 0.05;

    readonly LandmarkMap _map;
    readonly Lazy<double> _expectedError;
    readonly double _rounding;

    LandmarkSketch(Domain domain, LandmarkMap map, int countWeight)
    {
        (_map, Domain, CountWeight) = (map, domain, countWeight);
        _expectedError = new(LeftOutError);
        double squares = 0;
        foreach (float entry in map.Triangle) squares += (double)entry * entry;
        // Kernel values and sums are off by a few units of 2^-24, which M magnifies by at most its norm.
        _rounding = Math.Sqrt(squares) / (1 << 22);
    }

    public PairFunction Function => _map.Function;

    public Domain Domain { get; }

    public SketchMethod Method => SketchMethod.Landmark;

    /// <summary>D, the number of landmarks.</summary>
    public int Features => _map.Count;

    public ulong Seed => 0;

    public int CellCount => Features + 1;

    public long LargestCell => Math.Max(1 << 20, CountWeight);

    /// <summary>D distances, D kernel values and a triangular product.</summary>
    public double OperationsPerRecord => Features * (3.0 * Domain.Dimension + 25 + Features);

    public long MapBytes => 2L * RecipeBytes;

    int CountWeight { get; }

    /// <summary>Landmarks that the planner takes from a public set.</summary>
    public static int DefaultCount(Points publicPoints, MechanismKind mechanism) =>
        Math.Min(publicPoints.Count, mechanism == MechanismKind.DiscreteLaplace ? MostPureLandmarks : MostLandmarks);

    /// <summary>
    /// Takes <paramref name="count"/> landmarks from public points, spread evenly over their order: one after the other
    /// by steps of about the golden ratio, so that fewer landmarks are the first ones of more.
    /// </summary>
    /// <exception cref="InvalidFieldException">The landmarks are too close to each other for fp32.</exception>
    /// <exception cref="LimitExceededException">There are not that many.</exception>
    public static LandmarkSketch Create(
        PairFunction function, Domain domain, Points publicPoints, int count, MechanismKind mechanism)
    {
        int most = Math.Min(publicPoints.Count, MostLandmarks);
        if (count < 1 || count > most)
            throw new LimitExceededException(
                "Landmarks", $"features is {count}: it must be between 1 and {most} landmarks here.");
        float[] points = Spread(publicPoints, count);
        if (!Canonical.IsValid(points))
            throw new InvalidFieldException(
                "public_dataset", "set", "its coordinates must be finite and at most 2^40 in size");
        Canonical.Flush(points);
        float[] triangle = LandmarkFactorCache.Shared.InverseTriangle(function, points, domain.Dimension)
            ?? throw new InvalidFieldException("features", count,
                "so many landmarks are nearly equal for this kernel; ask for fewer, or a smaller bandwidth");
        // 20 % of the L2 bound costs 2 % more noise; 5 % of the L1 bound costs 5 % (1.5).
        long weight = mechanism == MechanismKind.DiscreteLaplace ? LargestL1(count) / 20 : (1 << 20) / 5;
        return new(domain, new(function, domain.Dimension, points, triangle), checked((int)weight));
    }

    static float[] Spread(Points publicPoints, int count)
    {
        int n = publicPoints.Count, d = publicPoints.Dimension, step = Math.Max(1, (int)(n * 0.6180339887));
        while (BigInteger.GreatestCommonDivisor(n, step) != 1) step++;
        var points = new float[(long)count * d];
        for (int i = 0; i < count; i++) publicPoints.Row((int)((long)i * step % n)).CopyTo(points.AsSpan(i * d, d));
        return points;
    }

    static long LargestL1(int count) => NormClamp.IntegerSquareRoot((long)count << 40);

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger squared = LandmarkMap.SquaredBound, count = (BigInteger)CountWeight * CountWeight;
        BigInteger l1 = LargestL1(Features) + CountWeight;
        return adjacency == Adjacency.ReplaceOne
            ? new(BigInteger.Max(4 * squared, 2 * (squared + count)), 2 * l1)
            : new(squared + count, l1);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        engine.AddLandmarks(_map, points, cells[..Features]);
        cells[^1] += (long)points.Count * CountWeight;
    }

    /// <summary>
    /// Error bound of an answer, by Cauchy-Schwarz: n sqrt(1 - |phi(y)|^2) plus rounding; NaN where |phi(y)|^2 is below
    /// 0.05: the landmarks do not cover the query.
    /// </summary>
    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int size = Features;
        var features = new float[(long)queries.Count * size];
        engine.LandmarkFeatures(_map, queries, features);
        for (int q = 0; q < queries.Count; q++)
        {
            ReadOnlySpan<float> psi = features.AsSpan(q * size, size);
            double cover = 0;
            foreach (float weight in psi) cover += (double)weight * weight;
            answers.SquaredPsi[q] = cover / ((double)LandmarkMap.Scale * LandmarkMap.Scale);
            double perRecord = cover < LeastCover
                ? double.NaN
                : Math.Sqrt(Math.Max(0, 1 - cover) + _rounding) + _rounding + Math.Sqrt(size) / LandmarkMap.Scale;
            for (int c = 0; c < answers.Columns; c++)
            {
                ReadOnlySpan<double> block = prepared.Slice(c * CellCount, CellCount);
                double value = 0;
                for (int j = 0; j < size; j++) value += psi[j] * block[j];
                answers.Values[q * answers.Columns + c] = value / LandmarkMap.Scale;
                answers.Bound[q * answers.Columns + c] = answers.Records[c] * perRecord;
            }
        }
    }

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)CountWeight, 1.0 / CountWeight);

    public double[] FeatureWeights => FeatureSpace.Equal(CellCount, 1 / ((double)LandmarkMap.Scale * LandmarkMap.Scale), Features);

    /// <summary>
    /// Noise: sqrt(variance of a cell) / A where |phi(y)| = 1, less elsewhere. Approximation: from landmarks left out.
    /// </summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance) =>
        (Math.Sqrt(noiseVariance) / LandmarkMap.Scale, _expectedError.Value);

    /// <summary>
    /// Error per record of a sum over points like the landmarks, at a point like them. Left out of the landmarks, z_i
    /// and z_j keep about K^-1_ij / (K^-1_ii K^-1_jj) of their kernel; the mean over i is the error of a sum at z_j, and
    /// the root of its mean square over j is returned. With a_j = K^-1_jj and u_j = 1 / a_j that mean is
    /// ((K^-1 u)_j - 1) / (a_j (D - 1)).
    /// </summary>
    double LeftOutError()
    {
        int n = Features;
        float[] m = _map.Triangle;
        double[] u = new double[n], a = new double[n], solved = new double[n];
        long at = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++, at++) a[j] += (double)m[at] * m[at];
        for (int j = 0; j < n; j++) u[j] = 1 / a[j];
        at = 0;
        for (int i = 0; i < n; i++, at += i)
        {
            double product = 0;
            for (int j = 0; j <= i; j++) product += m[at + j] * u[j];
            for (int j = 0; j <= i; j++) solved[j] += m[at + j] * product;
        }
        double squares = 0;
        for (int j = 0; j < n; j++) squares += (solved[j] - 1) * (solved[j] - 1) * u[j] * u[j];
        return n == 1 ? 1 : Math.Sqrt(squares / n) / (n - 1);
    }

    public int RecipeBytes => 12 + 4 * (_map.Points.Length + _map.Triangle.Length);

    public void Write(RecipeWriter writer)
    {
        writer.WriteInt32(CountWeight);
        writer.WriteSingles(_map.Points);
        writer.WriteSingles(_map.Triangle);
    }

    internal static LandmarkSketch Read(RecipeReader reader, PairFunction function, Domain domain)
    {
        int countWeight = reader.ReadInt32(), d = domain.Dimension;
        float[] points = reader.ReadSingles(), triangle = reader.ReadSingles();
        long count = points.Length / d;
        bool sound = countWeight > 0 && count is >= 1 and <= MostLandmarks && points.Length == count * d
            && triangle.Length == count * (count + 1) / 2 && function.Entry.Methods.Contains(SketchMethod.Landmark)
            && Canonical.IsValid(points)
            && Array.TrueForAll(points, static x => x == 0 || Math.Abs(x) >= Canonical.Smallest)
            && Array.TrueForAll(triangle, static x => Math.Abs(x) <= LandmarkMap.LargestEntry);
        return sound
            ? new(domain, new(function, d, points, triangle), countWeight)
            : throw new InvalidDataException("the recipe of the landmark sketch is inconsistent");
    }
}
