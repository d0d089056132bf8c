namespace PrivateKernels;

/// <summary>Shortens an integer vector to a bound on its L2 norm, in integers alone.</summary>
public static class NormClamp
{
    /// <summary>
    /// Guarantee: afterwards sum v_j^2 is at most <paramref name="squaredBound"/>, whatever v was. With N = sum v_j^2 above
    /// the bound B^2: f = floor(isqrt(B^2) 2^30 / ceil(sqrt N)), v_j = sign(v_j) ((|v_j| f) >> 30); since f/2^30 is at most
    /// B/sqrt N, the new norm is at most B. It is checked again, and a vector that failed would become zero.
    /// </summary>
    /// <param name="v">Entries of size at most 2^30 whose squares sum to less than 2^63.</param>
    /// <param name="squaredBound">B^2, an integer of at most 2^60.</param>
    public static void Apply(Span<int> v, long squaredBound)
    {
        long norm = SquaredNorm(v);
        if (norm <= squaredBound) return;
        long factor = (IntegerSquareRoot(squaredBound) << 30) / CeilingSquareRoot(norm);
        for (int j = 0; j < v.Length; j++)
        {
            int size = (int)((Math.Abs((long)v[j]) * factor) >> 30);
            v[j] = v[j] < 0 ? -size : size;
        }
        if (SquaredNorm(v) > squaredBound) v.Clear();
    }

    /// <summary>Sum of squares, exact.</summary>
    public static long SquaredNorm(ReadOnlySpan<int> v)
    {
        long sum = 0;
        foreach (int x in v) sum += (long)x * x;
        return sum;
    }

    /// <summary>floor(sqrt n) for n at least 0.</summary>
    public static long IntegerSquareRoot(long n)
    {
        long root = (long)Math.Sqrt(n);
        while (root * root > n) root--;
        while ((root + 1) * (root + 1) <= n) root++;
        return root;
    }

    static long CeilingSquareRoot(long n)
    {
        long root = IntegerSquareRoot(n);
        return root * root == n ? root : root + 1;
    }
}
