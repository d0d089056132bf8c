using System.Buffers;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace PrivateKernels.Server;

/// <summary>
/// The elements of a packed field as memory, without a copy. The field must not grow while it is in use.
/// </summary>
sealed class FieldMemory<T>(RepeatedField<T> field) : MemoryManager<T>
    where T : unmanaged
{
    internal static Memory<T> Of(RepeatedField<T> field) => field.Count == 0 ? default : new FieldMemory<T>(field).Memory;

    public override Span<T> GetSpan() => UnsafeCollectionOperations.AsSpan(field);

    public override MemoryHandle Pin(int elementIndex = 0) =>
        throw new NotSupportedException("a field is read through its span");

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
