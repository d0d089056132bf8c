namespace PrivateKernels;

/// <summary>
/// Noise of real releases, as released cells minus exact cells: its law, on empty and on filled cells; its size at
/// every position of a block; its independence of other cells, blocks, releases and of the data.
/// </summary>
/// <remarks>
/// All thresholds are fixed beforehand at seven standard errors: a sound installation fails less than once in 10^7
/// runs, while noise that is two percent off fails every run.
/// </remarks>
static class NoiseCheck
{
    const int Classes = 512, LeastReleases = 6;
    const double MostDeviations = 7;

    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort)
    {
        double largest = 0;
        long draws = 0;
        foreach (string function in (string[])["l2_squared", "gaussian"])
            foreach (MechanismKind mechanism in Enum.GetValues<MechanismKind>())
                foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
                {
                    // A small epsilon, so that noise reaches beyond 24 bits: fp32 would show.
                    AuditSetting setting = new(1, mechanism, adjacency, Classes: Classes, Epsilon: 0.1);
                    var sample = new Sample(product, new AuditCase(function).Plan(product, setting)!, effort.Draws);
                    if (sample.Violation() is { } violation)
                        return AuditOutcome.Broken($"{function}, {setting}: {violation}");
                    largest = Math.Max(largest, sample.LargestExcess);
                    draws += sample.Draws;
                }
        return AuditOutcome.Holds(AuditOutcome.Text(
            $"{draws} draws; largest deviation {largest:0.0} standard errors of {MostDeviations}"));
    }

    sealed class Sample
    {
        readonly AuditedProduct _product;
        readonly Measurement _measurement;
        readonly List<long[]> _noise = [];
        readonly List<long[]> _exact = [];
        readonly double _deviation;
        string? _violation;

        public Sample(AuditedProduct product, Measurement measurement, int draws)
        {
            (_product, _measurement) = (product, measurement);
            _deviation = Math.Sqrt(measurement.Noise.Variance);
            int releases = Math.Max(LeastReleases, draws / (int)measurement.CellCount);
            for (int i = 0; i < releases; i++)
            {
                // Pairs of equal data sets, one neighbour of the other: noise made from the data repeats itself.
                long[] exact = product.Sum(measurement, [Rows(i / 2)]);
                Release release = product.Invoke(measurement, AuditedProduct.ReceiptFor(measurement), [Rows(i / 2)]);
                if (release.Cells.Length != exact.Length)
                {
                    _violation = $"{release.Cells.Length} cells are released, {exact.Length} were summed";
                    return;
                }
                _exact.Add(exact);
                _noise.Add([.. release.Cells.Zip(exact, static (noisy, sum) => unchecked(noisy - sum))]);
            }
        }

        public double LargestExcess { get; private set; }

        public long Draws => (long)_noise.Count * _measurement.CellCount;

        public string? Violation() => _violation ?? Law() ?? Positions() ?? Independence() ?? Saturation();

        /// <summary>Even classes hold one to three records, odd ones none; each variant lacks another one.</summary>
        static Records Rows(int variant)
        {
            var rows = new List<(float Value, uint Label)>();
            for (uint c = 0; c < Classes; c += 2)
                for (int i = 0; i <= c / 2 % 3; i++) rows.Add(((c % 31) / 31f - 0.5f, c));
            rows.RemoveAt(variant % rows.Count);
            return new(rows.Select(static row => row.Value).ToArray(), rows.Select(static row => row.Label).ToArray());
        }

        string? Law()
        {
            double scale = PriceCheck.RequiredScale(_product, _measurement);
            NoiseLaw law = _measurement.Strength.Mechanism == MechanismKind.DiscreteLaplace
                ? NoiseLaw.Laplace(scale)
                : NoiseLaw.Normal(scale);
            var empty = new List<long>();
            var filled = new List<long>();
            for (int release = 0; release < _noise.Count; release++)
                for (int j = 0; j < _noise[release].Length; j++)
                    (_exact[release][j] == 0 ? empty : filled).Add(_noise[release][j]);
            return Beyond(law.Excess(empty.ToArray()), "the noise on empty cells does not have the declared law")
                ?? Beyond(law.Excess(filled.ToArray()), "the noise on filled cells does not have the declared law")
                ?? Beyond(NoiseLaw.LowBitExcess(empty.ToArray(), scale), "the last bits of the noise are not uniform");
        }

        /// <summary>Mean square of the noise, of all and at every position of a block.</summary>
        string? Positions()
        {
            int size = _measurement.Sketch.CellCount;
            string? violation = Size(0, 1, "the noise has another size");
            for (int position = 0; position < size && violation is null; position++)
                violation = Size(position, size, $"the noise at position {position} of a block has another size");
            return violation;
        }

        string? Size(int first, int step, string violation)
        {
            double sum = 0;
            long count = 0;
            foreach (long[] noise in _noise)
                for (int j = first; j < noise.Length; j += step, count++) sum += (double)noise[j] * noise[j];
            // Variance of a squared draw, in squares of the variance: kurtosis 3 or 6, minus 1.
            double spread = _measurement.Strength.Mechanism == MechanismKind.DiscreteLaplace ? 5 : 2;
            double excess = (sum / count / (_deviation * _deviation) - 1) / Math.Sqrt(spread / count);
            return Beyond(Math.Abs(excess), violation);
        }

        string? Independence()
        {
            int size = _measurement.Sketch.CellCount;
            return Product(0, 1, "cells side by side share noise") ?? Product(0, size, "blocks share noise")
                ?? Product(1, 0, "releases share noise") ?? Product(2, 0, "releases of neighbours share noise")
                ?? AgainstData();
        }

        /// <summary>Sum over cells of noise times noise so many releases and cells further on.</summary>
        string? Product(int releases, int cells, string violation)
        {
            double sum = 0;
            long count = 0;
            for (int i = 0; i + releases < _noise.Count; i++)
            {
                ReadOnlySpan<long> a = _noise[i], b = _noise[i + releases];
                for (int j = 0; j + cells < a.Length; j++, count++) sum += (double)a[j] * b[j + cells];
            }
            return Beyond(Math.Abs(sum) / (_deviation * _deviation * Math.Sqrt(count)), violation);
        }

        string? AgainstData()
        {
            double sum = 0, squares = 0;
            for (int i = 0; i < _noise.Count; i++)
                for (int j = 0; j < _noise[i].Length; j++)
                {
                    sum += (double)_noise[i][j] * _exact[i][j];
                    squares += (double)_exact[i][j] * _exact[i][j];
                }
            return Beyond(Math.Abs(sum) / (_deviation * Math.Sqrt(squares)), "the noise depends on the cells");
        }

        /// <summary>At the ends of int64 noise stops; it never wraps around.</summary>
        string? Saturation()
        {
            var cells = new long[_measurement.CellCount];
            Array.Fill(cells, long.MaxValue - 1);
            _product.AddNoise(_measurement, cells);
            bool wraps = cells.Any(static cell => cell < 0);
            Array.Fill(cells, long.MinValue + 1);
            _product.AddNoise(_measurement, cells);
            return wraps || cells.Any(static cell => cell > 0) ? "noise wraps around at the end of int64" : null;
        }

        string? Beyond(double excess, string violation)
        {
            LargestExcess = Math.Max(LargestExcess, excess);
            return excess < MostDeviations
                ? null
                : AuditOutcome.Text($"{violation} ({excess:0.0} standard errors)");
        }
    }
}
