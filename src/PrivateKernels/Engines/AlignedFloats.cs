using System.Runtime.InteropServices;

namespace PrivateKernels;

/// <summary>
/// Memory outside the garbage collector's heap, aligned to cache lines; grows, and forgets its content then.
/// </summary>
sealed unsafe class AlignedFloats : IDisposable
{
    const nuint LineBytes = 64;

    float* _memory;
    nint _capacity;

    ~AlignedFloats() => Free();

    /// <summary>At least <paramref name="count"/> floats, not initialised.</summary>
    public float* Take(nint count)
    {
        if (count > _capacity)
        {
            Free();
            _memory = (float*)NativeMemory.AlignedAlloc(checked((nuint)count * sizeof(float)), LineBytes);
            _capacity = count;
        }
        return _memory;
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    void Free()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        _capacity = 0;
    }
}
