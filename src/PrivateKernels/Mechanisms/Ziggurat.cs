using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Draws exactly from the density proportional to f(x) = e^-t(x) on x at least 0, t(x) = x^2/2 or x, by rejection from
/// a stack of rectangles of equal area (Marsaglia and Tsang 2000) whose sides are exact fractions.
/// </summary>
/// <remarks>
/// <para>
/// Shape, with w and a integers: layer i is [0, X_i) x [Y_i, Y_(i+1)), X_i integers in units of 2^-32, X_0 = w,
/// Y_0 = 0, Y_(i+1) = Y_i + A/X_i; so every layer has the area A. In layer 0 the part x at least r = 3w/4 is replaced
/// by a staircase of the same area over x at least r: columns j = 0, 1, ... of width c = w/8 and height Y_1 2^-j
/// (their widths weighted so sum to 2c = w/4).
/// </para>
/// <para>
/// Guarantee: a point uniform under the stack and below f has x of the density wanted, given that the stack covers the
/// graph of f. It does, and the constructor proves it in integers (enclosures of e^-t): f(X_i) is at most Y_i, so
/// beyond X_i the graph is below layer i; the top Y_256 is at least 1 = f(0); f(r) is at most Y_1, and f falls by more
/// than half over each column, since t(r + (j+1)c) - t(r + jc) is at least rc (normal, 2.3) or c (exponential, 1.3),
/// above ln 2. x and y are reals with lazily drawn digits. A point is taken or refused only when its known digits
/// decide it for all ways to go on: inside the inner part (proved below f by the constructor), or by an fp64
/// comparison of y e^t(x) and 1 with a margin of 2^-34 against an error below 2^-42 (<see cref="InverseOfDensity"/>:
/// sums, products and quotients only, IEEE 754 on every machine), or by enclosures with as many digits as it takes. So
/// the digits of x not drawn yet stay uniform, and the law is exact for ideal bits.
/// </para>
/// </remarks>
sealed class Ziggurat
{
    public const int Layers = 256;

    const int TableBits = 128;
    const double TwoToMinus32 = 1.0 / 4294967296;
    const double TwoToMinus64 = TwoToMinus32 * TwoToMinus32;

    /// <summary>2^-34.</summary>
    const double Margin = TwoToMinus32 / 4;

    readonly bool _squared;
    readonly ulong[] _width = new ulong[Layers];
    readonly ulong[] _inner = new ulong[Layers];
    readonly double[] _bottom = new double[Layers];
    readonly double[] _height = new double[Layers];

    /// <summary>2^64 A.</summary>
    readonly BigInteger _area;

    /// <param name="squared">True for the half normal law, false for the exponential one.</param>
    /// <param name="width">w 2^32, a multiple of 8: the widest for which 256 layers reach the top of f.</param>
    Ziggurat(bool squared, ulong width)
    {
        _squared = squared;
        _width[0] = width;
        _area = -(-Density(width / 4 * 3).High * width >> (TableBits - 32));
        BigInteger bottom = 0;
        for (int i = 0; i < Layers; i++)
        {
            _bottom[i] = ToDouble(bottom);
            _height[i] = (double)_area / _width[i] * TwoToMinus32;
            // Y_(i+1) lies less than i + 1 units of 2^-128 above its sum of quotients rounded down.
            BigInteger top = bottom + ((_area << (TableBits - 32)) / _width[i]);
            if (i + 1 < Layers) _width[i + 1] = Beyond(top);
            _inner[i] = (ulong)((Within(top + i + 1) << 64) / _width[i]);
            bottom = top;
        }
        if (bottom < BigInteger.One << TableBits)
            throw new InvalidOperationException("256 layers do not reach the top");
    }

    public static Ziggurat Normal { get; } = new(squared: true, 21_293_190_000);

    public static Ziggurat Exponential { get; } = new(squared: false, 45_161_670_000);

    /// <summary>X_i 2^32.</summary>
    public ulong Width(int layer) => _width[layer];

    /// <summary>
    /// Whether x = X_layer (u + [0, 1)) 2^-64 is taken whatever y is. Otherwise <see cref="Resolve"/> decides.
    /// </summary>
    public bool IsInside(int layer, ulong u) => u < _inner[layer];

