using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;

namespace PrivateKernels.Storage;

/// <summary>What an entry says beyond its kind and amount. Unset fields are empty or 0.</summary>
public sealed record LedgerEntryBody
{
    public string Population { get; init; } = "";

    /// <summary>Id of the dataset; empty for account entries.</summary>
    public string Dataset { get; init; } = "";

    public string DatasetUid { get; init; } = "";

    /// <summary>Id of the release; empty for account entries.</summary>
    public string Release { get; init; } = "";

    public string ReleaseUid { get; init; } = "";

    /// <summary>16 bytes; RESERVE, POST and VOID.</summary>
    public ReadOnlyMemory<byte> ReservationId { get; init; }

    /// <summary>RESERVE: scope of idempotency, with <see cref="RequestHash"/>.</summary>
    public string RequestId { get; init; } = "";

    public ReadOnlyMemory<byte> RequestHash { get; init; }

    /// <summary>RESERVE: SHA-256 over uids and SHA-256s of the snapshot's segments.</summary>
    public ReadOnlyMemory<byte> SnapshotDigest { get; init; }

    /// <summary>RESERVE: SHA-256 of the recipe.</summary>
    public ReadOnlyMemory<byte> Fingerprint { get; init; }

    /// <summary>RESERVE and POST: mechanism, or 0.</summary>
    public MechanismKind Mechanism { get; init; }

    /// <summary>Noise scale in cell units.</summary>
    public double NoiseScale { get; init; }

    /// <summary>Norm bound of one unit's contribution in cell units.</summary>
    public double Sensitivity { get; init; }

    /// <summary>OPEN: the account's unit.</summary>
    public CostUnit Unit { get; init; }

    public Adjacency Adjacency { get; init; }

    /// <summary>OPEN: the account's display delta.</summary>
    public double DisplayDelta { get; init; }

    /// <summary>Account after the entry, as are the next two.</summary>
    public long LimitUnits { get; init; }

    public long SpentUnits { get; init; }

    public long ReservedUnits { get; init; }

    /// <summary>POST: SHA-256 of the release file.</summary>
    public ReadOnlyMemory<byte> ReleaseSha256 { get; init; }

    /// <summary>DATASET: SHA-256 of the definition.</summary>
    public ReadOnlyMemory<byte> DefinitionSha256 { get; init; }

    /// <summary>LIMIT: the owner's text. RECOVER: from where the ledger goes on.</summary>
    public string Reason { get; init; } = "";

    /// <summary>RECOVER: certificates that were shown, each ledger id, epoch, sequence, hash, mac (96 bytes).</summary>
    public ReadOnlyMemory<byte> Certificates { get; init; }

    /// <summary>A protobuf message of the fields in order, unset ones left out: the same body always gives the same bytes.</summary>
    internal byte[] ToBytes()
    {
        using var writer = new BodyWriter();
        writer.Write(1, Population);
        writer.Write(2, Dataset);
        writer.Write(3, DatasetUid);
        writer.Write(4, Release);
        writer.Write(5, ReleaseUid);
        writer.Write(6, ReservationId);
        writer.Write(7, RequestId);
        writer.Write(8, RequestHash);
        writer.Write(9, SnapshotDigest);
        writer.Write(10, Fingerprint);
        writer.Write(11, (long)Mechanism);
        writer.Write(12, NoiseScale);
        writer.Write(13, Sensitivity);
        writer.Write(14, (long)Unit);
        writer.Write(15, (long)Adjacency);
        writer.Write(16, DisplayDelta);
        writer.Write(17, LimitUnits);
        writer.Write(18, SpentUnits);
        writer.Write(19, ReservedUnits);
        writer.Write(20, ReleaseSha256);
        writer.Write(21, DefinitionSha256);
        writer.Write(22, Reason);
        writer.Write(23, Certificates);
        return writer.ToBytes();
    }

