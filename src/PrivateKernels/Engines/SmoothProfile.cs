using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// A profile of s = |x - y|_2^2 that an error of s moves little, so that s may come from norms and an inner product
/// (<see cref="ExpandedForm"/>).
/// </summary>
/// <param name="slope">Largest |d ln f / ds|.</param>
abstract unsafe class SmoothProfile(double slope)
{
    /// <summary>Sums are kept in so many lanes.</summary>
    public const int Lanes = 16;

    /// <summary>Largest |d ln f / ds|: a value moves by this much per error of s, in relative terms.</summary>
    public double Slope { get; } = slope;

    /// <summary>
    /// lanes[16 r + c mod 16] += counts[c] f(rowNorms[r] + columnNorms[c] - 2 products[columns r + c]), for all c.
    /// </summary>
    /// <param name="products">[row][column] inner products.</param>
    /// <param name="rows">Rows of the tile.</param>
    /// <param name="columns">A multiple of <see cref="Lanes"/>.</param>
    /// <param name="rowNorms">Squared lengths.</param>
    /// <param name="columnNorms">Squared lengths.</param>
    /// <param name="counts">1 for a column that counts, 0 for padding.</param>
    /// <param name="lanes">[row][16] sums.</param>
    public abstract void AddTile(
        float* products, int rows, int columns, float* rowNorms, float* columnNorms, float* counts, float* lanes);
}

/// <inheritdoc/>
/// <param name="scale">Constant of the profile, which may meet an s just below 0.</param>
/// <param name="slope">Largest |d ln f / ds|.</param>
sealed unsafe class SmoothProfile<TProfile>(double scale, double slope) : SmoothProfile(slope)
    where TProfile : struct, IProfile
{
    readonly float _scale = (float)scale;

    public override void AddTile(
        float* products, int rows, int columns, float* rowNorms, float* columnNorms, float* counts, float* lanes)
    {
        if (Vector512.IsHardwareAccelerated)
            Add<Lanes16>(products, rows, columns, rowNorms, columnNorms, counts, lanes, _scale);
        else Add<Lanes8>(products, rows, columns, rowNorms, columnNorms, counts, lanes, _scale);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Add<V>(float* products, int rows, int columns, float* rowNorms, float* columnNorms, float* counts,
        float* lanes, float scale)
        where V : unmanaged, ILanes<V>
    {
        V factor = V.Broadcast(scale), minusTwo = V.Broadcast(-2f);
        for (float* end = products + rows * columns; products != end; products += columns, rowNorms++)
        {
            V norm = V.Broadcast(*rowNorms);
            for (int lane = 0; lane < Lanes; lane += V.Count, lanes += V.Count)
            {
                V sum = V.Load(lanes);
                for (int c = lane; c < columns; c += Lanes)
                {
                    V s = V.Fma(V.Load(products + c), minusTwo, norm + V.Load(columnNorms + c));
                    sum = V.Fma(TProfile.At(s, factor), V.Load(counts + c), sum);
                }
                V.Store(sum, lanes);
            }
        }
    }
}

/// <summary>f(max(s, 0)): for profiles with a square root.</summary>
readonly struct FromZero<TProfile> : IProfile
    where TProfile : struct, IProfile
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V At<V>(V s, V scale)
        where V : unmanaged, ILanes<V> => TProfile.At(V.Max(s, default), scale);
}
