using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>
/// The last factors of landmarks, by the SHA-256 of function and points: an estimate, its alternatives, the release and its
/// build need the same ones, and a factor of 4,096 landmarks takes seconds. Everything in it is public.
/// </summary>
sealed class LandmarkFactorCache(long capacityBytes)
{
    readonly Lock _lock = new();
    readonly LinkedList<(string Key, Lazy<float[]?> Factor, long Bytes)> _recent = new();
    long _bytes;

    /// <summary>Room for three of the largest factors.</summary>
    public static LandmarkFactorCache Shared { get; } = new(104L << 20);

    /// <summary>As <see cref="LandmarkFactor.InverseTriangle"/>; computed once for all who ask at the same time.</summary>
    public float[]? InverseTriangle(PairFunction function, float[] points, int dimension)
    {
        var head = new RecipeWriter();
        head.WriteText(function.Entry.Name);
        head.WriteDouble(function.Bandwidth);
        head.WriteDouble(function.Exponent);
        head.WriteInt32(dimension);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head.Written);
        hash.AppendData(MemoryMarshal.AsBytes<float>(points));
        long count = points.Length / dimension;
        return Find(
            Convert.ToHexString(hash.GetHashAndReset()), 2 * count * (count + 1),
            () => LandmarkFactor.InverseTriangle(function, points, dimension)).Value;
    }

    Lazy<float[]?> Find(string key, long bytes, Func<float[]?> compute)
    {
        lock (_lock)
        {
            for (var node = _recent.First; node is not null; node = node.Next)
                if (node.Value.Key == key)
                {
                    _recent.Remove(node);
                    _recent.AddFirst(node);
                    return node.Value.Factor;
                }
            var factor = new Lazy<float[]?>(compute);
            _recent.AddFirst((key, factor, bytes));
            _bytes += bytes;
            while (_bytes > capacityBytes && _recent.Count > 1)
            {
                _bytes -= _recent.Last!.Value.Bytes;
                _recent.RemoveLast();
            }
            return factor;
        }
    }
}
