using System.Text.Json;
using Google.Protobuf;

namespace PrivateKernels.Client;

/// <summary>
/// A signed position of a ledger in a small JSON file: ledger_id, hash and mac in hex, epoch and sequence. Whoever keeps
/// them can prove later that a ledger was rolled back or forked.
/// </summary>
public static class CertificateFile
{
    /// <summary>Where <see cref="ReleaseHandle"/> saves the certificate of a downloaded file.</summary>
    public static string Beside(string path) => path + ".certificate.json";

    public static void Write(string path, V1.LedgerPosition certificate) => File.WriteAllText(path, JsonSerializer.Serialize(
        new Fields(
            Convert.ToHexStringLower(certificate.LedgerId.Span), certificate.Epoch, certificate.Sequence,
            Convert.ToHexStringLower(certificate.Hash.Span), Convert.ToHexStringLower(certificate.Mac.Span)), Format));

    /// <summary>Reads a certificate, or the head of an export; throws <see cref="InvalidDataException"/> on other files.</summary>
    public static V1.LedgerPosition Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("ledger", out JsonElement head)) root = head;
            Fields fields = root.Deserialize<Fields>(Format)!;
            return new()
            {
                LedgerId = Bytes(fields.LedgerId),
                Epoch = fields.Epoch,
                Sequence = fields.Sequence,
                Hash = Bytes(fields.Hash),
                Mac = Bytes(fields.Mac),
            };
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentNullException)
        {
            throw new InvalidDataException($"{Path.GetFileName(path)} is not a certificate of a ledger.", e);
        }
    }

    static readonly JsonSerializerOptions Format = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    static ByteString Bytes(string hex) => ByteString.CopyFrom(Convert.FromHexString(hex));

    sealed record Fields(string LedgerId, long Epoch, long Sequence, string Hash, string Mac);
}
