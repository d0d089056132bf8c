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

    /// <summary>RESERVE: <see cref="HashChain.SnapshotDigest"/>.</summary>
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
        writer.Write(BodyField.Population, Population);
        writer.Write(BodyField.Dataset, Dataset);
        writer.Write(BodyField.DatasetUid, DatasetUid);
        writer.Write(BodyField.Release, Release);
        writer.Write(BodyField.ReleaseUid, ReleaseUid);
        writer.Write(BodyField.ReservationId, ReservationId);
        writer.Write(BodyField.RequestId, RequestId);
        writer.Write(BodyField.RequestHash, RequestHash);
        writer.Write(BodyField.SnapshotDigest, SnapshotDigest);
        writer.Write(BodyField.Fingerprint, Fingerprint);
        writer.Write(BodyField.Mechanism, (long)Mechanism);
        writer.Write(BodyField.NoiseScale, NoiseScale);
        writer.Write(BodyField.Sensitivity, Sensitivity);
        writer.Write(BodyField.Unit, (long)Unit);
        writer.Write(BodyField.Adjacency, (long)Adjacency);
        writer.Write(BodyField.DisplayDelta, DisplayDelta);
        writer.Write(BodyField.LimitUnits, LimitUnits);
        writer.Write(BodyField.SpentUnits, SpentUnits);
        writer.Write(BodyField.ReservedUnits, ReservedUnits);
        writer.Write(BodyField.ReleaseSha256, ReleaseSha256);
        writer.Write(BodyField.DefinitionSha256, DefinitionSha256);
        writer.Write(BodyField.Reason, Reason);
        writer.Write(BodyField.Certificates, Certificates);
        return writer.ToBytes();
    }

    /// <summary>Reads <see cref="ToBytes"/> back; throws <see cref="InvalidDataException"/> on other bytes.</summary>
    internal static LedgerEntryBody FromBytes(byte[] bytes)
    {
        var reader = new BodyFields();
        reader.Read(bytes);
        return new()
        {
            Population = reader.Text(BodyField.Population),
            Dataset = reader.Text(BodyField.Dataset),
            DatasetUid = reader.Text(BodyField.DatasetUid),
            Release = reader.Text(BodyField.Release),
            ReleaseUid = reader.Text(BodyField.ReleaseUid),
            ReservationId = reader.Bytes(BodyField.ReservationId),
            RequestId = reader.Text(BodyField.RequestId),
            RequestHash = reader.Bytes(BodyField.RequestHash),
            SnapshotDigest = reader.Bytes(BodyField.SnapshotDigest),
            Fingerprint = reader.Bytes(BodyField.Fingerprint),
            Mechanism = (MechanismKind)reader.Int64(BodyField.Mechanism),
            NoiseScale = reader.Double(BodyField.NoiseScale),
            Sensitivity = reader.Double(BodyField.Sensitivity),
            Unit = (CostUnit)reader.Int64(BodyField.Unit),
            Adjacency = (Adjacency)reader.Int64(BodyField.Adjacency),
            DisplayDelta = reader.Double(BodyField.DisplayDelta),
            LimitUnits = reader.Int64(BodyField.LimitUnits),
            SpentUnits = reader.Int64(BodyField.SpentUnits),
            ReservedUnits = reader.Int64(BodyField.ReservedUnits),
            ReleaseSha256 = reader.Bytes(BodyField.ReleaseSha256),
            DefinitionSha256 = reader.Bytes(BodyField.DefinitionSha256),
            Reason = reader.Text(BodyField.Reason),
            Certificates = reader.Bytes(BodyField.Certificates),
        };
    }
}

/// <summary>Numbers of the fields in a body.</summary>
enum BodyField
{
    Population = 1,
    Dataset = 2,
    DatasetUid = 3,
    Release = 4,
    ReleaseUid = 5,
    ReservationId = 6,
    RequestId = 7,
    RequestHash = 8,
    SnapshotDigest = 9,
    Fingerprint = 10,
    Mechanism = 11,
    NoiseScale = 12,
    Sensitivity = 13,
    Unit = 14,
    Adjacency = 15,
    DisplayDelta = 16,
    LimitUnits = 17,
    SpentUnits = 18,
    ReservedUnits = 19,
    ReleaseSha256 = 20,
    DefinitionSha256 = 21,
    Reason = 22,
    Certificates = 23,
}

/// <summary>Writes protobuf fields in the order of the calls; zeros and empty values are left out.</summary>
sealed class BodyWriter : IDisposable
{
    readonly MemoryStream _stream = new();
    readonly CodedOutputStream _output;

    internal BodyWriter() => _output = new(_stream, 512, leaveOpen: true);

    internal void Write(BodyField field, string value)
    {
        if (value.Length == 0) return;
        _output.WriteTag((int)field, WireFormat.WireType.LengthDelimited);
        _output.WriteString(value);
    }

    internal void Write(BodyField field, ReadOnlyMemory<byte> value)
    {
        if (value.IsEmpty) return;
        _output.WriteTag((int)field, WireFormat.WireType.LengthDelimited);
        _output.WriteBytes(ByteString.CopyFrom(value.Span));
    }

    internal void Write(BodyField field, long value)
    {
        if (value == 0) return;
        _output.WriteTag((int)field, WireFormat.WireType.Varint);
        _output.WriteInt64(value);
    }

    internal void Write(BodyField field, double value)
    {
        if (value == 0) return;
        _output.WriteTag((int)field, WireFormat.WireType.Fixed64);
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

/// <summary>The fields of a body by number, read again and again into the same memory: a start reads every entry there is.</summary>
sealed class BodyFields
{
    const int Fields = 32;

    ReadOnlyMemory<byte> _all;
    readonly long[] _numbers = new long[Fields];
    readonly ReadOnlyMemory<byte>[] _bytes = new ReadOnlyMemory<byte>[Fields];
    int _at;

    /// <summary>Takes other bytes, which must stay as they are; <see cref="InvalidDataException"/> if they are no body.</summary>
    internal void Read(byte[] bytes)
    {
        (_all, _at) = (bytes, 0);
        Array.Clear(_numbers);
        Array.Clear(_bytes);
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

    /// <summary>Whether the text of a field is this one.</summary>
    internal bool Is(BodyField field, ReadOnlySpan<char> text)
    {
        ReadOnlySpan<byte> bytes = _bytes[(int)field].Span;
        return Ascii.Equals(bytes, text) || text.SequenceEqual(Encoding.UTF8.GetString(bytes));
    }

    internal string Text(BodyField field) => Encoding.UTF8.GetString(_bytes[(int)field].Span);

    internal ReadOnlyMemory<byte> Bytes(BodyField field) => _bytes[(int)field];

    internal long Int64(BodyField field) => _numbers[(int)field];

    internal double Double(BodyField field) => BitConverter.Int64BitsToDouble(_numbers[(int)field]);

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
