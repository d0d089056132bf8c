namespace PrivateKernels.Tests;

public sealed class BandwidthAdvisorTests
{
    static Points Sample(int d)
    {
        var random = new PublicRandom(4);
        return new(Enumerable.Range(0, 400 * d).Select(_ => (float)random.NextNormal()).ToArray(), d);
    }

    [Fact]
    public void Suggested_bandwidths_have_signal_and_others_are_warned_about()
    {
        foreach (string name in (string[])["gaussian", "exponential", "laplacian", "cauchy"])
        {
            BandwidthAdvice advice = BandwidthAdvisor.Advise(name, 0, new Domain(20), 60_000, 4.2, Sample(20));
            Assert.True(advice.Low < advice.High);
            Assert.Null(advice.Warn(Math.Sqrt(advice.Low * advice.High)));
            Assert.Contains("noise will dominate", advice.Warn(advice.Low / 3), StringComparison.Ordinal);
            Assert.Contains("alike", advice.Warn(advice.High * 30), StringComparison.Ordinal);
            BandwidthReading edge = advice.Read(advice.Low);
            Assert.True(edge.SignalToNoise >= 10 && edge.Carriers >= 30);
        }
    }

    [Fact]
    public void More_records_allow_smaller_bandwidths_and_too_few_allow_none()
    {
        double Low(long records) => BandwidthAdvisor.Advise("gaussian", 0, new Domain(20), records, 4.2, Sample(20)).Low;
        Assert.True(Low(1_000_000) < Low(10_000));
        BandwidthAdvice none = BandwidthAdvisor.Advise("gaussian", 0, new Domain(20), 20, 4.2, Sample(20));
        Assert.True(double.IsNaN(none.Low));
        Assert.Contains("more records", none.Warn(1), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_sample_the_box_stands_in_and_without_both_the_request_is_refused()
    {
        BandwidthAdvice advice = BandwidthAdvisor.Advise("gaussian", 0, new Domain(784, 0, 1), 60_000, 4.2, null);
        Assert.InRange(advice.Low, 2, 12);
        Assert.Throws<InvalidFieldException>(() => BandwidthAdvisor.Advise("gaussian", 0, new Domain(5), 60_000, 4.2, null));
        Assert.Throws<InvalidFieldException>(() => BandwidthAdvisor.Advise("l1", 0, new Domain(5, 0, 1), 60_000, 4.2, null));
    }
}
