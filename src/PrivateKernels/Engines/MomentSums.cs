namespace PrivateKernels;

/// <summary>Integer moments of <see cref="MomentMap"/>, record by record because the norm clamp looks at a whole record.</summary>
static unsafe class MomentSums
{
    const int RecordsPerItem = 256;
    const float Limit = 4194304f;

    public static void Add(Workers workers, MomentMap map, float* x, int count, long* cells) =>
        workers.Run((count + RecordsPerItem - 1) / RecordsPerItem, (item, scratch) =>
        {
            int d = map.Dimension, first = item * RecordsPerItem;
            int* v = (int*)scratch.Take(d + 2 + 2 * (d + 2) + 1);
            // Behind the record's d + 2 integers, on an even index: their int64 sums.
            long* sums = (long*)(v + (d + 2 + 1) / 2 * 2);
            new Span<long>(sums, d + 2).Clear();
            for (int n = first; n < Math.Min(count, first + RecordsPerItem); n++)
            {
                Cells(map, x + (nint)n * d, new Span<int>(v, d + 2));
                for (int j = 0; j < d + 2; j++) sums[j] += v[j];
            }
            for (int j = 0; j < d + 2; j++) Interlocked.Add(ref cells[j], sums[j]);
        });

    static void Cells(MomentMap map, float* x, Span<int> v)
    {
        int d = map.Dimension;
        float[] center = map.Center;
        float q = 0f;
        v[0] = map.Constant;
        for (int k = 0; k < d; k++)
        {
            float z = x[k] - center[k];
            q = MathF.FusedMultiplyAdd(z, z, q);
            v[1 + k] = Truncate(z * map.Linear);
        }
        v[d + 1] = Truncate(q * map.Square);
        NormClamp.Apply(v, map.SquaredBound);
    }

    static int Truncate(float value) => (int)Math.Clamp(value, -Limit, Limit);
}
