using MathNet.Numerics;

namespace PrivateKernels;

/// <summary>
/// A statistical lower bound on epsilon: releases of worst-case neighbours are told apart by the best test there is,
/// and Clopper-Pearson bounds on its two rates give an epsilon that sound releases do not exceed.
/// </summary>
/// <remarks>
/// Each block of a per-class release is an independent release of one data set, so one crossing gives many draws. For
/// the event E, (epsilon, delta)-DP demands P(E | x) at most e^epsilon P(E | x') + delta, so epsilon is at least
/// ln((P(E | x) - delta) / P(E | x')).
/// </remarks>
static class LowerBoundCheck
{
    const int Blocks = 1024, Candidates = 48;

    /// <summary>Of each rate bound: about a hundred of them in a run.</summary>
    const double Significance = 1e-8;

    /// <summary>Pairs nearer to the declared distance than this must be seen to be so.</summary>
    const double TightDistance = 0.95;

    /// <summary>Epsilon 1 at this delta is mu = 1, where both rates are large enough to be counted.</summary>
    const double Delta = 0.1269;

    /// <summary>With more cells a block shows little of a pure epsilon: no likely event has its full ratio.</summary>
    const int MostPureCells = 8;

    /// <summary>Most cells of a block that gets all the draws.</summary>
    const int FullCells = 64;

