namespace PrivateKernels;

/// <summary>Passes every call on to another engine, which it does not own: a base for engines that change a few of them.</summary>
public abstract class ForwardingEngine(IEngine inner) : IEngine
{
    protected IEngine Inner { get; } = inner;

    public virtual EngineKind Kind => Inner.Kind;

    public virtual string Device => Inner.Device;

    public virtual void AddFourier(FourierMap map, Points points, Span<long> cells) => Inner.AddFourier(map, points, cells);

    public virtual void AddSecondMoments(FourierMap map, Points points, Span<long> cells) =>
        Inner.AddSecondMoments(map, points, cells);

    public virtual void ProjectFourier(
        FourierMap map, Points queries, ReadOnlySpan<double> weights, int columns, Span<double> sums) =>
        Inner.ProjectFourier(map, queries, weights, columns, sums);

    public virtual void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions) =>
        Inner.AddSigns(map, points, counts, fractions);

    public virtual void AddMoments(MomentMap map, Points points, Span<long> cells) => Inner.AddMoments(map, points, cells);

    public virtual void AddPowers(PowerMap map, Points points, Span<long> cells) => Inner.AddPowers(map, points, cells);

    public virtual void MultiplyRows(FourierMap map, Points points, Span<float> products) =>
        Inner.MultiplyRows(map, points, products);

    public virtual void AddSpherical(SphericalMap map, Points points, Span<long> cells) =>
        Inner.AddSpherical(map, points, cells);

    public virtual void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups) =>
        Inner.AddSliced(map, points, packed, groups);

    public virtual void AddExactSums(PairFunction function, Points points, Points queries, Span<double> sums) =>
        Inner.AddExactSums(function, points, queries, sums);

    public virtual void AddLandmarks(LandmarkMap map, Points points, Span<long> cells) =>
        Inner.AddLandmarks(map, points, cells);

    public virtual void LandmarkFeatures(LandmarkMap map, Points queries, Span<float> features) =>
        Inner.LandmarkFeatures(map, queries, features);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what a derived engine owns; never <see cref="Inner"/>.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
