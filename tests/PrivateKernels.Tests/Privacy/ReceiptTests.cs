namespace PrivateKernels.Tests;

public sealed class ReceiptTests : IDisposable
{
    readonly SimdEngine _engine = new();

    public void Dispose() => _engine.Dispose();

    Release Invoke(Measurement measurement, Receipt receipt) =>
        measurement.Invoke(receipt, [new Records(SamplePoints.Points(3), default)], _engine, static () => { });

    [Fact]
    public void A_receipt_lets_out_one_release()
    {
        Measurement measurement = SketchCases.Measurement("l1", 3);
        Receipt receipt = SketchCases.Receipt(measurement);
        Invoke(measurement, receipt);
        Assert.Throws<InvalidOperationException>(() => Invoke(measurement, receipt));
    }

    [Fact]
    public void A_receipt_for_another_measurement_is_refused_and_keeps_its_worth()
    {
        Measurement paid = SketchCases.Measurement("l1", 3), other = SketchCases.Measurement("l2_squared", 3);
        Measurement replaced = SketchCases.Measurement("l1", 3, Adjacency.ReplaceOne);
        Receipt receipt = SketchCases.Receipt(paid);
        Assert.Throws<InvalidOperationException>(() => Invoke(other, receipt));
        Assert.Throws<InvalidOperationException>(() => Invoke(replaced, receipt));
        Assert.NotNull(Invoke(paid, receipt));
    }

    [Fact]
    public void A_receipt_for_less_than_the_price_is_refused()
    {
        Measurement measurement = SketchCases.Measurement("l1", 3);
        PrivacyCost price = measurement.Cost(CostUnit.MuSquared);
        foreach (long units in new[] { price.Units - 1, price.Units + 1 })
        {
            var receipt = new Receipt(
                new byte[16], new byte[32], 1, new LedgerPosition(new byte[16], 1, 2, new byte[32]),
                price with { Units = units }, measurement.Fingerprint);
            Assert.Throws<InvalidOperationException>(() => Invoke(measurement, receipt));
        }
    }

    [Fact]
    public void What_is_released_is_never_the_sums_themselves()
    {
        foreach (CostUnit unit in Enum.GetValues<CostUnit>())
        {
            Measurement measurement = SketchCases.Measurement("gaussian", 3, unit: unit);
            Release exact = SketchCases.WithoutNoise(measurement, SamplePoints.Points(3), null, _engine);
            Release released = Invoke(measurement, SketchCases.Receipt(measurement, unit));
            Assert.True(released.Cells.Zip(exact.Cells, static (noisy, sum) => noisy == sum ? 1 : 0).Sum() <= 1);
        }
    }

    [Fact]
    public void Accumulated_sums_are_wiped_whether_or_not_a_release_comes_of_them()
    {
        Measurement measurement = SketchCases.Measurement("l1", 3);
        var sums = new long[measurement.CellCount];
        Array.Fill(sums, 5);
        Assert.Throws<OperationCanceledException>(() => measurement.Invoke(
            SketchCases.Receipt(measurement), new ExactCells(sums), static () => throw new OperationCanceledException()));
        Assert.All(sums, static cell => Assert.Equal(0, cell));
        Array.Fill(sums, 5);
        Release release = measurement.Invoke(SketchCases.Receipt(measurement), new ExactCells(sums), static () => { });
        Assert.All(sums, static cell => Assert.Equal(0, cell));
        Assert.NotEqual(sums, release.Cells);
    }

    [Fact]
    public void Of_many_racing_builds_one_redeems_the_receipt()
    {
        Measurement measurement = SketchCases.Measurement("l1", 3);
        Receipt receipt = SketchCases.Receipt(measurement);
        int released = 0;
        Parallel.For(0, 64, _ =>
        {
            try
            {
                receipt.Redeem(measurement);
                Interlocked.Increment(ref released);
            }
            catch (InvalidOperationException)
            {
            }
        });
        Assert.Equal(1, released);
    }

    [Fact]
    public void A_pure_account_pays_for_laplace_noise_only()
    {
        Measurement gaussian = SketchCases.Measurement("l1", 3);
        Assert.Throws<MechanismMismatchException>(() => gaussian.Cost(CostUnit.Epsilon));
        Measurement pure = SketchCases.Measurement("gaussian", 3, unit: CostUnit.Epsilon);
        Assert.Equal(1L << 40, pure.Cost(CostUnit.Epsilon).Units);
        Assert.Equal(1668961004153, pure.Cost(CostUnit.MuSquared).Units);
    }
}
