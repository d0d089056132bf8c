using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PrivateKernels;

/// <summary>Exact sums over public points of |z|_p^p, in fp64 throughout: no fp32 power is accurate enough.</summary>
static unsafe class PowerSums
{
    const int PointsPerItem = 256;

    public static void Add(Workers workers, double p, float* x, int points, float* y, int queries, int d, double* sums)
    {
        int items = (points + PointsPerItem - 1) / PointsPerItem;
        // One partial sum per item and query, added in item order: the same bits for every number of threads.
        var partial = new double[items * queries];
        workers.Run(items, (item, _) =>
        {
            for (int n = item * PointsPerItem; n < Math.Min(points, (item + 1) * PointsPerItem); n++)
                for (int q = 0; q < queries; q++)
                    partial[item * queries + q] += Distance(x + (nint)n * d, y + (nint)q * d, d, p);
        });
        for (int item = 0; item < items; item++)
            for (int q = 0; q < queries; q++) sums[q] += partial[item * queries + q];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Distance(float* x, float* y, int d, double p)
    {
        var sums = Vector256<double>.Zero;
        int k = 0;
        for (; k + 4 <= d; k += 4)
        {
            Vector256<double> z = Vector256.Abs(Widen(x + k) - Widen(y + k)), square = z * z;
            sums += p switch
            {
                0.5 => Vector256.Sqrt(z),
                1 => z,
                1.5 => z * Vector256.Sqrt(z),
                2 => square,
                4 => square * square,
                6 => square * square * square,
                // Of 0 the logarithm is minus infinity, and the power 0.
                _ => Vector256.Exp(p * Vector256.Log(z)),
            };
        }
        double sum = Vector256.Sum(sums);
        for (; k < d; k++) sum += Math.Pow(Math.Abs((double)x[k] - y[k]), p);
        return sum;
    }

    static Vector256<double> Widen(float* from)
    {
        (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(Vector128.Load(from));
        return Vector256.Create(lower, upper);
    }
}
