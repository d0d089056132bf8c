using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// The kernels of Backurs et al. (ICLR 2024) by that paper's structure, for comparison: a Gaussian projection G to k dimensions
/// (kernels of |z|_2), then m plain random Fourier features for each term of <see cref="PaperKernel"/>, with Laplace noise
/// (structures.md 7.3). Method Paper splits the budget evenly between the terms; PaperPlus weighs the features of term j with
/// sqrt(c_j) in place of a split. Cells: cosines, sines, a count.
/// </summary>
/// <remarks>
/// Guarantee: a record adds to each pair an integer vector of the disc of radius A = 2^20 (see <see cref="FourierSketch"/>)
/// times the integer weight a_j of the pair's term, and a fixed integer to the count, for every x. So |phi|_1 is at most
/// m floor(sqrt 2 A) sum_j a_j plus the count, and |phi|_2^2 at most A^2 m sum_j a_j^2 plus its square; replacing a record, in
/// its block or across blocks, moves the cells by at most twice both. One Laplace scale serves all cells: with equal weights
/// each term gets an equal share of epsilon.
/// Frequencies form groups with a projection each, so that the release shows its own error. Everything is drawn from the seed by
/// operations that are exact on every platform.
/// </remarks>
public sealed class PaperFeatureSketch : ISketch
{
    /// <summary>Weights of terms are whole numbers; sqrt(c_j) is taken in units of 1/64.</summary>
    const int PlusUnit = 64;

    /// <summary>The projection of the paper's experiments: |G z|^2 has a relative standard deviation of sqrt(2 / 200) = 10 %.</summary>
    const int DefaultProjected = 200;

    const int MostPlanned = 16384, LeastPlanned = 64;

    /// <summary>Part of the L1 norm that counts records: it sizes the error bar, so two percent are enough.</summary>
    const int CountShare = 50;

    /// <summary>Groups of the projected and of the plain map.</summary>
    const int FewGroups = 4, ManyGroups = 16;

    readonly PaperKernel _kernel;
    readonly int[] _weights;
    readonly Lazy<FourierMap> _map;

    PaperFeatureSketch(PairFunction function, Domain domain, SketchMethod method, int features, int projected, ulong seed)
    {
        (Function, Domain, Method, Features, Projected, Seed) = (function, domain, method, features, projected, seed);
        _kernel = PaperKernel.Of(function)!;
        _weights = [.. _kernel.Coefficients.Select(c => method == SketchMethod.Paper
            ? 1 : Math.Max(1, (int)Math.Round(PlusUnit * Math.Sqrt(c))))];
        CountWeight = WeightSum * FeaturesPerTerm * FourierSketch.PairL1 / CountShare;
        _map = new(() => PaperFrequencies.Draw(_kernel, domain.Dimension, projected, features, Groups, seed));
    }

    public PairFunction Function { get; }

    public Domain Domain { get; }

    public SketchMethod Method { get; }

    /// <summary>Pairs of all terms together.</summary>
    public int Features { get; }

    /// <summary>k, dimensions after the projection; d where there is none.</summary>
    public int Projected { get; }

    public ulong Seed { get; }

    public int CellCount => 2 * Features + 1;

    public long LargestCell => Math.Max((long)_weights.Max() << 20, CountWeight);

    public double OperationsPerRecord => (double)Features * (25 + 2 * Domain.Dimension);

    public long MapBytes => 8L * Features * Domain.Dimension;

    int Groups => GroupsOf(Domain, Projected);

    /// <summary>What a record adds to the count.</summary>
    long CountWeight { get; }

    int Terms => _weights.Length;

    int FeaturesPerTerm => Features / Terms;

    long WeightSum => _weights.Sum(static w => (long)w);

