using System.Numerics;

namespace PrivateKernels;

/// <summary>Draws the public frequencies of a Fourier sketch from their seed (structures.md 2.1 and 2.2).</summary>
/// <remarks>
/// Radii are stratified within a group and never across groups, so that the spread between groups is an unbiased estimate
/// of the variance of their mean. Radii pass through library functions whose last bit differs between platforms, so a
/// release stores them by value; all else here is portable and drawn again from the seed.
/// </remarks>
static class Frequencies
{
    const float SmallestRadius = 1f / (1L << 60), LargestRadius = Canonical.Largest;

    /// <summary>Radius of each frequency in turns: |w| / (2 pi), with P^(-3/2) included for structured maps.</summary>
    public static float[] DrawRadii(PairFunction function, FourierShape shape, ulong seed)
    {
        var radii = new float[shape.Frequencies];
        int perGroup = shape.Frequencies / shape.Groups;
        for (int group = 0; group < shape.Groups; group++)
        {
            var random = new PublicRandom(seed, (ulong)group << 32 | 1);
            double[] u = random.NextStratified(perGroup), v = random.NextStratified(perGroup), chi = random.NextStratified(perGroup);
            for (int j = 0; j < perGroup; j++)
                radii[group * perGroup + j] = Bounded(Radius(function, shape, u[j], v[j], chi[j]));
        }
        return radii;
    }

    /// <summary>The map with these radii.</summary>
    public static FourierMap Draw(PairFunction function, FourierShape shape, ulong seed, float[] radii) =>
        shape.Padded > 0
            ? FourierMap.Structured(shape.Dimension, shape.Padded, DrawFlips(shape, seed), radii, shape.Groups)
            : FourierMap.Dense(shape.Dimension, DrawRows(function is ICauchySpectrum, shape, seed, radii), shape.Groups);

    /// <summary>
    /// Rows of one length in random directions, orthogonal within blocks: for sketches that need w_j . x itself. Everything
    /// is exact on every platform, so nothing has to be stored but the seed.
    /// </summary>
    public static FourierMap DrawDirections(FourierShape shape, ulong seed, double length)
    {
        // A structured row of radius g has length g P^(3/2).
        var radii = new float[shape.Frequencies];
        Array.Fill(radii, (float)(shape.Padded > 0 ? length / (shape.Padded * Math.Sqrt(shape.Padded)) : length));
        return shape.Padded > 0
            ? FourierMap.Structured(shape.Dimension, shape.Padded, DrawFlips(shape, seed), radii, shape.Groups)
            : FourierMap.Dense(shape.Dimension, DrawRows(false, shape, seed, radii), shape.Groups);
    }

    static double Radius(PairFunction function, FourierShape shape, double u, double v, double chi)
    {
        double turns = 1 / (2 * Math.PI * function.Bandwidth);
        if (function is ICauchySpectrum cauchy) return cauchy.MixingScale(u) * turns;
        int p = shape.Padded > 0 ? shape.Padded : shape.Dimension;
        double length = ((IRadialSpectrum)function).MixingScale(u, v) * Math.Sqrt(2 * GammaQuantile.Of(p / 2.0, chi));
        return shape.Padded > 0 ? length * turns * Math.Pow(p, -1.5) : length * turns;
    }

    static float Bounded(double radius) => radius < SmallestRadius ? 0f : (float)Math.Min(radius, LargestRadius);

    static uint[] DrawFlips(FourierShape shape, ulong seed)
    {
        int blocks = shape.Frequencies / shape.Padded;
        var flips = new uint[blocks * 3 * shape.Padded];
        for (int block = 0; block < blocks; block++)
        {
            var random = new PublicRandom(seed, (ulong)block << 32 | 2);
            Span<uint> target = flips.AsSpan(block * 3 * shape.Padded, 3 * shape.Padded);
            ulong bits = 0;
            for (int i = 0; i < target.Length; i++)
            {
                if (i % 64 == 0) bits = random.NextBits();
                target[i] = (uint)(bits >> (i % 64) & 1) << 31;
            }
        }
        return flips;
    }