    /// <summary>Reads <see cref="ToBytes"/> back; throws <see cref="InvalidDataException"/> on other bytes.</summary>
    internal static LedgerEntryBody FromBytes(byte[] bytes)
    {
        var reader = new BodyFields(bytes);
        return new()
        {
            Population = reader.Text(1),
            Dataset = reader.Text(2),
            DatasetUid = reader.Text(3),
            Release = reader.Text(4),
            ReleaseUid = reader.Text(5),
            ReservationId = reader.Bytes(6),
            RequestId = reader.Text(7),
            RequestHash = reader.Bytes(8),
            SnapshotDigest = reader.Bytes(9),
            Fingerprint = reader.Bytes(10),
            Mechanism = (MechanismKind)reader.Int64(11),
            NoiseScale = reader.Double(12),
            Sensitivity = reader.Double(13),
            Unit = (CostUnit)reader.Int64(14),
            Adjacency = (Adjacency)reader.Int64(15),
            DisplayDelta = reader.Double(16),
            LimitUnits = reader.Int64(17),
            SpentUnits = reader.Int64(18),
            ReservedUnits = reader.Int64(19),
            ReleaseSha256 = reader.Bytes(20),
            DefinitionSha256 = reader.Bytes(21),
            Reason = reader.Text(22),
            Certificates = reader.Bytes(23),
        };
    }
}

/// <summary>Writes protobuf fields in the order of the calls; zeros and empty values are left out.</summary>
sealed class BodyWriter : IDisposable
{
    readonly MemoryStream _stream = new();
    readonly CodedOutputStream _output;

    internal BodyWriter() => _output = new(_stream, leaveOpen: true);

    internal void Write(int field, string value)
    {
        if (value.Length == 0) return;
        _output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        _output.WriteString(value);
    }

    internal void Write(int field, ReadOnlyMemory<byte> value)
    {
        if (value.IsEmpty) return;
        _output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        _output.WriteBytes(ByteString.CopyFrom(value.Span));
    }

    internal void Write(int field, long value)
    {
        if (value == 0) return;
        _output.WriteTag(field, WireFormat.WireType.Varint);
        _output.WriteInt64(value);
    }

    internal void Write(int field, double value)
    {
        if (value == 0) return;
        _output.WriteTag(field, WireFormat.WireType.Fixed64);
        _output.WriteDouble(value);
    }

    internal byte[] ToBytes()
    {
        _output.Flush();
        return _stream.ToArray();
    }

    public void Dispose()
    {
        _output.Dispose();
        _stream.Dispose();
    }
}

/// <summary>
/// The fields of a body by number. A start reads every entry there is, so this allocates two arrays and copies nothing.
/// </summary>
sealed class BodyFields
{
    const int Fields = 32;

    readonly ReadOnlyMemory<byte> _all;
    readonly long[] _numbers = new long[Fields];
    readonly ReadOnlyMemory<byte>[] _bytes = new ReadOnlyMemory<byte>[Fields];
    int _at;

    internal BodyFields(byte[] bytes)
    {
        _all = bytes;
        while (_at < _all.Length)
        {
            long tag = ReadVarint();
            long field = tag >> 3;
            if (field is < 1 or >= Fields) throw Unreadable();
            switch ((WireFormat.WireType)(tag & 7))
            {
                case WireFormat.WireType.Varint:
                    _numbers[field] = ReadVarint();
                    break;
                case WireFormat.WireType.Fixed64:
                    _numbers[field] = BinaryPrimitives.ReadInt64LittleEndian(Take(8).Span);
                    break;
                case WireFormat.WireType.LengthDelimited:
                    _bytes[field] = Take(ReadVarint());
                    break;
                default:
                    throw Unreadable();
            }
        }
    }

    internal string Text(int field) => Encoding.UTF8.GetString(_bytes[field].Span);

    internal ReadOnlyMemory<byte> Bytes(int field) => _bytes[field];

    internal long Int64(int field) => _numbers[field];

    internal double Double(int field) => BitConverter.Int64BitsToDouble(_numbers[field]);

    ReadOnlyMemory<byte> Take(long count)
    {
        if (count < 0 || count > _all.Length - _at) throw Unreadable();
        ReadOnlyMemory<byte> taken = _all.Slice(_at, (int)count);
        _at += (int)count;
        return taken;
    }

    long ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Take(1).Span[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return (long)value;
        }
        throw Unreadable();
    }

    static InvalidDataException Unreadable() => new("the body of a ledger entry cannot be read");
}