    /// <summary>
    /// A sketch of at least <paramref name="features"/> pairs in all, each term as many; 0 = those that balance noise and
    /// approximation for records of the public bound, m = n eps sqrt(v sum c_j^2 / 8) / L, L the noise over 2 sqrt(m) / eps.
    /// </summary>
    /// <param name="function">A kernel that <see cref="PaperKernel"/> knows.</param>
    /// <param name="domain">Its dimension is d.</param>
    /// <param name="method">Paper or PaperPlus.</param>
    /// <param name="features">Pairs; or 0.</param>
    /// <param name="projected">k, at most d; d = no projection; 0 = at most 200 for kernels of |z|_2, none for others.</param>
    /// <param name="seed">Public seed.</param>
    /// <param name="records">Public bound on the records.</param>
    /// <param name="epsilon">Pure epsilon of the release, at the level of a record.</param>
    public static PaperFeatureSketch Create(
        PairFunction function, Domain domain, SketchMethod method, int features, int projected, ulong seed, double records, double epsilon)
    {
        const string field = "projected_dimension";
        int d = domain.Dimension;
        if (projected > d) throw new InvalidFieldException(field, projected, $"must be at most {d}, the dimension of the data");
        if (projected != 0 && projected != d && function is ICauchySpectrum)
            throw new InvalidFieldException(field, projected, $"must be 0 for {function.Entry.Name}: no projection keeps |z|_1");
        if (projected == 0) projected = function is ICauchySpectrum ? d : Math.Min(d, DefaultProjected);
        if (features == 0)
        {
            var one = new PaperFeatureSketch(function, domain, method, PaperKernel.Of(function)!.Coefficients.Length, projected, seed);
            double best = records * epsilon * Math.Sqrt(FourierSketch.DenseVariance / 8) * Norm(one._kernel.Coefficients) / one.NoiseFactor;
            features = (int)Math.Clamp(best * one.Terms, LeastPlanned, MostPlanned);
        }
        int step = PaperKernel.Of(function)!.Coefficients.Length * GroupsOf(domain, projected);
        int rounded = (int)Math.Min(int.MaxValue, ((long)features + step - 1) / step * step);
        int most = FourierShape.MostDense(d);
        return rounded <= most
            ? new(function, domain, method, rounded, projected, seed)
            : throw new InvalidFieldException("features", features, $"must be at most {most} dense rows of dimension {d}");
    }

    static int GroupsOf(Domain domain, int projected) => projected < domain.Dimension ? FewGroups : ManyGroups;

    public Sensitivity Sensitivity(Adjacency adjacency)
    {
        BigInteger m = FeaturesPerTerm, squared = 0;
        foreach (int weight in _weights) squared += m * weight * weight << 40;
        return PrivateKernels.Sensitivity.FromNorms(
            squared + (BigInteger)CountWeight * CountWeight, m * WeightSum * FourierSketch.PairL1 + CountWeight, adjacency);
    }

    public void Add(IEngine engine, Points points, Span<long> cells)
    {
        engine.AddFourier(_map.Value, points, cells[..^1]);
        cells[^1] += points.Count * CountWeight;
    }

    public void Complete(Span<long> block)
    {
        for (int i = 0; i < block.Length - 1; i++) block[i] *= _weights[Term(i)];
    }

