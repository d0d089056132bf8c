using System.Numerics;

namespace PrivateKernels;

/// <summary>Draws the plain random frequencies of <see cref="PaperFeatureSketch"/> from their seed.</summary>
static class PaperFrequencies
{
    /// <summary>
    /// The map x -> W G x in turns: G the group's projection, k x d normals over sqrt k, or nothing where k = d; W the frequencies
    /// of its features, an equal number for each term in turn.
    /// </summary>
    public static FourierMap Draw(PaperKernel kernel, int dimension, int projected, int frequencies, int groups, ulong seed)
    {
        var rows = new float[frequencies * dimension];
        int perGroup = frequencies / groups, perTerm = perGroup / kernel.Bandwidths.Length;
        Parallel.For(0, groups, group =>
        {
            double[]? projection = projected == dimension ? null : DrawProjection(dimension, projected, seed, group);
            var random = new PublicRandom(seed, (ulong)group << 32 | 4);
            double[] frequency = new double[projected], row = new double[dimension];
            for (int j = 0; j < perGroup; j++)
            {
                DrawFrequency(kernel.Law, kernel.Bandwidths[j / perTerm], random, frequency);
                if (projection is null) frequency.CopyTo(row, 0);
                else Multiply(frequency, projection, row);
                Span<float> target = rows.AsSpan((group * perGroup + j) * dimension, dimension);
                for (int i = 0; i < dimension; i++)
                    target[i] = Math.Abs(row[i]) < Canonical.Smallest
                        ? 0f : (float)Math.Clamp(row[i], -Canonical.Largest, Canonical.Largest);
            }
        });
        return FourierMap.Dense(dimension, rows, groups);
    }

    /// <summary>Rows of independent standard normals.</summary>
    public static FourierMap DrawGaussian(int dimension, int rows, ulong seed)
    {
        var random = new PublicRandom(seed, 5);
        var values = new float[rows * dimension];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)random.NextNormal() is var g && Math.Abs(g) < Canonical.Smallest ? 0f : g;
        return FourierMap.Dense(dimension, values, 1);
    }

    static double[] DrawProjection(int dimension, int projected, ulong seed, int group)
    {
        var random = new PublicRandom(seed, (ulong)group << 32 | 3);
        var projection = new double[projected * dimension];
        double unit = 1 / Math.Sqrt(projected);
        for (int i = 0; i < projection.Length; i++) projection[i] = random.NextNormal() * unit;
        return projection;
    }

    static void DrawFrequency(PaperLaw law, double bandwidth, PublicRandom random, double[] frequency)
    {
        double turns = 1 / (2 * Math.PI * bandwidth);
        double scale = law switch
        {
            PaperLaw.Gaussian => Math.Sqrt(2) * turns,
            PaperLaw.Exponential => turns / Math.Abs(random.NextNormal()),
            _ => turns,
        };
        for (int i = 0; i < frequency.Length; i++)
            frequency[i] = scale * (law == PaperLaw.Laplacian ? PortableMath.TanPi(random.NextUnit() - 0.5) : random.NextNormal());
    }

    /// <summary>row = frequency . projection. A product, then a sum, element by element: the same bits at every vector width.</summary>
    static void Multiply(double[] frequency, double[] projection, double[] row)
    {
        Array.Clear(row);
        for (int k = 0; k < frequency.Length; k++)
        {
            ReadOnlySpan<double> source = projection.AsSpan(k * row.Length, row.Length);
            var weight = new Vector<double>(frequency[k]);
            int i = 0;
            for (; i <= row.Length - Vector<double>.Count; i += Vector<double>.Count)
                (new Vector<double>(row, i) + weight * new Vector<double>(source[i..])).CopyTo(row, i);
            for (; i < row.Length; i++) row[i] += frequency[k] * source[i];
        }
    }
}
