using System.Runtime.CompilerServices;

namespace PrivateKernels;

/// <summary>
/// Grid histograms of <see cref="SignMap"/>; a thread owns whole coordinates, so nothing is kept twice.
/// </summary>
static unsafe class SignHistogram<V>
    where V : unmanaged, ILanes<V>
{
    public static void Add(
        Workers workers, SignMap map, float* x, float* weights, int count, long* counts, long* fractions) =>
        workers.Run((map.Dimension + V.Count - 1) / V.Count, (item, scratch) =>
        {
            int first = item * V.Count, width = Math.Min(V.Count, map.Dimension - first);
            nint at = (nint)first * map.CellsPerCoordinate;
            AddCoordinates(
                map, x + first, weights, width, count, counts + at, fractions + at, scratch.Take(3 * V.Count));
        });

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddCoordinates(
        SignMap map, float* x, float* weights, int width, int count, long* counts, long* fractions, float* scratch)
    {
        float* row = scratch;
        int* cells = (int*)(scratch + V.Count), terms = cells + V.Count;
        int m = map.CellsPerCoordinate;
        V lower = V.Broadcast(map.Lower), upper = V.Broadcast(map.Upper), scale = V.Broadcast(map.Scale);
        V last = V.Broadcast(m - 1), weight = V.Broadcast(map.Weight), zero = V.Broadcast(0f);
        V one = V.Broadcast(1f), minusOne = V.Broadcast(-1f), two = V.Broadcast(2f);
        V magic = V.Broadcast(Phase.Magic);
        for (int n = 0; n < count; n++, x += map.Dimension)
        {
            V value;
            if (width == V.Count)
                value = V.Load(x);
            else
            {
                for (int i = 0; i < V.Count; i++) row[i] = i < width ? x[i] : map.Lower;
                value = V.Load(row);
            }
            V p = V.Min(V.Max(value, lower), upper) - lower;
            // The smaller before truncation is the smaller after it: m - 1 is an integer.
            V cell = V.Truncate(V.Max(V.Min(p * scale, last), zero));
            V u = V.Fma(p, scale, zero - V.ToSingle(cell));
            V v = V.Min(V.Max(V.Fma(u, two, minusOne), minusOne), one);
            V.Store(cell, (float*)cells);
            int unit = 1;
            V term = v * weight;
            if (weights != null)
            {
                unit = (int)SignMap.Nearest(map.Weight * weights[n]);
                // To the nearest integer, ties to even: the map's Weight is at most 2^20.
                term = term * V.Broadcast(weights[n]) + magic - magic;
            }
            V.Store(V.Truncate(term), (float*)terms);
            for (int i = 0; i < width; i++)
            {
                nint at = (nint)i * m + cells[i];
                counts[at] += unit;
                fractions[at] += terms[i];
            }
        }
    }
}
