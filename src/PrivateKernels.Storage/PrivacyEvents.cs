using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PrivateKernels.Storage;

/// <summary>
/// An account as DpEvents that a third party can price: class and field names as in the library dp_accounting, so that
/// its accountants read them. Holds and losses are flagged; they are part of the sum.
/// </summary>
/// <remarks>
/// Gaussian: noise_multiplier = sigma / (max_records_per_unit C) with C the norm bound of one record. That library doubles
/// the sensitivity under REPLACE_ONE itself, so the factor 2 in the ledger's sensitivity is taken out. Discrete Laplace: the
/// epsilon of the price with delta 0, rounded up. The library's own event for that noise cannot be priced: it lists every
/// integer up to the sensitivity (gigabytes at 10^7; releases have up to 10^9), knows no REPLACE_ONE, and says infinity at
/// delta 0.
/// </remarks>
static class PrivacyEvents
{
    static readonly JsonWriterOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>UTF-8 text of one JSON document.</summary>
    /// <param name="account">Whose entries these are.</param>
    /// <param name="entries">All of them up to the head, in order.</param>
    /// <param name="head">Certificate of the last entry of the ledger.</param>
    internal static string ToJson(AccountRow account, IReadOnlyList<LedgerRow> entries, LedgerCertificate head)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Format))
        {
            json.WriteStartObject();
            json.WriteString("neighboring_relation", account.Adjacency == Adjacency.ReplaceOne ? "REPLACE_ONE" : "ADD_OR_REMOVE_ONE");
            json.WriteString("population", account.Population);
            WriteHead(json, head);
            json.WriteStartObject("event");
            json.WriteString("class_name", "ComposedDpEvent");
            json.WriteStartArray("events");
            Dictionary<string, LedgerEntryKind> resolved = Resolved(entries);
            foreach (LedgerRow entry in entries) WriteEvent(json, account, entry, resolved);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    static void WriteHead(Utf8JsonWriter json, LedgerCertificate head)
    {
        json.WriteStartObject("ledger");
        json.WriteString("ledger_id", Convert.ToHexStringLower(head.Position.LedgerId.Span));
        json.WriteNumber("epoch", head.Position.Epoch);
        json.WriteNumber("sequence", head.Position.Sequence);
        json.WriteString("hash", Convert.ToHexStringLower(head.Position.Hash.Span));
        json.WriteString("mac", Convert.ToHexStringLower(head.Mac.Span));
        json.WriteEndObject();
    }

    /// <summary>How each reservation ended; those that are not in it are held.</summary>
    static Dictionary<string, LedgerEntryKind> Resolved(IReadOnlyList<LedgerRow> entries)
    {
        var open = new HashSet<string>();
        var resolved = new Dictionary<string, LedgerEntryKind>();
        foreach (LedgerRow entry in entries)
        {
            string id = Convert.ToHexString(entry.Body.ReservationId.Span);
            if (entry.Kind == LedgerEntryKind.Reserve) open.Add(id);
            if (entry.Kind is LedgerEntryKind.Post or LedgerEntryKind.Void && open.Remove(id)) resolved[id] = entry.Kind;
            if (entry.Kind != LedgerEntryKind.Recover) continue;
            foreach (string held in open) resolved[held] = entry.Kind;
            open.Clear();
        }
        return resolved;
    }

    static void WriteEvent(
        Utf8JsonWriter json, AccountRow account, LedgerRow entry, Dictionary<string, LedgerEntryKind> resolved)
    {
        if (entry.Kind == LedgerEntryKind.Recover && entry.Units > 0)
        {
            json.WriteStartObject();
            WriteLoss(json, account, entry.Units);
            json.WriteBoolean("recovered", true);
            json.WriteEndObject();
        }
        if (entry.Kind != LedgerEntryKind.Reserve) return;
        LedgerEntryKind end = resolved.GetValueOrDefault(Convert.ToHexString(entry.Body.ReservationId.Span));
        // What a RECOVER entry charged is in that entry; what was returned was never disclosed.
        if (end is LedgerEntryKind.Void or LedgerEntryKind.Recover) return;
        json.WriteStartObject();
        if (entry.Body.Mechanism == MechanismKind.RoundedNormal) WriteGaussian(json, account, entry.Body);
        else WriteLaplace(json, account, entry);
        json.WriteString("release", $"datasets/{entry.Body.Dataset}/releases/{entry.Body.Release}");
        if (end != LedgerEntryKind.Post) json.WriteBoolean("reserved", true);
        json.WriteEndObject();
    }

    static void WriteGaussian(Utf8JsonWriter json, AccountRow account, LedgerEntryBody body)
    {
        double oneRecord = account.Adjacency == Adjacency.ReplaceOne ? body.Sensitivity / 2 : body.Sensitivity;
        json.WriteString("class_name", "GaussianDpEvent");
        json.WriteNumber("noise_multiplier", body.NoiseScale / oneRecord);
    }

    static void WriteLaplace(Utf8JsonWriter json, AccountRow account, LedgerRow entry) => WriteEpsilon(
        json, account.Unit == CostUnit.Epsilon ? Exact(entry.Units) : Math.BitIncrement(entry.Body.Sensitivity / entry.Body.NoiseScale));

    static void WriteLoss(Utf8JsonWriter json, AccountRow account, long units)
    {
        if (account.Unit == CostUnit.Epsilon)
        {
            WriteEpsilon(json, Exact(units));
            return;
        }
        double noise = 1 / Math.Sqrt(Exact(units));
        json.WriteString("class_name", "GaussianDpEvent");
        json.WriteNumber("noise_multiplier", account.Adjacency == Adjacency.ReplaceOne ? 2 * noise : noise);
    }

    static void WriteEpsilon(Utf8JsonWriter json, double epsilon)
    {
        json.WriteString("class_name", "EpsilonDeltaDpEvent");
        json.WriteNumber("epsilon", epsilon);
        json.WriteNumber("delta", 0);
    }

    /// <summary>units 2^-40, rounded up where a double cannot hold it.</summary>
    static double Exact(long units)
    {
        double value = units * (1.0 / (1L << 40));
        return (Int128)(value * (1L << 40)) < units ? Math.BitIncrement(value) : value;
    }
}
