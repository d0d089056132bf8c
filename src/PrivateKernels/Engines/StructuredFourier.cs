using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Fourier features of the structured map, one record per lane: every step of the transform is a plain vector addition
/// or subtraction, signs are masks that all lanes share, and no lane sees another.
/// </summary>
static unsafe class StructuredFourier<V>
    where V : unmanaged, ILanes<V>
{
    /// <summary>Groups of lanes per item: their coordinates stay in a shared cache while all blocks pass by.</summary>
    const int GroupsPerItem = 32;

    /// <summary>
    /// Adds the cells of <paramref name="count"/> records at <paramref name="x"/>, times their <paramref name="weights"/> if any.
    /// </summary>
    public static void Add(
        Workers workers, FourierMap map, float* x, float* weights, int count, uint* flips, float* radii, long* cells)
    {
        int d = map.Dimension, m = map.Frequencies, padded = map.Padded, blocks = (m + padded - 1) / padded;
        int batchGroups = GroupsPerItem * workers.ChunksAtATime(blocks, (long)GroupsPerItem * padded * V.Count);
        AlignedFloats packed = workers.Rent();
        for (int first = 0; first < count; first += batchGroups * V.Count)
        {
            int records = Math.Min(batchGroups * V.Count, count - first);
            int groups = (records + V.Count - 1) / V.Count;
            V* lanes = (V*)packed.Take((nint)groups * padded * V.Count);
            float* from = x + (nint)first * d;
            workers.Run(groups, (g, _) =>
            {
                int row = g * V.Count;
                PackGroup(from + (nint)row * d, Math.Min(V.Count, records - row), d, lanes + (nint)g * padded, padded);
            });
            int chunks = (groups + GroupsPerItem - 1) / GroupsPerItem;
            workers.Run(chunks * blocks, (item, scratch) =>
            {
                (int chunk, int block) = Math.DivRem(item, blocks);
                int firstGroup = chunk * GroupsPerItem, owned = Math.Min(GroupsPerItem, groups - firstGroup);
                int rows = Math.Min(padded, m - block * padded);
                V* v = (V*)scratch.Take(3 * (nint)padded * V.Count), cos = v + padded, sin = cos + padded;
                Unsafe.InitBlock(cos, 0, (uint)(2 * padded * sizeof(V)));
                for (int g = firstGroup; g < firstGroup + owned; g++)
                {
                    Rotate(lanes + (nint)g * padded, flips + (nint)block * 3 * padded, v, padded);
                    if (weights == null)
                    {
                        AddCells(v, radii + (nint)block * padded, rows, cos, sin);
                        continue;
                    }
                    int row = g * V.Count;
                    V own = WeightsOf(weights + first + row, Math.Min(V.Count, records - row));
                    AddWeighted(v, radii + (nint)block * padded, own, rows, cos, sin);
                }
                // A padding lane holds the zero record, whose cells are exactly (A, 0), or 0 times that.
                int padding = weights == null ? Math.Max(0, (firstGroup + owned) * V.Count - records) : 0;
                long surplus = (long)Phase.Unit * padding;
                long* to = cells + (nint)block * padded;
                for (int i = 0; i < rows; i++)
                {
                    Interlocked.Add(ref to[i], SumLanes((int*)(cos + i)) - surplus);
                    Interlocked.Add(ref to[m + i], SumLanes((int*)(sin + i)));
                }
            });
        }
        workers.Return(packed);
    }

    /// <summary>A cos and A sin of up to Count queries: cos[q stride + j], sin alike.</summary>
    public static void Features(FourierMap map, float* x, int count, uint* flips, float* radii, float* cos, float* sin,
        nint stride, AlignedFloats scratch)
    {
        // A transform of one record takes about twice the time per record of one whose lanes are all in use.
        if (2 * count <= V.Count && map.Padded >= V.Count && map.Frequencies % V.Count == 0)
            for (int q = 0; q < count; q++, x += map.Dimension, cos += stride, sin += stride)
                FeaturesOfOne(map, x, flips, radii, cos, sin, scratch);
        else
            FeaturesOfMany(map, x, count, flips, radii, cos, sin, stride, scratch);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void FeaturesOfOne(
        FourierMap map, float* x, uint* flips, float* radii, float* cos, float* sin, AlignedFloats scratch)
    {
        int m = map.Frequencies, d = map.Dimension, padded = map.Padded;
        float* record = scratch.Take(2 * (nint)padded), v = record + padded;
        new Span<float>(x, d).CopyTo(new Span<float>(record, padded));
        new Span<float>(record + d, padded - d).Clear();
        for (int first = 0; first < m; first += padded, flips += 3 * padded)
        {
            Hadamard<V>.RoundOfOne(record, flips, v, padded);
            Hadamard<V>.RoundOfOne(v, flips + padded, v, padded);
            Hadamard<V>.RoundOfOne(v, flips + 2 * padded, v, padded);
            for (int i = 0; i < Math.Min(padded, m - first); i += V.Count)
            {
                (V a, V b) = Phase.Scaled(V.Load(radii + first + i) * V.Load(v + i));
                V.Store(a, cos + first + i);
                V.Store(b, sin + first + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void FeaturesOfMany(FourierMap map, float* x, int count, uint* flips, float* radii, float* cos, float* sin,
        nint stride, AlignedFloats scratch)
    {
        const int Block = 16;
        int m = map.Frequencies, padded = map.Padded;
        V* lanes = (V*)scratch.Take((2 * (nint)padded + 2 * Block) * V.Count), v = lanes + padded;
        float* cosines = (float*)(v + padded), sines = cosines + Block * V.Count;
        PackGroup(x, count, map.Dimension, lanes, padded);
        for (int first = 0; first < m; first += padded)
        {
            Rotate(lanes, flips + (nint)first * 3, v, padded);
            int rows = Math.Min(padded, m - first);
            for (int i = 0; i < rows; i += Block)
            {
                int own = Math.Min(Block, rows - i);
                for (int l = 0; l < own; l++)
                {
                    (V a, V b) = Phase.Scaled(V.Broadcast(radii[first + i + l]) * v[i + l]);
                    V.Store(a, cosines + l * V.Count);
                    V.Store(b, sines + l * V.Count);
                }
                Transposition.Copy(cosines, V.Count, own, count, cos + first + i, stride);
                Transposition.Copy(sines, V.Count, own, count, sin + first + i, stride);
            }
        }
    }

    internal static void PackGroup(float* x, int rows, int d, V* lanes, int padded)
    {
        Panels.Pack(x, rows, d, V.Count, (float*)lanes);
        Unsafe.InitBlock(lanes + d, 0, (uint)((padded - d) * sizeof(V)));
    }

    internal static void Rotate(V* from, uint* flips, V* v, int padded)
    {
        Hadamard<V>.Round(from, flips, v, padded);
        Hadamard<V>.Round(v, flips + padded, v, padded);
        Hadamard<V>.Round(v, flips + 2 * padded, v, padded);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void AddCells(V* v, float* radii, int rows, V* cosines, V* sines)
    {
        for (int i = 0; i < rows; i++)
        {
            (V cos, V sin) = Phase.Scaled(V.Broadcast(radii[i]) * v[i]);
            cosines[i] = V.AddIntegers(cosines[i], V.Truncate(cos));
            sines[i] = V.AddIntegers(sines[i], V.Truncate(sin));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddWeighted(V* v, float* radii, V weights, int rows, V* cosines, V* sines)
    {
        for (int i = 0; i < rows; i++)
        {
            (V cos, V sin) = Phase.Scaled(V.Broadcast(radii[i]) * v[i]);
            cosines[i] = V.AddIntegers(cosines[i], V.Truncate(cos * weights));
            sines[i] = V.AddIntegers(sines[i], V.Truncate(sin * weights));
        }
    }

    /// <summary>A weight per lane, 0 behind the last record.</summary>
    static V WeightsOf(float* weights, int count)
    {
        float* lanes = stackalloc float[V.Count];
        for (int l = 0; l < V.Count; l++) lanes[l] = l < count ? weights[l] : 0f;
        return V.Load(lanes);
    }

    static long SumLanes(int* lanes)
    {
        long sum = 0;
        for (int l = 0; l < V.Count; l++) sum += lanes[l];
        return sum;
    }
}
