namespace PrivateKernels;

/// <summary>Receipts: one release each, of the measurement and at the price that was paid.</summary>
static class ReceiptCheck
{
    const int Racers = 8;

    static readonly AuditSetting Setting = new(2, MechanismKind.RoundedNormal, Adjacency.AddOrRemoveOne);

    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort)
    {
        Measurement paid = new AuditCase("gaussian").Plan(product, Setting)!;
        Measurement other = new AuditCase("gaussian").Plan(product, Setting with { Dimension = 3 })!;
        Measurement dearer = new AuditCase("gaussian").Plan(product, Setting with { Epsilon = 2 })!;
        if (IsReleased(product, other, AuditedProduct.ReceiptFor(paid)))
            return AuditOutcome.Broken("a receipt pays for another measurement");
        if (IsReleased(product, dearer, AuditedProduct.ReceiptFor(paid)))
            return AuditOutcome.Broken("a receipt pays for a dearer release");
        Receipt receipt = AuditedProduct.ReceiptFor(paid);
        if (!IsReleased(product, paid, receipt)) return AuditOutcome.Broken("a receipt is refused for what it pays");
        if (IsReleased(product, paid, receipt)) return AuditOutcome.Broken("a receipt is redeemed twice");
        Receipt contested = AuditedProduct.ReceiptFor(paid);
        int winners = 0;
        using var start = new Barrier(Racers);
        Thread[] racers = [.. Enumerable.Range(0, Racers).Select(_ => new Thread(() =>
        {
            start.SignalAndWait();
            if (IsReleased(product, paid, contested)) Interlocked.Increment(ref winners);
        }))];
        foreach (Thread racer in racers) racer.Start();
        foreach (Thread racer in racers) racer.Join();
        return winners == 1
            ? AuditOutcome.Holds($"reuse, exchange and a dearer release refused; of {Racers} at once one is served")
            : AuditOutcome.Broken($"{winners} of {Racers} at once are served by one receipt");
    }

    static bool IsReleased(AuditedProduct product, Measurement measurement, Receipt receipt)
    {
        try
        {
            product.Invoke(measurement, receipt, []);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