    static readonly double[] Thresholds = [0.5, 1, 1.5];

    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort)
    {
        Trial[] trials = [.. Trials(product, effort)];
        Parallel.ForEach(trials, trial => trial.Draw(effort.LowerBoundDraws / 2));
        foreach (Trial trial in trials)
            if (trial.Violation(effort.TightShare) is { } violation) return AuditOutcome.Broken($"{trial.Name}: {violation}");
        double[] tight = [.. trials.Where(static trial => trial.IsTight).Select(static trial => trial.Share)];
        return tight.Length > 0
            ? AuditOutcome.Holds(AuditOutcome.Text(
                $"{trials.Length} pairs, none above its epsilon; {tight.Length} tight ones show {tight.Min():0.00} of it"))
            : AuditOutcome.Broken("there is no pair that would show a bug");
    }

    /// <summary>The smallest measurement of each sketch, for each adjacency and mechanism.</summary>
    static IEnumerable<Trial> Trials(AuditedProduct product, AuditEffort effort)
    {
        foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
            foreach (MechanismKind mechanism in Enum.GetValues<MechanismKind>())
            {
                AuditSetting setting = new(1, mechanism, adjacency, Classes: Blocks, Delta: Delta);
                IEnumerable<Measurement> smallest = AuditCase.Of(effort)
                    .Select(audited => audited.Plan(product, setting)).OfType<Measurement>()
                    .GroupBy(static m => m.Sketch.GetType())
                    .Select(static group => group.MinBy(static m => m.CellCount)!);
                foreach (Measurement measurement in smallest)
                    if (mechanism == MechanismKind.RoundedNormal || measurement.Sketch.CellCount <= MostPureCells)
                        yield return new(product, measurement, adjacency);
            }
    }

    sealed class Trial
    {
        readonly AuditedProduct _product;
        readonly Measurement _measurement;
        readonly Adjacency _adjacency;
        readonly bool _pure;
        readonly double _scale;
        readonly float? _row, _otherRow;
        readonly long[] _cells, _otherCells;
        readonly (double Epsilon, double Delta, double Threshold)[] _claims;
        readonly long[] _hits, _otherHits;
        long _draws;

        public Trial(AuditedProduct product, Measurement measurement, Adjacency adjacency)
        {
            (_product, _measurement, _adjacency) = (product, measurement, adjacency);
            _pure = measurement.Strength.Mechanism == MechanismKind.DiscreteLaplace;
            _scale = measurement.Noise.Scale;
            (_row, _otherRow, _cells, _otherCells) = WorstPair();
            double mu = Math.Sqrt(Math.ScaleB(Units.OfLoss(new(1, Delta)), -40));
            // Under pure noise the full ratio is reached where every cell lies beyond both sums.
            double full = _cells.Zip(_otherCells, static (a, b) => Math.Abs((double)a - b)).Sum() / _scale;
            _claims = _pure
                ? [(1, 0, full - 1e-9)]
                : [.. Thresholds.Select(epsilon => (epsilon, GaussianDp.Delta(epsilon, mu), epsilon))];
            (_hits, _otherHits) = (new long[_claims.Length], new long[_claims.Length]);
        }

        public string Name =>
            $"{_measurement.Sketch.GetType().Name} {_measurement.Strength.Mechanism} {_adjacency}";

        /// <summary>Largest share of a claimed epsilon that the draws prove.</summary>
        public double Share { get; private set; }

        /// <summary>Whether a sound product must be seen to use its epsilon: a far pair, and all the draws.</summary>
        public bool IsTight { get; private set; }

        /// <summary>Distance of the pair over the declared one.</summary>
        double Distance
        {
            get
            {
                Sensitivity declared = _product.Sensitivity(_measurement);
                IEnumerable<double> steps = _cells.Zip(_otherCells, static (a, b) => (double)a - b);
                return _pure
                    ? steps.Sum(Math.Abs) / (double)declared.L1
                    : Math.Sqrt(steps.Sum(static z => z * z) / (double)declared.SquaredL2);
            }
        }

        public void Draw(int wanted)
        {
            // Sketches that are large at their smallest get fewer draws: the bound is as sound, and sees less.
            long draws = Math.Min(wanted, (long)wanted * FullCells / _cells.Length);
            IsTight = draws == wanted && Distance >= TightDistance;
            for (; _draws < draws; _draws += Blocks)
            {
                Count(_row, _hits);
                Count(_otherRow, _otherHits);
            }
        }

        public string? Violation(double tightShare)
        {
            for (int i = 0; i < _claims.Length; i++)
            {
                (double epsilon, double delta, _) = _claims[i];
                double rate = LowerRate(_hits[i], _draws), otherRate = 1 - LowerRate(_draws - _otherHits[i], _draws);
                double seen = Math.Log((rate - delta) / otherRate);
                if (seen > epsilon)
                    return AuditOutcome.Text($"epsilon {epsilon} at delta {delta:G3} is claimed, {seen:0.000} is seen");
                if (!double.IsNaN(seen)) Share = Math.Max(Share, seen / epsilon);
            }
            return IsTight && Share < tightShare
                ? AuditOutcome.Text($"a pair at {Distance:0.000} of the declared distance shows only {Share:0.00}")
                : null;
        }

        void Count(float? row, long[] hits)
        {
            Release release = _product.Invoke(_measurement, AuditedProduct.ReceiptFor(_measurement), Rows(row));
            int size = _cells.Length;
            for (int block = 0; block < Blocks; block++)
            {
                double ratio = LogRatio(release.Cells.AsSpan(block * size, size));
                for (int i = 0; i < hits.Length; i++)
                    if (ratio > _claims[i].Threshold) hits[i]++;
            }
        }

        /// <summary>ln of the densities' ratio under the declared noise: no test of the same error is better.</summary>
        double LogRatio(ReadOnlySpan<long> noisy)
        {
            double sum = 0;
            for (int j = 0; j < noisy.Length; j++)
            {
                double a = (double)noisy[j] - _cells[j], b = (double)noisy[j] - _otherCells[j];
                sum += _pure ? (Math.Abs(b) - Math.Abs(a)) / _scale : (b * b - a * a) / (2 * _scale * _scale);
            }
            return sum;
        }

        /// <summary>One record in each class, or none.</summary>
        static List<Records> Rows(float? row)
        {
            if (row is not { } value) return [];
            var values = new float[Blocks];
            Array.Fill(values, value);
            return [new(values, Enumerable.Range(0, Blocks).Select(static c => (uint)c).ToArray())];
        }

        /// <summary>Of many rows the one farthest from nothing, or the two farthest apart.</summary>
        (float? Row, float? Other, long[] Cells, long[] OtherCells) WorstPair()
        {
            var rows = new AuditRows(1, seed: 13);
            var values = new float[Blocks];
            for (int i = 0; i < Candidates; i++) values[i] = rows.Next()[0];
            uint[] labels = [.. Enumerable.Range(0, Blocks).Select(static c => (uint)c)];
            long[] cells = _product.Sum(_measurement, [new((float[])values.Clone(), labels)]);
            int size = _measurement.Sketch.CellCount;
            long[] nothing = new long[size];
            (float? Row, float? Other, long[] Cells, long[] OtherCells) worst = (null, null, nothing, nothing);
            double farthest = 0;
            bool replaces = _adjacency == Adjacency.ReplaceOne;
            for (int a = 0; a < Candidates; a++)
                for (int b = 0; b < (replaces ? a : 1); b++)
                {
                    long[] x = cells[(a * size)..((a + 1) * size)];
                    long[] y = replaces ? cells[(b * size)..((b + 1) * size)] : nothing;
                    double distance = 0;
                    for (int j = 0; j < size; j++)
                    {
                        double step = Math.Abs((double)x[j] - y[j]);
                        distance += _pure ? step : step * step;
                    }
                    if (distance <= farthest) continue;
                    (farthest, worst) = (distance, (values[a], replaces ? values[b] : null, x, y));
                }
            return worst;
        }

        /// <summary>Clopper and Pearson: the rate at which so many hits have <see cref="Significance"/>.</summary>
        static double LowerRate(long hits, long draws)
        {
            if (hits == 0) return 0;
            double low = 0, high = 1;
            for (int step = 0; step < 60; step++)
            {
                double middle = (low + high) / 2;
                bool isBelow = SpecialFunctions.BetaRegularized(hits, draws - hits + 1, middle) < Significance;
                if (isBelow) low = middle; else high = middle;
            }
            return low;
        }
    }
}
