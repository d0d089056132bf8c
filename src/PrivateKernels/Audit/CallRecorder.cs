using System.Text;

namespace PrivateKernels;

/// <summary>Writes down which sums an engine is asked for, in order.</summary>
sealed class CallRecorder(IEngine inner) : ForwardingEngine(inner)
{
    readonly StringBuilder _calls = new();

    /// <summary>A letter for each call.</summary>
    public string Calls => _calls.ToString();

    public override void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        _calls.Append('F');
        base.AddFourier(map, points, cells);
    }

    public override void AddSecondMoments(FourierMap map, Points points, Span<long> cells)
    {
        _calls.Append('S');
        base.AddSecondMoments(map, points, cells);
    }

    public override void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        _calls.Append('G');
        base.AddSigns(map, points, counts, fractions);
    }

    public override void AddMoments(MomentMap map, Points points, Span<long> cells)
    {
        _calls.Append('M');
        base.AddMoments(map, points, cells);
    }

    public override void AddPowers(PowerMap map, Points points, Span<long> cells)
    {
        _calls.Append('P');
        base.AddPowers(map, points, cells);
    }

    public override void AddSpherical(SphericalMap map, Points points, Span<long> cells)
    {
        _calls.Append('A');
        base.AddSpherical(map, points, cells);
    }

    public override void AddSliced(SlicedMap map, Points points, Span<long> packed, Span<long> groups)
    {
        _calls.Append('D');
        base.AddSliced(map, points, packed, groups);
    }

    public override void AddLandmarks(LandmarkMap map, Points points, Span<long> cells)
    {
        _calls.Append('L');
        base.AddLandmarks(map, points, cells);
    }
}
