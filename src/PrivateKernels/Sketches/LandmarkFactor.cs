using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>
/// L^-1 for k(Z, Z) + lambda I = L L' in fp64, rounded to fp32. Sums have a fixed order and a fixed register width, so
/// the bits do not depend on processor or number of threads.
/// </summary>
static unsafe class LandmarkFactor
{
    /// <summary>lambda: what is added to the diagonal of k(Z, Z).</summary>
    internal const double Regularization = 1e-6;

    const int Rows = 4;

    /// <summary>
    /// The lower triangle of L^-1, row after row; null if k(Z, Z) is not positive definite to fp64, or if an entry
    /// passes <see cref="LandmarkMap.LargestEntry"/>.
    /// </summary>
    public static float[]? InverseTriangle(PairFunction function, float[] points, int dimension)
    {
        int n = points.Length / dimension, stride = (n + Rows - 1) / Rows * Rows;
        var lower = new double[(long)stride * stride];
        fixed (double* pinned = lower)
        fixed (float* pinnedPoints = points)
        {
            double* l = pinned;
            float* z = pinnedPoints;
            Parallel.For(0, n, i => FillRow(function, z, dimension, i, l + (nint)i * stride));
            for (int i = 0; i < n; i += Rows)
                if (!Factor(l, stride, i, Math.Min(Rows, n - i))) return null;
            return Invert(l, stride, n);
        }
    }

    static void FillRow(PairFunction function, float* z, int d, int i, double* row)
    {
        bool absolute = function.Geometry == PairGeometry.L1;
        for (int j = 0; j < i; j++) row[j] = function.Profile(Distance(z + (nint)i * d, z + (nint)j * d, d, absolute));
        row[i] = 1 + Regularization;
    }

    static double Distance(float* x, float* y, int d, bool absolute)
    {
        Vector256<double> sums = default;
        int k = 0;
        for (; k + 4 <= d; k += 4)
        {
            Vector256<double> t = Widen(x + k) - Widen(y + k);
            sums = absolute ? sums + Vector256.Abs(t) : Vector256.FusedMultiplyAdd(t, t, sums);
        }
        double sum = Total(sums);
        for (; k < d; k++)
        {
            double t = (double)x[k] - y[k];
            sum += absolute ? Math.Abs(t) : t * t;
        }
        return sum;
    }

    /// <summary>Rows i .. i + count - 1 of the Cholesky factor, in place; false if a pivot is not positive.</summary>
    static bool Factor(double* l, int stride, int i, int count)
    {
        double* rows = l + (nint)i * stride;
        Substitute(l, stride, rows, 0, i);
        for (int r = 0; r < count; r++)
            for (int c = 0; c <= r; c++)
            {
                double* own = rows + (nint)r * stride, other = rows + (nint)c * stride;
                double rest = own[i + c] - Dot(own, other, i + c);
                if (c < r) own[i + c] = rest / other[i + c];
                else if (rest > 0) own[i + c] = Math.Sqrt(rest);
                else return false;
            }
        return true;
    }

    static float[]? Invert(double* l, int stride, int n)
    {
        var triangle = new float[(long)n * (n + 1) / 2];
        int blocks = stride / Rows;
        bool sound = true;
        Parallel.For(0, blocks, () => new double[Rows * stride], (block, _, columns) =>
        {
            int first = block * Rows;
            Array.Clear(columns);
            for (int r = 0; r < Rows; r++) columns[r * stride + first + r] = 1;
            fixed (double* x = columns) Substitute(l, stride, x, first, n);
            for (int i = first; i < n; i++)
                for (int r = 0; r < Rows && first + r <= i; r++)
                {
                    float entry = (float)columns[r * stride + i];
                    if (!(Math.Abs(entry) <= LandmarkMap.LargestEntry)) Volatile.Write(ref sound, false);
                    triangle[(long)i * (i + 1) / 2 + first + r] = entry;
                }
            return columns;
        }, static _ => { });
        return sound ? triangle : null;
    }

    /// <summary>
    /// Solves L y = x for four rows x of <paramref name="stride"/> at once, in place, in the columns from
    /// <paramref name="from"/> (a multiple of four, nothing but zeros before it) up to <paramref name="to"/>.
    /// </summary>
    static void Substitute(double* l, int stride, double* x, int from, int to)
    {
        double* x1 = x + stride, x2 = x1 + stride, x3 = x2 + stride;
        for (int j = from; j < to; j += 2)
        {
            double* a = l + (nint)j * stride, b = a + stride;
            Vector256<double> s0 = default, s1 = default, s2 = default, s3 = default;
            Vector256<double> t0 = default, t1 = default, t2 = default, t3 = default;
            int whole = from + (j - from) / 4 * 4;
            for (int k = from; k < whole; k += 4)
            {
                Vector256<double> u = Vector256.Load(a + k), v = Vector256.Load(b + k), y = Vector256.Load(x + k);
                s0 = Vector256.FusedMultiplyAdd(y, u, s0);
                t0 = Vector256.FusedMultiplyAdd(y, v, t0);
                y = Vector256.Load(x1 + k);
                s1 = Vector256.FusedMultiplyAdd(y, u, s1);
                t1 = Vector256.FusedMultiplyAdd(y, v, t1);
                y = Vector256.Load(x2 + k);
                s2 = Vector256.FusedMultiplyAdd(y, u, s2);
                t2 = Vector256.FusedMultiplyAdd(y, v, t2);
                y = Vector256.Load(x3 + k);
                s3 = Vector256.FusedMultiplyAdd(y, u, s3);
                t3 = Vector256.FusedMultiplyAdd(y, v, t3);
            }

            bool both = j + 1 < to;
            Finish(x, a, b, whole, j, both, Total(s0), Total(t0));
            Finish(x1, a, b, whole, j, both, Total(s1), Total(t1));
            Finish(x2, a, b, whole, j, both, Total(s2), Total(t2));
            Finish(x3, a, b, whole, j, both, Total(s3), Total(t3));
        }
    }

    static void Finish(double* x, double* a, double* b, int whole, int j, bool both, double s, double t)
    {
        for (int k = whole; k < j; k++)
        {
            s += x[k] * a[k];
            t += x[k] * b[k];
        }
        x[j] = (x[j] - s) / a[j];
        if (both) x[j + 1] = (x[j + 1] - (t + x[j] * b[j])) / b[j + 1];
    }

    static double Dot(double* x, double* y, int count)
    {
        Vector256<double> sums = default;
        int k = 0;
        for (; k + 4 <= count; k += 4)
            sums = Vector256.FusedMultiplyAdd(Vector256.Load(x + k), Vector256.Load(y + k), sums);
        double sum = Total(sums);
        for (; k < count; k++) sum += x[k] * y[k];
        return sum;
    }

    static Vector256<double> Widen(float* from) => Vector256.WidenLower(Vector128.Load(from).ToVector256Unsafe());

    static double Total(Vector256<double> v) => (v[0] + v[2]) + (v[1] + v[3]);
}
