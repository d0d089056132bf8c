using System.Numerics;

namespace PrivateKernels.Tests;

/// <summary>
/// Every recipe in its plainest form: one record, one feature, one operation at a time. The judge of all engines.
/// </summary>
public sealed class ReferenceEngine : IEngine
{
    public EngineKind Kind => EngineKind.Simd;

    public string Device => "reference";

    public void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        int m = map.Frequencies;
        for (int n = 0; n < points.Count; n++)
        {
            float[] phases = Phases(map, points.Row(n));
            for (int j = 0; j < m; j++)
            {
                (int cos, int sin) = Phase.Cells(phases[j]);
                if (points.IsWeighted)
                {
                    (float c, float s) = Phase.Scaled(phases[j]);
                    (cos, sin) = ((int)(c * points.Weights.Span[n]), (int)(s * points.Weights.Span[n]));
                }
                cells[j] += cos;
                cells[m + j] += sin;
            }
        }
    }

    public void AddSecondMoments(FourierMap map, Points points, Span<long> cells)
    {
        int m = map.Frequencies;
        for (int n = 0; n < points.Count; n++)
        {
            var x = new float[2 * m];
            float[] phases = Phases(map, points.Row(n));
            for (int j = 0; j < m; j++) (x[j], x[m + j]) = Phase.Cells(phases[j]);
            for (int i = 0, at = 0; i < 2 * m; i++)
                for (int j = i; j < 2 * m; j++) cells[at++] += (int)(x[i] * (x[j] / 1048576f));
        }
    }

    public void ProjectFourier(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums)
    {
        int m = map.Frequencies, size = m / map.Groups, at = 0;
        for (int q = 0; q < queries.Count; q++)
        {
            float[] phases = Phases(map, queries.Row(q));
            for (int c = 0; c < columns; c++)
            {
                ReadOnlySpan<double> w = weights.Slice(c * 2 * m, 2 * m);
                for (int g = 0; g < map.Groups; g++)
                {
                    var lanes = new double[16];
                    for (int i = 0; i < size; i++)
                    {
                        int j = g * size + i;
                        (float cos, float sin) = Phase.Scaled(phases[j]);
                        lanes[i % 16] = Math.FusedMultiplyAdd(cos, w[j], lanes[i % 16]);
                        lanes[i % 16] = Math.FusedMultiplyAdd(sin, w[m + j], lanes[i % 16]);
                    }
                    for (int half = 8; half >= 1; half /= 2)
                        for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
                    sums[at++] = lanes[0];
                }
            }
        }
    }

    public void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        for (int n = 0; n < points.Count; n++)
            for (int i = 0; i < map.Dimension; i++)
            {
                float p = Math.Clamp(points.Row(n)[i], map.Lower, map.Upper) - map.Lower;
                int cell = Math.Max(0, Math.Min((int)(p * map.Scale), map.CellsPerCoordinate - 1));
                float u = MathF.FusedMultiplyAdd(p, map.Scale, -cell);
                float v = Math.Clamp(MathF.FusedMultiplyAdd(u, 2f, -1f), -1f, 1f);
                int at = i * map.CellsPerCoordinate + cell;
                if (points.IsWeighted)
                {
                    float w = points.Weights.Span[n];
                    counts[at] += (int)MathF.Round(map.Weight * w, MidpointRounding.ToEven);
                    fractions[at] += (int)MathF.Round(v * map.Weight * w, MidpointRounding.ToEven);
                    continue;
                }
                counts[at]++;
                fractions[at] += (int)(v * map.Weight);
            }
    }

    public void AddMoments(MomentMap map, Points points, Span<long> cells)
    {
        const float limit = 4194304f;
        int d = map.Dimension;
        for (int n = 0; n < points.Count; n++)
        {
            var v = new int[d + 2];
            float w = points.IsWeighted ? points.Weights.Span[n] : 1f;
            v[0] = (int)(map.Constant * w);
            float q = 0f;
            for (int k = 0; k < d; k++)
            {
                float z = points.Row(n)[k] - map.Center[k];
                q = MathF.FusedMultiplyAdd(z, z, q);
                v[1 + k] = (int)(Math.Clamp(z * map.Linear, -limit, limit) * w);
            }
            v[d + 1] = (int)(Math.Clamp(q * map.Square, -limit, limit) * w);
            NormClamp.Apply(v, map.SquaredBound);
            for (int j = 0; j < d + 2; j++) cells[j] += v[j];
        }
    }

    public void MultiplyRows(FourierMap map, Points points, Span<float> products)
    {
        for (int n = 0; n < points.Count; n++)
            Phases(map, points.Row(n)).CopyTo(products[(n * map.Frequencies)..]);
    }

    public void AddSpherical(SphericalMap map, Points points, Span<long> cells)
    {
        for (int n = 0; n < points.Count; n++)
        {
            ReadOnlySpan<float> x = points.Row(n);
            float[] t = Phases(map.Rows, x), u = map.GateRows is { } gate ? Phases(gate, x) : [];
            var v = new List<int>();
            if (map.Features == AngularFeatures.Sign)
            {
                v.Add(map.Constant);
                foreach (float value in t) v.Add(value < 0 ? -(int)map.Scale : (int)map.Scale);
            }
            else
            {
                foreach (float value in x) v.Add(Cell(value * map.Linear));
                foreach (float value in t) v.Add(Cell(Math.Abs(value) * map.Scale));
                for (int j = 0; j < u.Length; j++) v.Add(Cell((t[j] < 0 ? -u[j] : u[j]) * map.Scale));
            }
            if (points.IsWeighted) v = v.ConvertAll(value => (int)(value * points.Weights.Span[n]));
            BigInteger norm = v.Aggregate(BigInteger.Zero, static (sum, a) => sum + (BigInteger)a * a);
            if (norm > 4 * (BigInteger)map.SquaredBound) continue;
            int[] clamped = [.. v];
            NormClamp.Apply(clamped, map.SquaredBound);
            for (int j = 0; j < clamped.Length; j++) cells[j] += clamped[j];
        }

        static int Cell(float value) => (int)Math.Clamp(value, -SphericalMap.Limit, SphericalMap.Limit);
    }

    public void AddPowers(PowerMap map, Points points, Span<long> cells)
    {
        int p = map.Weights.Length;
        for (int n = 0; n < points.Count; n++)
            for (int i = 0; i < map.Dimension; i++)
            {
                float centred = Math.Clamp(points.Row(n)[i], map.Lower, map.Upper) - map.Center;
                float t = Math.Clamp(centred * map.Scale, -1f, 1f), u = t;
                float w = points.IsWeighted ? points.Weights.Span[n] : 1f;
                for (int k = 0; k < p; k++, u *= t) cells[i * p + k] += (int)(u * map.Weights[k] * w);
            }
    }

    public void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups)
    {
        int k = map.Rows.Frequencies, perGroup = k / groups.Length;
        for (int n = 0; n < points.Count; n++)
        {
            float[] t = Phases(map.Rows, points.Row(n));
            long[] q = [.. t.Select(static v => (long)Math.Min(Math.Abs(v), SlicedMap.LargestPosition))];
            long[] terms = Terms(q);
            BigInteger norm = Norm(terms), most = BigInteger.Pow(map.LargestNorm, 2);
            if (norm > most)
            {
                BigInteger root = 0;
                while (root * root < norm) root += BigInteger.Max(1, (BigInteger)Math.Sqrt((double)norm) - 2 - root);
                long factor = (long)(((BigInteger)(map.LargestNorm - 4) << 30) / root);
                q = [.. q.Select(v => v * factor >> 30)];
                terms = Terms(q);
                Assert.True(Norm(terms) <= most);
            }
            long w = points.IsWeighted
                ? (long)MathF.Round(points.Weights.Span[n] * 4096f, MidpointRounding.ToEven) : 4096;
            long one = points.IsWeighted ? w << 32 : 1L << 40;
            for (int g = 0; g < terms.Length; g++) groups[g] += terms[g] * w / 4096;
            for (int j = 0; j < k; j++)
                packed[(2 * j + (t[j] < 0 ? 1 : 0)) * 256 + (int)(q[j] / 4096)] += one + q[j] % 4096 * w / 4096;
        }

        long[] Terms(long[] q) => [.. q.Chunk(perGroup).Select(own => own.Sum() * map.Multiplier / (1L << map.Shift))];

        static BigInteger Norm(long[] terms) => terms.Aggregate(BigInteger.Zero, static (sum, v) => sum + (BigInteger)v * v);
    }

    public void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums)
    {
        for (int q = 0; q < queries.Count; q++)
            for (int n = 0; n < points.Count; n++) sums[q] += function.Evaluate(points.Row(n), queries.Row(q));
    }

    public void AddLandmarks(LandmarkMap map, Points points, Span<long> cells)
    {
        var phi = new float[points.Count * map.Count];
        LandmarkFeatures(map, points, phi);
        for (int n = 0; n < points.Count; n++)
        {
            float w = points.IsWeighted ? points.Weights.Span[n] : 1f;
            int[] v = [.. phi.Skip(n * map.Count).Take(map.Count).Select(a => (int)(a * 1048575f * w))];
            NormClamp.Apply(v, 1L << 40);
            for (int i = 0; i < v.Length; i++) cells[i] += v[i];
        }
    }

    public void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features)
    {
        for (int q = 0; q < queries.Count; q++)
        {
            var k = new float[map.Count];
            for (int j = 0; j < k.Length; j++)
            {
                float s = 0f;
                for (int c = 0; c < map.Dimension; c++)
                {
                    float t = queries.Row(q)[c] - map.Points[j * map.Dimension + c];
                    s = map.Function.Geometry == PairGeometry.L1 ? s + Math.Abs(t) : MathF.FusedMultiplyAdd(t, t, s);
                }
                k[j] = PlainProfile.Of(map.Function, s);
            }
            for (int i = 0, at = 0; i < k.Length; i++)
            {
                float a = 0f;
                for (int j = 0; j <= i; j++) a = MathF.FusedMultiplyAdd(map.Triangle[at++], k[j], a);
                features[q * k.Length + i] = Math.Clamp(a, -2f, 2f);
            }
        }
    }

    public void Dispose()
    {
    }

    /// <summary>Phases in turns of one point, as <see cref="FourierMap"/> defines them.</summary>
    static float[] Phases(FourierMap map, ReadOnlySpan<float> x)
    {
        var phases = new float[map.Frequencies];
        if (map.IsStructured)
            for (int first = 0; first < phases.Length; first += map.Padded)
            {
                float[] v = Rotate(map, x, first / map.Padded);
                for (int i = 0; i < map.Padded && first + i < phases.Length; i++)
                    phases[first + i] = map.Radii[first + i] * v[i];
            }
        else
            for (int j = 0; j < phases.Length; j++)
                for (int k = 0; k < x.Length; k++)
                    phases[j] = MathF.FusedMultiplyAdd(x[k], map.Rows[j * x.Length + k], phases[j]);
        return phases;
    }

    static float[] Rotate(FourierMap map, ReadOnlySpan<float> x, int block)
    {
        int padded = map.Padded;
        var v = new float[padded];
        x.CopyTo(v);
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < padded; i++)
                if (map.Flips[(block * 3 + round) * padded + i] != 0) v[i] = -v[i];
            for (int h = 1; h < padded; h *= 2)
                for (int i = 0; i < padded; i++)
                    if ((i & h) == 0) (v[i], v[i + h]) = (v[i] + v[i + h], v[i] - v[i + h]);
        }
        return v;
    }
}