    static float[] DrawRows(bool cauchy, FourierShape shape, ulong seed, float[] radii)
    {
        int d = shape.Dimension, perGroup = shape.Frequencies / shape.Groups;
        var rows = new float[shape.Frequencies * d];
        for (int group = 0; group < shape.Groups; group++)
        {
            var random = new PublicRandom(seed, (ulong)group << 32 | 2);
            double[] directions = cauchy ? DrawCauchy(random, perGroup * d) : DrawOrthogonal(random, perGroup, d);
            for (int i = 0; i < directions.Length; i++)
            {
                int at = group * perGroup * d + i;
                double w = radii[at / d] * directions[i];
                rows[at] = Math.Abs(w) < Canonical.Smallest ? 0f : (float)Math.Clamp(w, -Canonical.Largest, Canonical.Largest);
            }
        }
        return rows;
    }

    static double[] DrawCauchy(PublicRandom random, int count)
    {
        var values = new double[count];
        for (int i = 0; i < count; i++) values[i] = PortableMath.TanPi(random.NextUnit() - 0.5);
        return values;
    }

    /// <summary>Unit rows, orthogonal within blocks of d: Haar measure, by Gram-Schmidt on Gaussian rows.</summary>
    static double[] DrawOrthogonal(PublicRandom random, int rows, int d)
    {
        var q = new double[rows * d];
        for (int row = 0; row < rows; row++)
        {
            Span<double> current = q.AsSpan(row * d, d);
            for (int k = 0; k < d; k++) current[k] = random.NextNormal();
            // Twice is enough: the second pass removes what rounding left of the first.
            for (int pass = 0; pass < 2; pass++)
                for (int before = row / d * d; before < row; before++)
                {
                    ReadOnlySpan<double> other = q.AsSpan(before * d, d);
                    double overlap = DotProduct.Of(current, other);
                    for (int k = 0; k < d; k++) current[k] -= overlap * other[k];
                }
            double length = Math.Sqrt(DotProduct.Of(current, current));
            for (int k = 0; k < d; k++) current[k] /= length;
        }
        return q;
    }
}

