using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>An account as the wire has it, read from the ledger itself: beside its servers or without one.</summary>
/// <param name="Budget">As an owner sees it.</param>
/// <param name="Entries">All of them, oldest first.</param>
/// <param name="EventsJson">The same as DpEvents.</param>
public sealed record StoredLedger(V1.Budget Budget, IReadOnlyList<V1.LedgerEntry> Entries, string EventsJson)
{
    /// <summary>Reads it after the checks of <see cref="LedgerAudit.Verify"/>, and with their refusals.</summary>
    public static StoredLedger Read(string path, StorageOptions options, string dataset)
    {
        AccountReport report = LedgerAudit.ReadAccount(path, options, dataset);
        return new(
            DatasetWire.ToWire(report.Account, dataset, holds: true), [.. report.Entries.Select(DatasetWire.ToWire)],
            report.EventsJson);
    }
}
