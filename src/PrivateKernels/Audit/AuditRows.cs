namespace PrivateKernels;

/// <summary>
/// Rows as an adversary would choose them: corners and edges of the box, spheres, axes, the ends of the number range,
/// and what no sketch can take (NaN, infinities, subnormal numbers). Repeatable.
/// </summary>
sealed class AuditRows(int dimension, ulong seed)
{
    static readonly float[] Extremes =
    [
        0f, -0f, 0.5f, -0.5f, 1f, -1f, 1e6f, -1e6f, Canonical.Smallest, -Canonical.Smallest,
        MathF.BitDecrement(Canonical.Smallest), float.Epsilon, Canonical.Largest, -Canonical.Largest,
        MathF.BitIncrement(Canonical.Largest), float.MaxValue, float.NaN, float.PositiveInfinity,
        float.NegativeInfinity,
    ];

    readonly PublicRandom _random = new(seed);

    public int Below(int bound) => _random.NextBelow(bound);

    /// <summary>A row of d coordinates; most are valid, about one in six is not.</summary>
    public float[] Next()
    {
        var row = new float[dimension];
        switch (Below(10))
        {
            case 0:
                Fill(row, () => (float)(_random.NextUnit() - 0.5));
                break;
            case 1:
                Fill(row, () => Below(2) - 0.5f);
                break;
            case 2:
                row[Below(dimension)] = Extreme();
                break;
            case 3:
                row.AsSpan().Fill(Extreme());
                break;
            case 4:
                float size = Extreme();
                Fill(row, () => Below(2) == 0 ? size : -size);
                break;
            case 5:
                double scale = Math.Pow(10, _random.NextUnit() * 16 - 10);
                Fill(row, () => (float)(scale * _random.NextNormal()));
                break;
            case 6:
                Fill(row, Extreme);
                break;
            case 7:
                // Edges of a grid of sixteen cells.
                Fill(row, () => (Below(17) - 8) / 16f);
                break;
            default:
                FillSphere(row, 0.5 * Math.Sqrt(dimension) * (Below(2) == 0 ? 1 : Math.Sqrt(_random.NextUnit())));
                break;
        }
        return row;
    }

    /// <summary>A value of a row: most often at the bound or within it, sometimes beyond it or no number.</summary>
    public float NextValue() => Below(6) switch
    {
        0 => AuditSetting.MaxAbsValue,
        1 => -AuditSetting.MaxAbsValue,
        2 => Extreme(),
        3 => (float)(3 * AuditSetting.MaxAbsValue * _random.NextNormal()),
        _ => (float)((2 * _random.NextUnit() - 1) * AuditSetting.MaxAbsValue),
    };

    /// <summary>The worst partner of a row where features are odd: its mirror image.</summary>
    public static float[] Mirror(float[] row) => [.. row.Select(static x => -x)];

    float Extreme() => Extremes[Below(Extremes.Length)];

    static void Fill(float[] row, Func<float> next)
    {
        for (int k = 0; k < row.Length; k++) row[k] = next();
    }

    void FillSphere(float[] row, double radius)
    {
        Fill(row, () => (float)_random.NextNormal());
        double length = Math.Sqrt(row.Sum(static x => (double)x * x));
        for (int k = 0; k < row.Length; k++) row[k] = (float)(row[k] * radius / length);
    }
}
