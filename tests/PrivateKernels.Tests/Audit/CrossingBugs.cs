using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>Bugs in receipts, and in what leaves beside the noisy cells.</summary>
static class CrossingBugs
{
    public static IReadOnlyList<PrivacyBug> All { get; } =
    [
        new("a retry draws noise again", ["receipts"], static product => product with
        {
            Invoke = (measurement, receipt, batches) => product.Invoke(measurement, Renewed(receipt), batches),
        }),
        new("a receipt pays for any recipe of the same price", ["receipts"], static product => product with
        {
            Invoke = (measurement, receipt, batches) =>
            {
                bool samePrice = measurement.Cost(receipt.Cost.Unit) == receipt.Cost;
                Receipt accepted = samePrice ? AuditedProduct.ReceiptFor(measurement) : receipt;
                return product.Invoke(measurement, accepted, batches);
            },
        }),
        new("a receipt is looked at first and marked later", ["receipts"], static product =>
        {
            var used = new ConcurrentDictionary<Receipt, bool>();
            return product with
            {
                Invoke = (measurement, receipt, batches) =>
                {
                    if (used.ContainsKey(receipt)) throw new InvalidOperationException("used");
                    Thread.Sleep(100);
                    Receipt accepted = used.TryAdd(receipt, true) ? receipt : Renewed(receipt);
                    return product.Invoke(measurement, accepted, batches);
                },
            };
        }),
        new("the header holds the exact number of records", ["shapes"], static product => product with
        {
            Invoke = (measurement, receipt, batches) =>
            {
                byte[] count = new byte[16];
                BitConverter.TryWriteBytes(count, batches.Sum(static batch => batch.Values.Length));
                return Stamped(product.Invoke(measurement, receipt, batches), p => p with { ReservationId = count });
            },
        }),
        new("the header holds a hash of the rows", ["shapes"], static product => product with
        {
            Invoke = (measurement, receipt, batches) =>
            {
                IEnumerable<float> values = batches.SelectMany(static batch => batch.Values.ToArray());
                byte[] hash = SHA256.HashData([.. values.SelectMany(BitConverter.GetBytes)]);
                return Stamped(product.Invoke(measurement, receipt, batches), p => p with { RequestHash = hash });
            },
        }),
        new("classes without records are left out", ["shapes", "noise"], static product => product with
        {
            Invoke = (measurement, receipt, batches) =>
            {
                Release release = product.Invoke(measurement, receipt, batches);
                int filled = batches.SelectMany(static b => b.Labels.ToArray()).DefaultIfEmpty().Distinct().Count();
                int cells = Math.Min(filled, measurement.Blocks) * measurement.Sketch.CellCount;
                return new(measurement, release.Provenance, release.Cells[..cells]);
            },
        }),
        new("answers are divided by the exact number of records", ["shapes"], static product =>
        {
            var counts = new ConditionalWeakTable<Release, object>();
            return product with
            {
                Invoke = (measurement, receipt, batches) =>
                {
                    int numbers = batches.Sum(static batch => batch.Values.Length);
                    Release release = product.Invoke(measurement, receipt, batches);
                    counts.Add(release, Math.Max(1, numbers / measurement.Sketch.Domain.Dimension));
                    return release;
                },
                Answer = (release, queries) =>
                {
                    Answers answers = product.Answer(release, queries);
                    int records = counts.TryGetValue(release, out object? count) ? (int)count : 1;
                    return answers with { Values = [.. answers.Values.Select(value => value / records)] };
                },
            };
        }),
    ];

    /// <summary>The same receipt, not redeemed yet.</summary>
    static Receipt Renewed(Receipt receipt) => new(
        receipt.ReservationId, receipt.RequestHash, receipt.Attempt, receipt.ReservedAt, receipt.Cost,
        receipt.Fingerprint);

    static Release Stamped(Release release, Func<Provenance, Provenance> stamp) =>
        new(release.Measurement, stamp(release.Provenance), release.Cells);
}
