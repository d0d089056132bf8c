namespace PrivateKernels;

/// <summary>Family of an engine. The numbers are those of the wire.</summary>
public enum EngineKind
{
    /// <summary>SIMD on the processor.</summary>
    Simd = 1,

    /// <summary>CUDA device.</summary>
    Cuda = 2,

    /// <summary>OpenCL device.</summary>
    OpenCl = 3,
}

/// <summary>
/// Where arithmetic runs. Every engine computes the same integers: a record's contribution is a pure function of the
/// record and of public parameters, never of engine, vector width, batch, position, thread or tile.
/// </summary>
/// <remarks>
/// Points handed to an engine are canonical (<see cref="Canonical"/>): finite, |x| at most 2^40, no |x| below 2^-40 but
/// 0. Cells are added to, never overwritten. Methods may be called from any thread; an engine orders them as it needs.
/// Weighted points (<see cref="Points.Weights"/>, u in [-1, 1]): the fp32 number x that a cell truncates becomes the fp32
/// product x u, truncated; constants are such numbers; norm clamps come after it. Histograms say what they do in their
/// maps. Since |x u| is at most |x| and rounding and truncation are monotone, no bound on a record's cells grows.
/// </remarks>
public interface IEngine : IDisposable
{
    EngineKind Kind { get; }

    /// <summary>Device as its driver names it.</summary>
    string Device { get; }

    /// <summary>
    /// Adds Fourier features: cells[j] += trunc(A cos 2 pi t_j) and cells[m + j] += trunc(A sin 2 pi t_j) for each
    /// point, A = 2^20 - 1, t_j = w_j . x in turns. <paramref name="cells"/> has 2m entries.
    /// </summary>
    void AddFourier(FourierMap map, Points points, Span<long> cells);

    /// <summary>
    /// Adds products of Fourier features: with x the 2m integer cells of a point as <see cref="AddFourier"/> has them without
    /// weights, cells[at(i, j)] += trunc(x_i (x_j 2^-20)) for all i at most j, an fp32 product; the triangle lies row after
    /// row, at(i, j) = 2m i - i (i - 1) / 2 + j - i.
    /// </summary>
    void AddSecondMoments(FourierMap map, Points points, Span<long> cells);

    /// <summary>
    /// For each query q, column c and group g: sum over the frequencies j of the group of
    /// A cos(2 pi t_j) weights[c, j] + A sin(2 pi t_j) weights[c, m + j], A cos and A sin as fp32 products (what cells
    /// truncate). <paramref name="weights"/> is columns x 2m, <paramref name="sums"/> queries x columns x groups.
    /// The order, in fp64: sixteen sums per (q, c, g) start at +0; frequency j of the group, counted from 0, goes to
    /// sum j mod 16, j rising, by two fused multiply-adds, cosine first; then sum l + 8 is added to sum l for l below
    /// 8, l + 4 for l below 4, l + 2, l + 1. So an answer has the same bits whatever the batch.
    /// </summary>
    void ProjectFourier(FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums);

    /// <summary>
    /// Adds sign histograms: for coordinate i and grid cell j, counts[i m + j] counts the points whose i-th coordinate
    /// lies in that cell and fractions[i m + j] sums their integer fraction terms; see <see cref="SignMap"/>.
    /// </summary>
    void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions);

    /// <summary>Adds the integer moments of each point, norm-clamped; see <see cref="MomentMap"/>.</summary>
    void AddMoments(MomentMap map, Points points, Span<long> cells);

    /// <summary>Adds the integer powers of each coordinate of each point; see <see cref="PowerMap"/>.</summary>
    void AddPowers(PowerMap map, Points points, Span<long> cells);

    /// <summary>
    /// products[n m + j] = t_j of point n, the phase of <see cref="FourierMap"/>: the rows of the map times the points, in fp32.
    /// </summary>
    void MultiplyRows(FourierMap map, Points points, Span<float> products);

    /// <summary>
    /// Adds the integer features of each point, norm-clamped; see <see cref="SphericalMap"/>. The points are unit vectors;
    /// any other canonical ones are safe as well, and add nothing where they are too long.
    /// </summary>
    void AddSpherical(SphericalMap map, Points points, Span<long> cells);

    /// <summary>
    /// Adds position histograms: packed[(2 j + side) 256 + c] for each direction and side, and the group terms; see
    /// <see cref="SlicedMap"/>. At most 2^22 points into cells that start at 0.
    /// </summary>
    void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups);

    /// <summary>
    /// Exact sums over <paramref name="points"/> of f(x, y) for each query, for PUBLIC data and evaluation only.
    /// Relative error at most 5e-6 (fp32 distances, fp64 accumulation), for inner products of the sum of |x||y|. Adds to <paramref name="sums"/>.
    /// </summary>
    void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums);

    /// <summary>
    /// Adds the integer features of each point, norm-clamped; see <see cref="LandmarkMap"/>. <paramref name="cells"/> has
    /// one entry per landmark.
    /// </summary>
    void AddLandmarks(LandmarkMap map, Points points, Span<long> cells);

    /// <summary>features[q D + i] = phi_i of query q by the recipe of <see cref="LandmarkMap"/>, limited, in fp32.</summary>
    void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features);
}
