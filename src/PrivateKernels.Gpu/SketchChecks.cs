using System.Runtime.InteropServices;

namespace PrivateKernels.Gpu;

/// <summary>A small fixed job whose result every engine must get to the last bit.</summary>
/// <param name="Name">What it computes.</param>
/// <param name="Golden">FNV-1a hash of the result.</param>
/// <param name="Hash">Runs it.</param>
sealed record SketchCheck(string Name, ulong Golden, Func<IEngine, ulong> Hash);

/// <summary>
/// One check for each kind of sketch and answer, so that every program that makes cells or answers is run at start.
/// Inputs come from integers, and so does every expected bit.
/// </summary>
sealed class SketchChecks
{
    const int Records = 257, Dimension = 20, Frequencies = 96, Landmarks = 40, Cells = 64;

    static readonly Lazy<IReadOnlyList<SketchCheck>> Checks = new(static () => new SketchChecks()._checks);

    readonly PublicRandom _random = new(0x736b6574);
    readonly List<SketchCheck> _checks = [];
    readonly Points _points, _weighted;

    // Inputs are drawn one after another: their order is part of what the hashes are of.
    SketchChecks()
    {
        _points = new(Many(Records * Dimension, 2f), Dimension);
        _weighted = new(_points.Values, Dimension, Many(Records, 1f));
        FourierMap dense = Dense(1f, 2), small = Structured(32, 3, 1 / 64f), large = Structured(4096, 1, 1 / 65536f);
        AddFourier("dense features", 0x3d1f9d4c33d946e1, dense);
        AddFourier("structured features", 0x254c1f997a9cf531, small);
        AddFourier("large structured features", 0xc16dfd44d76c49b7, large);
        _checks.Add(new("second moments", 0x371942f62d2b077c, engine =>
        {
            var cells = new long[SecondMoments.CellsOf(Frequencies)];
            engine.AddSecondMoments(dense, _points, cells);
            return Hash(cells);
        }));
        AddHistogramsAndMoments();
        AddAllLandmarks();
        double[] weights = [.. Many(4 * Frequencies, 1f).Select(static w => (double)w)];
        AddAnswers("answers", 0x066cb77d0326c6f1, Records * 5, (e, to) =>
        {
            Span<double> sums = MemoryMarshal.Cast<long, double>(to.AsSpan());
            e.ProjectFourier(dense, _points, weights, 2, sums[..(4 * Records)]);
            e.ProjectFourier(small, _points, weights.AsSpan(0, 2 * Frequencies), 1, sums[(4 * Records)..]);
        });
        AddPhases(dense, 0x9dce6b99dd20a335);
        AddPhases(small, 0x1294fa6f62c86f57);
        AddPhases(large, 0x37bd98612cfdec88);
    }

    public static IReadOnlyList<SketchCheck> All => Checks.Value;

    /// <summary>FNV-1a over 64-bit words.</summary>
    internal static ulong Hash(ReadOnlySpan<long> words, ulong hash = 14695981039346656037)
    {
        foreach (long word in words) hash = (hash ^ (ulong)word) * 1099511628211;
        return hash;
    }

    void AddHistogramsAndMoments()
    {
        var signs = new SignMap(Dimension, -1.5f, 1.75f, Cells, 999_999);
        const int Half = Dimension * Cells;
        Add("sign histograms", 0xcfa45adeb6b4259b, 2 * Half, (e, x, to) =>
            e.AddSigns(signs, x, to.AsSpan(0, Half), to.AsSpan(Half)));
        var moments = new MomentMap(Dimension, Many(Dimension, 1f), 300_000, 120_000f, 15_000f, 1L << 38);
        Add("moments", 0x4ffd0f9a2328dcca, Dimension + 2, (e, x, to) => e.AddMoments(moments, x, to));
        var powers = new PowerMap(Dimension, -1.5f, 1.75f, 0.125f, 0.5f, [1 << 20, 100_003, 1009]);
        Add("powers", 0x276dfd345bee68c1, 3 * Dimension, (e, x, to) => e.AddPowers(powers, x, to));
        AddSpherical(AngularFeatures.Sign, 0xc4fba7a9c832ed2a);
        AddSpherical(AngularFeatures.Absolute, 0xfbe8c69a1407f057);
        AddSpherical(AngularFeatures.AbsoluteAndGated, 0x438add8cf2d2c888);
        var sliced = new SlicedMap(Structured(32, 3, 1 << 11, 3), 4099, 20, 30_000);
        const int Packed = Frequencies * SlicedMap.CellsPerRow;
        Add("sliced histograms", 0xd93916a03082463b, Packed + 3, (e, x, to) =>
            e.AddSliced(sliced, x, to.AsSpan(0, Packed), to.AsSpan(Packed)));
    }

