namespace PrivateKernels;

/// <summary>
/// The public linear part of a Fourier sketch: m frequencies in turns, in groups that share no randomness.
/// Either dense (one row of d weights per frequency) or structured (blocks of P rows H D2 H D1 H D0 with a radius each).
/// </summary>
/// <remarks>
/// Structured, block b, row i: v = x padded with zeros to P; three rounds of v = H (D v) with H the unnormalised
/// Walsh-Hadamard transform (strides 1, 2, ..., P/2; (a, b) -> (a + b, a - b), fp32) and D a diagonal of signs;
/// t = Radii[b P + i] * v[i]. The factor P^(-3/2) is inside the radius.
/// Dense, row j: t = fma chain over k = 0..d-1 of x[k] * Rows[j d + k], starting at +0.
/// Spherical and sliced sketches use the same rows for their own ends: then t_j = w_j . x in their units.
/// Cosine and sine by engines' shared recipe (see <see cref="Phase"/>); both are 0 where |t| > 2^20.
/// </remarks>
public sealed class FourierMap
{
    FourierMap(int dimension, int frequencies, int groups) =>
        (Dimension, Frequencies, Groups) = (dimension, frequencies, groups);

    public int Dimension { get; }

    /// <summary>m, the number of cosine and sine pairs.</summary>
    public int Frequencies { get; }

    /// <summary>Groups of m / Groups consecutive frequencies each; randomness is independent between groups.</summary>
    public int Groups { get; }

    public bool IsStructured => Flips.Length > 0;

    /// <summary>P, a power of two at least d; 0 for dense maps.</summary>
    public int Padded { get; private init; }

    /// <summary>Structured: sign masks (0 or 0x80000000), [block][round 0..2][P].</summary>
    public uint[] Flips { get; private init; } = [];

    /// <summary>Structured: radius of each frequency in turns, P^(-3/2) included; each 0 or in [2^-60, 2^40].</summary>
    public float[] Radii { get; private init; } = [];

    /// <summary>Dense: frequencies in turns, [m][d]; each 0 or of size in [2^-40, 2^40].</summary>
    public float[] Rows { get; private init; } = [];

    public static FourierMap Dense(int dimension, float[] rows, int groups) =>
        new(dimension, Checked(rows.Length / dimension, groups), groups) { Rows = rows };

    public static FourierMap Structured(int dimension, int padded, uint[] flips, float[] radii, int groups) =>
        new(dimension, Checked(radii.Length, groups), groups) { Padded = padded, Flips = flips, Radii = radii };

    static int Checked(int frequencies, int groups) =>
        groups >= 1 && frequencies % groups == 0
            ? frequencies
            : throw new InvalidFieldException("groups", groups, $"must divide the {frequencies} frequencies");
}
