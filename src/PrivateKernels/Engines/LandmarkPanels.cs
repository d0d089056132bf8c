namespace PrivateKernels;

/// <summary>
/// A <see cref="LandmarkMap"/> cut for tiles: strips of a few landmarks, and of as many rows of the triangle, each as
/// long as its last row.
/// </summary>
sealed unsafe class LandmarkPanels : IDisposable
{
    readonly Panels _points;
    readonly AlignedFloats _memory = new();
    readonly float* _triangle;
    readonly int _count;

    public LandmarkPanels(LandmarkMap map, int rows)
    {
        (_count, Rows) = (map.Count, rows);
        _points = new Panels(map.Points, map.Dimension, rows);
        _triangle = _memory.Take(Start(Strips) - Start(0));
        fixed (float* triangle = map.Triangle)
            for (int strip = 0; strip < Strips; strip++) Pack(triangle, strip, _triangle + Start(strip));
    }

    public int Rows { get; }

    public int Strips => _points.Count;

    /// <summary>[k][Rows] coordinates.</summary>
    public float* Landmarks(int strip) => _points.Start + strip * _points.Stride;

    /// <summary>[j][Rows] entries, zeros right of the diagonal; <see cref="Depth"/> of them.</summary>
    public float* Triangle(int strip) => _triangle + Start(strip);

    /// <summary>Kernel values that the rows of a strip look at.</summary>
    public int Depth(int strip) => Math.Min(_count, (strip + 1) * Rows);

    public void Dispose()
    {
        _points.Dispose();
        _memory.Dispose();
    }

    nint Start(int strip) => (nint)Rows * Rows * strip * (strip + 1) / 2;

    void Pack(float* triangle, int strip, float* to)
    {
        int depth = Depth(strip);
        for (int j = 0; j < depth; j++)
            for (int r = 0; r < Rows; r++, to++)
            {
                nint i = strip * Rows + r;
                *to = j <= i && i < _count ? triangle[i * (i + 1) / 2 + j] : 0f;
            }
    }
}