    void AddAllLandmarks()
    {
        foreach ((PairFunction function, ulong golden) in new (PairFunction, ulong)[]
        {
            (new Gaussian(4), 0xf5e6af908788d08a),
            (new Laplacian(16), 0x7fcc924d2b2e76ba),
            (new Exponential(4), 0x9f339f24211b582e),
            (new Matern32(4), 0xcac5880796bba999),
            (new Matern52(4), 0xb57b212449f13276),
            (new Cauchy(4), 0x476b53197c27fc5c),
            (new InverseL1(16), 0x4f2452bc7e105fbb),
            (new InverseL2(4), 0x65578361b83ae376),
            (new InverseMultiquadric(4), 0xe8053c731f709071),
        })
            AddLandmarks(function, golden);
    }

    void Add(string name, ulong golden, int cells, Action<IEngine, Points, long[]> add) =>
        _checks.Add(new(name, golden, engine =>
        {
            long[] once = new long[cells], again = new long[cells];
            add(engine, _points, once);
            add(engine, _weighted, again);
            return Hash(again, Hash(once));
        }));

    void AddAnswers(string name, ulong golden, int words, Action<IEngine, long[]> answer) =>
        _checks.Add(new(name, golden, engine =>
        {
            var result = new long[words];
            answer(engine, result);
            return Hash(result);
        }));

    void AddFourier(string name, ulong golden, FourierMap map) =>
        Add(name, golden, 2 * map.Frequencies, (e, x, to) => e.AddFourier(map, x, to));

    void AddPhases(FourierMap map, ulong golden)
    {
        int count = Records * map.Frequencies;
        AddAnswers($"phases, P = {map.Padded}", golden, count / 2 + 1, (e, to) =>
            e.MultiplyRows(map, _points, MemoryMarshal.Cast<long, float>(to.AsSpan())[..count]));
    }

    void AddSpherical(AngularFeatures features, ulong golden)
    {
        FourierMap? gates = features == AngularFeatures.AbsoluteAndGated ? Dense(1f) : null;
        var map = new SphericalMap(features, Dense(1f), gates, 3000, 500f, 1000f, 120_000_000);
        Add($"spherical features, {features}", golden, map.CellCount, (e, x, to) => e.AddSpherical(map, x, to));
    }

    void AddLandmarks(PairFunction function, ulong golden)
    {
        var map = new LandmarkMap(
            function, Dimension, Many(Landmarks * Dimension, 2f), Many(Landmarks * (Landmarks + 1) / 2, 0.5f));
        Add($"landmarks, {function.Entry.Name}", golden, Landmarks, (e, x, to) => e.AddLandmarks(map, x, to));
    }

    float[] Many(int count, float scale)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = ((int)(_random.NextBits() >> 40) * (1f / (1 << 23)) - 1f) * scale;
        return values;
    }

    FourierMap Dense(float scale, int groups = 1) =>
        FourierMap.Dense(Dimension, Many(Frequencies * Dimension, scale), groups);

    FourierMap Structured(int padded, int blocks, float scale, int groups = 1)
    {
        var flips = new uint[3 * padded * blocks];
        for (int i = 0; i < flips.Length; i++) flips[i] = (uint)(_random.NextBits() >> 63) << 31;
        return FourierMap.Structured(Dimension, padded, flips, Many(padded * blocks, scale), groups);
    }
}
