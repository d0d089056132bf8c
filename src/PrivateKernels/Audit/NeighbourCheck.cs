using System.Collections.Concurrent;
using System.Numerics;

namespace PrivateKernels;

/// <summary>
/// Record and replay on the one crossing: a data set and its neighbours are summed, and the integer distance of their
/// cells is held against the declared sensitivity. Hostile rows, several batches, units of several records, changed
/// labels.
/// </summary>
static class NeighbourCheck
{
    const int NeighboursPerBase = 10;

    /// <summary>One base in so many pairs is long: sums that lose their last bits show there.</summary>
    const int LongEvery = 100, LongBase = 120;

    static readonly AuditSetting[] Settings = [.. MakeSettings()];

    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort)
    {
        var violations = new ConcurrentQueue<string>();
        var tightness = new ConcurrentDictionary<string, double>();
        long pairs = 0;
        Parallel.ForEach(AuditCase.Of(effort), (audited, state) =>
        {
            foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
            {
                AuditSetting[] settings =
                    [.. Settings.Where(s => s.Adjacency == adjacency && audited.Plan(product, s) is not null)];
                foreach (AuditSetting setting in settings)
                {
                    var replay = new Replay(product, audited.Plan(product, setting)!, setting);
                    int share = (effort.Pairs + settings.Length - 1) / settings.Length;
                    if (replay.Run(share) is { } violation)
                    {
                        violations.Enqueue($"{audited.Function} ({replay.Sketch}), {setting}: {violation}");
                        state.Stop();
                        return;
                    }
                    Interlocked.Add(ref pairs, share);
                    tightness.AddOrUpdate(replay.Sketch, replay.Largest, (_, other) => Math.Max(other, replay.Largest));
                }
            }
        });
        if (violations.TryPeek(out string? first)) return AuditOutcome.Broken(first);
        if (pairs == 0) return AuditOutcome.Broken("no sketch could be planned");
        IEnumerable<string> parts = tightness.OrderBy(static t => t.Key, StringComparer.Ordinal)
            .Select(static t => AuditOutcome.Text($"{t.Key} {t.Value:0.000}"));
        return AuditOutcome.Holds($"{pairs} pairs; largest part of the declared L2: {string.Join(", ", parts)}");
    }

    static IEnumerable<AuditSetting> MakeSettings()
    {
        foreach (Adjacency adjacency in Enum.GetValues<Adjacency>())
            foreach (MechanismKind mechanism in Enum.GetValues<MechanismKind>())
            {
                yield return new(1, mechanism, adjacency);
                yield return new(1, mechanism, adjacency, Classes: 3);
                yield return new(2, mechanism, adjacency, RecordsPerUnit: 3);
                yield return new(5, mechanism, adjacency, RecordsPerUnit: 2, Classes: 3);
                // Wide enough for structured frequencies.
                yield return new(33, mechanism, adjacency);
                yield return new(2, mechanism, adjacency, Weighted: true);
                yield return new(3, mechanism, adjacency, RecordsPerUnit: 2, Classes: 2, Weighted: true);
                yield return new(2, mechanism, adjacency, Classes: 2, LeastSquares: true);
            }
    }

    /// <summary>One measurement, its made-up rows and what they showed.</summary>
    sealed class Replay(AuditedProduct product, Measurement measurement, AuditSetting setting)
    {
        readonly AuditRows _rows = new(setting.Dimension, seed: 11);
        readonly Sensitivity _bound = product.Sensitivity(measurement);
        double _largest;

        public string Sketch => measurement.Sketch.GetType().Name;

        /// <summary>Largest L2 distance over the declared one.</summary>
        public double Largest => Math.Sqrt(_largest);

        /// <summary>The first violation, or null.</summary>
        public string? Run(int pairs)
        {
            for (int done = 0; done < pairs; done += NeighboursPerBase)
            {
                List<Row> start = Unit(done % LongEvery == LongEvery - NeighboursPerBase ? LongBase : _rows.Below(6));
                List<Row> unit = Unit(1 + _rows.Below(setting.RecordsPerUnit));
                bool replaces = setting.Adjacency == Adjacency.ReplaceOne;
                if (Sum(replaces ? Mixed(start, unit) : start, out long[] cells) is { } failure) return failure;
                for (int i = 0; i < Math.Min(NeighboursPerBase, pairs - done); i++)
                {
                    List<Row> other = replaces ? Replacement(unit) : Unit(1 + _rows.Below(setting.RecordsPerUnit));
                    if (Sum(Mixed(start, other), out long[] neighbour) is { } problem) return problem;
                    if (Compare(cells, neighbour) is { } violation) return violation;
                }
            }
            return null;
        }

        string? Sum(List<Row> rows, out long[] cells)
        {
            try
            {
                cells = product.Sum(measurement, Batches(rows));
                return cells.Length == measurement.CellCount
                    ? null
                    : $"{cells.Length} cells instead of {measurement.CellCount}";
            }
#pragma warning disable CA1031 // whatever it is: a failure that depends on private rows is what is looked for
            catch (Exception e)
#pragma warning restore CA1031
            {
                cells = [];
                return $"a build fails on a private row: {e.GetType().Name}";
            }
        }

        string? Compare(long[] cells, long[] neighbour)
        {
            UInt128 squared = 0, absolute = 0;
            ulong largest = 0;
            for (int j = 0; j < cells.Length; j++)
            {
                ulong size = (ulong)Int128.Abs((Int128)cells[j] - neighbour[j]);
                squared += (UInt128)size * size;
                absolute += size;
                largest = Math.Max(largest, size);
            }
            _largest = Math.Max(_largest, (double)squared / (double)_bound.SquaredL2);
            if (squared > _bound.SquaredL2)
                return $"the squared L2 distance is {squared}, the declared one {_bound.SquaredL2}";
            if (absolute > _bound.L1) return $"the L1 distance is {absolute}, the declared one {_bound.L1}";
            BigInteger cell = (BigInteger)measurement.Sketch.LargestCell * setting.RecordsPerUnit
                * (setting.Adjacency == Adjacency.ReplaceOne ? 2 : 1);
            return largest > cell ? $"a cell moves by {largest}, the declared most is {cell}" : null;
        }

        /// <summary>Records of one unit: often copies of one row in one class, which is the worst there is.</summary>
        List<Row> Unit(int count)
        {
            bool copies = _rows.Below(2) == 0;
            var rows = new List<Row>(count);
            for (int i = 0; i < count; i++)
                rows.Add(copies && i > 0 ? rows[0] : new(_rows.Next(), Label(), Value()));
            return rows;
        }

        /// <summary>
        /// As many records as the unit had: others, mirror images, the same under another label or with the opposite value.
        /// </summary>
        List<Row> Replacement(List<Row> unit) => _rows.Below(setting.Weighted ? 4 : 3) switch
        {
            0 => [.. unit.Select(row => row with { Values = AuditRows.Mirror(row.Values), Label = Label() })],
            1 => [.. unit.Select(row => row with { Label = Label() })],
            3 => [.. unit.Select(static row => row with { Value = -row.Value })],
            _ => Unit(unit.Count),
        };

        /// <summary>The unit's rows at random places among the others.</summary>
        List<Row> Mixed(List<Row> start, List<Row> unit)
        {
            var rows = new List<Row>(start);
            foreach (Row row in unit) rows.Insert(_rows.Below(rows.Count + 1), row);
            return rows;
        }

        /// <summary>One to three batches; the values are copies, since a sum may change them.</summary>
        List<Records> Batches(List<Row> rows)
        {
            var batches = new List<Records>();
            int most = 1 + rows.Count / (1 + _rows.Below(3));
            for (int first = 0; first < rows.Count; first += most)
            {
                List<Row> part = rows.GetRange(first, Math.Min(most, rows.Count - first));
                float[] values = [.. part.SelectMany(static row => row.Values)];
                uint[]? labels = setting.Classes > 0 ? [.. part.Select(static row => row.Label)] : null;
                float[]? rowValues = setting.Weighted ? [.. part.Select(static row => row.Value)] : null;
                batches.Add(new(values, labels, rowValues));
            }
            return batches;
        }

        float Value() => setting.Weighted ? _rows.NextValue() : 1;

        /// <summary>A class; now and then one that was never declared.</summary>
        uint Label() => (uint)(_rows.Below(20) == 0 ? setting.Classes : _rows.Below(Math.Max(1, setting.Classes)));
    }

    readonly record struct Row(float[] Values, uint Label, float Value);
}