    /// <summary>Per column: the cells of the features, each with what psi makes of its term.</summary>
    public double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        int pairs = 2 * Features;
        var prepared = new double[columns * pairs];
        for (int c = 0; c < columns; c++)
            for (int i = 0; i < pairs; i++)
                prepared[c * pairs + i] =
                    cells[c * CellCount + i] * (_kernel.Coefficients[Term(i)] * Terms / _weights[Term(i)]);
        return prepared;
    }

    public void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers)
    {
        int groups = Groups, columns = answers.Columns;
        var sums = new double[(long)queries.Count * columns * groups];
        engine.ProjectFourier(_map.Value, queries, prepared, columns, sums);
        double unit = 1 / (Features * FourierSketch.PairScale * FourierSketch.PairScale);
        for (int i = 0; i < queries.Count * columns; i++)
        {
            double bias = Bias * answers.Records[i % columns];
            answers.SetFromGroups(i, sums.AsSpan(i * groups, groups), unit);
            answers.Variance[i] += bias * bias;
        }
        Array.Fill(answers.SquaredPsi, SquaredPsi);
        answers.DegreesOfFreedom = groups - 1;
    }

    /// <summary>sum_j (c_j / a_j)^2 / (m A^2), the same at every query.</summary>
    double SquaredPsi
    {
        get
        {
            double norm = Norm([.. _kernel.Coefficients.Zip(_weights, static (c, a) => c / a)]) / FourierSketch.PairScale;
            return norm * norm / FeaturesPerTerm;
        }
    }

    /// <summary>
    /// What no group shows, per record: the error of the sum of exponentials, and that a projected kernel is on average
    /// another one, (1 + 2s/k)^(-k/2) in place of e^-s, s = |z|^2 / h^2: at most 4 e^-2 / k more; for e^-s, s = |z| / h, e^-s
    /// (s + s^2) / 4k, at most 0.21 / k.
    /// </summary>
    double Bias => _kernel.Error
        + (Projected == Domain.Dimension ? 0 : (_kernel.Law == PaperLaw.Gaussian ? 0.55 : 0.22) / Projected);

    /// <summary>Noise of an answer over 2 sqrt(m) / eps.</summary>
    double NoiseFactor =>
        WeightSum * Norm([.. _kernel.Coefficients.Zip(_weights, static (c, a) => c / a)]) * (1 + 1.0 / CountShare);

    static double Norm(double[] values) => Math.Sqrt(values.Sum(static v => v * v));

    /// <summary>Frequencies of a group are ordered by term; cosines and sines alike.</summary>
    int Term(int cell) => (int)((long)(cell % Features % (Features / Groups)) * Groups / FeaturesPerTerm);

    public CountReading? Count(ReadOnlySpan<long> block) => new(block[^1] / (double)CountWeight, 1.0 / CountWeight);

    /// <summary>Of the features sqrt(c_j / m) (cos, sin) of all terms.</summary>
    public double[] FeatureWeights
    {
        get
        {
            var weights = new double[CellCount];
            double unit = 1 / (FeaturesPerTerm * FourierSketch.PairScale * FourierSketch.PairScale);
            for (int i = 0; i < 2 * Features; i++)
                weights[i] = _kernel.Coefficients[Term(i)] * unit / ((double)_weights[Term(i)] * _weights[Term(i)]);
            return weights;
        }
    }

    /// <summary>
    /// Approximation: iid features, sqrt(v sum c_j^2 / 2m); the projection, whose relative error of |z|^2 is sqrt(2 / k) and of
    /// f at most 1/e (|z|^2) or 1/2e (|z|) of that; the bias.
    /// </summary>
    public (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance)
    {
        double features = Norm(_kernel.Coefficients) * Math.Sqrt(FourierSketch.DenseVariance / (2 * FeaturesPerTerm));
        double projection = Projected == Domain.Dimension ? 0
            : Math.Sqrt(2.0 / (Projected * Groups)) / (Math.E * (_kernel.Law == PaperLaw.Gaussian ? 1 : 2));
        return (Math.Sqrt(noiseVariance * SquaredPsi), double.Hypot(double.Hypot(features, projection), Bias));
    }

    public int RecipeBytes => 16;

    public void Write(RecipeWriter writer)
    {
        writer.WriteInt32(Features);
        writer.WriteInt32(Projected);
        writer.WriteInt64((long)Seed);
    }

    internal static PaperFeatureSketch Read(RecipeReader reader, PairFunction function, Domain domain, SketchMethod method)
    {
        int features = reader.ReadInt32(), projected = reader.ReadInt32();
        ulong seed = (ulong)reader.ReadInt64();
        bool sound = function.Methods.Contains(method) && PaperKernel.Of(function) is { } kernel
            && projected >= 1 && (projected == domain.Dimension || (projected < domain.Dimension && function is not ICauchySpectrum))
            && features > 0 && features <= FourierShape.MostDense(domain.Dimension)
            && features % (kernel.Coefficients.Length * GroupsOf(domain, projected)) == 0;
        return sound
            ? new(function, domain, method, features, projected, seed)
            : throw new InvalidDataException("the recipe of the paper's features is inconsistent");
    }
}