/// <summary>Shape of a Fourier map: d, m, independent groups, and P (0 = dense).</summary>
readonly record struct FourierShape(int Dimension, int Frequencies, int Groups, int Padded)
{
    /// <summary>Bytes of the map: dense rows, and again as an engine packs them, or three sign masks and a radius per frequency.</summary>
    public long MapBytes => Padded > 0 ? 16L * Frequencies : 8L * Frequencies * Dimension;

    /// <summary>Below this dimension the structured rotation is visibly biased on axis-aligned differences (2.2).</summary>
    const int LeastStructuredDimension = 32;

    internal const int MostGroups = 16;

    const int LargestPadded = 8192, DenseGroups = 16, LeastGroups = 4, DefaultFrequencies = 4096;
    const int MostFrequencies = 1 << 18;

    /// <summary>Of a dense map, which is drawn when it is first used: 1 GiB, and as much again in the order that engines read.</summary>
    const int MostDenseEntries = 1 << 28;

    /// <summary>
    /// The shape for a wanted number of frequencies (0 = default), rounded up so that groups are equal and blocks whole.
    /// With <paramref name="pure"/> noise every frequency adds noise, so small numbers are kept small: then four dense
    /// groups replace whole blocks.
    /// </summary>
    public static FourierShape For(PairFunction function, int dimension, int wanted, bool pure)
    {
        int padded = (int)BitOperations.RoundUpToPowerOf2((uint)dimension);
        bool structured = function is IRadialSpectrum && dimension >= LeastStructuredDimension && padded <= LargestPadded;
        // Groups of dense rows need no whole blocks, so their default does not grow with the dimension.
        int m = wanted != 0 ? wanted : structured ? Math.Max(DefaultFrequencies, LeastGroups * padded) : DefaultFrequencies;
        if (structured && !(pure && m < LeastGroups * padded)) return Checked(WholeBlocks(dimension, m, padded));
        int groups = m >= 16 * DenseGroups ? DenseGroups : LeastGroups;
        return Checked(new(dimension, CeilingDivide(m, groups) * groups, groups, 0));
    }

    /// <summary>
    /// The shape of rows that are orthogonal and of one length, at least <paramref name="wanted"/> of them (0 = 4 blocks of
    /// 1,024 or more): groups of whole blocks, so that sum_j (w_j . x)^2 is the same for every unit vector x. Only where
    /// <paramref name="pure"/> noise demands few rows of a high dimension are the blocks cut short.
    /// </summary>
    public static FourierShape ForDirections(int dimension, int wanted, bool pure)
    {
        int padded = (int)BitOperations.RoundUpToPowerOf2((uint)dimension);
        int m = wanted != 0 ? wanted
            : padded > LargestPadded ? DefaultFrequencies : LeastGroups * Math.Max(padded, DefaultFrequencies / LeastGroups);
        if (dimension >= LeastStructuredDimension && padded <= LargestPadded && !(pure && m < LeastGroups * padded))
            return Checked(WholeBlocks(dimension, m, padded));
        int groups = m >= 16 * DenseGroups ? DenseGroups : LeastGroups, perGroup = CeilingDivide(m, groups);
        if (dimension < LeastStructuredDimension) perGroup = CeilingDivide(perGroup, dimension) * dimension;
        return Checked(new(dimension, perGroup * groups, groups, 0));
    }

    /// <summary>Whether a recipe may hold these numbers: answers take memory for every group of every query.</summary>
    public bool IsSound => Frequencies is > 0 and <= MostFrequencies && Groups is > 1 and <= MostGroups && Frequencies % Groups == 0
        && (Padded == 0 || (BitOperations.IsPow2(Padded) && Padded >= Dimension && Padded < 2 * Math.Max(1, Dimension)
            && Frequencies % Padded == 0))
        && (Padded > 0 || Frequencies <= MostDense(Dimension));

    /// <summary>Most dense rows of this dimension.</summary>
    internal static int MostDense(int dimension) => Math.Min(MostFrequencies, MostDenseEntries / dimension);

    /// <summary>Bytes of a recipe that holds nothing but a shape and its seed.</summary>
    public const int RecipeBytes = 20;

    public void Write(RecipeWriter writer, ulong seed)
    {
        writer.WriteInt32(Frequencies);
        writer.WriteInt32(Groups);
        writer.WriteInt32(Padded);
        writer.WriteInt64((long)seed);
    }

    public static (FourierShape Shape, ulong Seed) Read(RecipeReader reader, int dimension)
    {
        var shape = new FourierShape(dimension, reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
        return (shape, (ulong)reader.ReadInt64());
    }

    /// <summary>Every group is made of whole orthogonal blocks.</summary>
    public bool HasWholeBlocks => Padded > 0 || Frequencies / Groups % Dimension == 0;

    /// <summary>A recipe that could not be read back is refused while it can be.</summary>
    static FourierShape Checked(FourierShape shape) => shape.IsSound
        ? shape
        : throw new InvalidFieldException("features", shape.Frequencies, shape.Padded > 0
            ? $"must be at most {MostFrequencies} here"
            : $"must be at most {MostDense(shape.Dimension)} dense rows of dimension {shape.Dimension}");

    static FourierShape WholeBlocks(int dimension, int wanted, int padded)
    {
        int blocks = Math.Max(LeastGroups, CeilingDivide(wanted, padded));
        if (blocks > MostGroups) blocks = CeilingDivide(blocks, MostGroups) * MostGroups;
        return new(dimension, blocks * padded, Math.Min(blocks, MostGroups), padded);
    }

    static int CeilingDivide(int a, int b) => (a + b - 1) / b;
}
