using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace PrivateKernels;

/// <summary>Little-endian fields of release files, in a growing buffer; <see cref="RecipeReader"/> reads them back.</summary>
public sealed class RecipeWriter
{
    readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public void WriteInt32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.GetSpan(4), value);
        _bytes.Advance(4);
    }

    public void WriteInt64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(_bytes.GetSpan(8), value);
        _bytes.Advance(8);
    }

    public void WriteDouble(double value) => WriteInt64(BitConverter.DoubleToInt64Bits(value));

    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        WriteInt32(value.Length);
        _bytes.Write(value);
    }

    /// <summary>Bytes without a length before them.</summary>
    public void WriteRaw(ReadOnlySpan<byte> value) => _bytes.Write(value);

    public void WriteText(string value) => WriteBytes(Encoding.UTF8.GetBytes(value));

    public void WritePosition(LedgerPosition position)
    {
        WriteBytes(position.LedgerId.Span);
        WriteInt64(position.Epoch);
        WriteInt64(position.Sequence);
        WriteBytes(position.Hash.Span);
    }

    public void WriteCost(PrivacyCost cost)
    {
        WriteInt32((int)cost.Unit);
        WriteInt64(cost.Units);
    }

    public void WriteSingles(ReadOnlySpan<float> values)
    {
        WriteInt32(values.Length);
        foreach (float value in values) WriteInt32(BitConverter.SingleToInt32Bits(value));
    }
}
