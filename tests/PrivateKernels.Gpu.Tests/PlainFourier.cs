namespace PrivateKernels.Tests;

/// <summary>
/// The definition of Fourier features written down plainly, one number at a time: what devices are held against.
/// </summary>
static class PlainFourier
{
    /// <summary>Phases of a point in turns, one per frequency.</summary>
    public static float[] Phases(FourierMap map, ReadOnlySpan<float> x)
    {
        var turns = new float[map.Frequencies];
        if (!map.IsStructured)
        {
            for (int j = 0; j < turns.Length; j++)
                for (int k = 0; k < map.Dimension; k++)
                    turns[j] = MathF.FusedMultiplyAdd(x[k], map.Rows[j * map.Dimension + k], turns[j]);
            return turns;
        }
        int p = map.Padded;
        for (int block = 0; block < map.Frequencies / p; block++)
        {
            var v = new float[p];
            x.CopyTo(v);
            for (int round = 0; round < 3; round++)
            {
                for (int i = 0; i < p; i++)
                    if (map.Flips[(block * 3 + round) * p + i] != 0) v[i] = -v[i];
                for (int stride = 1; stride < p; stride *= 2)
                    for (int i = 0; i < p; i++)
                        if ((i & stride) == 0) (v[i], v[i + stride]) = (v[i] + v[i + stride], v[i] - v[i + stride]);
            }
            for (int i = 0; i < p; i++) turns[block * p + i] = map.Radii[block * p + i] * v[i];
        }
        return turns;
    }

    /// <summary>A cos and A sin in fp32, A = 2^20 - 1.</summary>
    public static (float Cos, float Sin) Pair(float turns)
    {
        if (!(Math.Abs(turns) <= 1048576f)) return (0f, 0f);
        float shifted = MathF.FusedMultiplyAdd(turns, 4f, 12582912f);
        int quarter = BitConverter.SingleToInt32Bits(shifted) & 3;
        float r = MathF.FusedMultiplyAdd(shifted - 12582912f, -0.25f, turns), z = r * r;
        float c = 58.5612144f, p = -75.742485f;
        foreach (float next in new[] { -85.4231186f, 64.9391403f, -19.7392082f, 1f })
            c = MathF.FusedMultiplyAdd(c, z, next);
        foreach (float next in new[] { 81.6024399f, -41.3417473f }) p = MathF.FusedMultiplyAdd(p, z, next);
        float s = MathF.FusedMultiplyAdd(r, 6.28318548f, r * z * p);
        (float cos, float sin) = quarter switch { 0 => (c, s), 1 => (-s, c), 2 => (-c, -s), _ => (s, -c) };
        return (cos * 1048575f, sin * 1048575f);
    }

    public static long[] Cells(FourierMap map, Points points)
    {
        var cells = new long[2 * map.Frequencies];
        for (int row = 0; row < points.Count; row++)
        {
            float[] turns = Phases(map, points.Row(row));
            for (int j = 0; j < turns.Length; j++)
            {
                (float cos, float sin) = Pair(turns[j]);
                cells[j] += (int)cos;
                cells[map.Frequencies + j] += (int)sin;
            }
        }
        return cells;
    }
}