    /// <summary>
    /// Takes or refuses a point with the leading digits <paramref name="u"/>. If taken, x is <paramref name="point"/>,
    /// or X_layer (u + U) 2^-64 with U uniform and not drawn yet where that is null.
    /// </summary>
    public bool Resolve(int layer, ulong u, SecretBits bits, out LazyPoint? point)
    {
        point = null;
        if (layer == 0 && u >= 3UL << 62) return ResolveTail(bits, out point);
        ulong v = bits.Next();
        double x = _width[layer] * TwoToMinus32 * (u * TwoToMinus64);
        double y = _bottom[layer] + (v * TwoToMinus64 * _height[layer]);
        double excess = y * InverseOfDensity(_squared ? x * x / 2 : x);
        if (Math.Abs(excess - 1) > Margin) return excess < 1;
        point = new(0, _width[layer], new(u, bits));
        return IsBelow(new(v, bits), layer, 0, point);
    }

    /// <summary>
    /// Whether y = Y_layer + V 2^-column A/X_layer is below f(x), in exact arithmetic; column is above 0 only in the
    /// staircase.
    /// </summary>
    public bool IsBelow(LazyUniform v, int layer, int column, LazyPoint x)
    {
        for (int bits = TableBits; ; bits *= 2)
        {
            Enclosure y = Height(layer, column, bits) * v.At(bits);
            for (int k = 0; k < layer; k++) y += Height(k, 0, bits);
            if (Enclosure.IsBelow(y, Density(x.At(bits))) is { } decided) return decided;
        }
    }

    bool ResolveTail(SecretBits bits, out LazyPoint point)
    {
        // Column j has half the area of all columns from j on.
        int column = 0, zeros;
        do column += zeros = BitOperations.TrailingZeroCount(bits.Next());
        while (zeros == 64);
        BigInteger step = _width[0] / 8;
        point = new((6 + column) * step, step, new(bits.Next(), bits));
        return IsBelow(new(bits.Next(), bits), 0, column, point);
    }

    /// <summary>An x in units of 2^-32, near the least, with f(x) proven to be at most y 2^-128.</summary>
    ulong Beyond(BigInteger y)
    {
        ulong x = Guess(y);
        while (Density(x).High > y) x++;
        return x;
    }

    /// <summary>
    /// An x in units of 2^-32, near the largest, with f(x) proven to be at least y 2^-128; 0 for y above 1.
    /// </summary>
    BigInteger Within(BigInteger y)
    {
        ulong x = Guess(y);
        while (x > 0 && Density(x).Low < y) x--;
        return x;
    }

    ulong Guess(BigInteger y)
    {
        double exponent = Math.Max(-Math.Log(ToDouble(y)), 0);
        return (ulong)((_squared ? Math.Sqrt(2 * exponent) : exponent) / TwoToMinus32);
    }

    /// <summary>2^-column A/X_layer.</summary>
    Enclosure Height(int layer, int column, int bits) =>
        Enclosure.Of(new Rational(_area, (BigInteger)_width[layer] << (32 + column)), bits);

    /// <summary>f at x in units of 2^-32.</summary>
    Enclosure Density(ulong x) => Density(Enclosure.Of(new Rational(x, 1L << 32), TableBits));

    Enclosure Density(Enclosure x) => Enclosure.Of(1, x.Bits) / Enclosure.Exp(_squared ? x * x / 2 : x);

    static double ToDouble(BigInteger y) => (double)(y >> (TableBits - 64)) * TwoToMinus64;

    /// <summary>
    /// e^t for t in [0, 8]: ten terms of the series at z = t/64 in Horner's form, then six squarings. All numbers are
    /// positive, so errors only add up: below 2^-51 for the sum (an addition and a small term each), 2^-58 for the
    /// terms left out, times 64 by the squarings, is below 2^-44. With t known to 2^-47 and y to 2^-50, y e^t is known
    /// to 2^-42.
    /// </summary>
    static double InverseOfDensity(double t)
    {
        double z = t / 64, sum = 1;
        for (int n = 10; n >= 1; n--) sum = 1 + (sum * z / n);
        for (int k = 0; k < 6; k++) sum *= sum;
        return sum;
    }
}
