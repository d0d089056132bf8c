using System.Numerics;

namespace PrivateKernels.Tests;

/// <summary>Bugs in what records add to the cells, and in what is said about it.</summary>
static class ContributionBugs
{
    public static IReadOnlyList<PrivacyBug> All { get; } =
    [
        new("a device counts every contribution twice", ["engine", "neighbours"],
            static product => new(new DoublingEngine(product.Engine))),
        Rows("rows are padded to a multiple of four with copies of the last", static rows =>
        {
            for (int last = rows.Count - 1; last >= 0 && rows.Count % 4 != 0;) rows.Add(rows[last]);
        }),
        Rows("rows are centred at their own mean", static rows => Shift(rows)),
        Rows("bounds are taken from the data", static rows => Scale(rows, rows.Max(static row => Size(row.Values)))),
        Rows("the bandwidth is taken from the data", static rows =>
            Scale(rows, rows.Average(static row => Size(row.Values)))),
        Rows("a row outside the box ends the build early", static rows =>
        {
            int first = rows.FindIndex(static row => row.Values.Any(static x => Math.Abs(x) > 0.5f));
            if (first >= 0) rows.RemoveRange(first, rows.Count - first);
        }),
        Rows("a value beyond its bound counts in full", static rows =>
        {
            for (int i = rows.Count - 1; i >= 0; i--)
                if (Math.Abs(rows[i].Value) > 2 * AuditSetting.MaxAbsValue) rows.Add(rows[i]);
        }),
        Rows("values are divided by the largest of them", static rows =>
        {
            float largest = rows.Max(static row => float.IsFinite(row.Value) ? Math.Abs(row.Value) : 0);
            for (int i = 0; i < rows.Count && largest > 0; i++)
                rows[i] = rows[i] with { Value = rows[i].Value / largest * AuditSetting.MaxAbsValue };
        }),
        new("a class without rows is passed over", ["shapes"], static product => product with
        {
            SumOn = (measurement, batches, engine) => product.SumOn(measurement, batches, new IdleEngine(engine)),
        }),
        Rows("a row that is not finite fails the build", static rows =>
        {
            if (rows.Exists(static row => !row.Values.All(float.IsFinite))) throw new InvalidOperationException("NaN");
        }),
        new("NaN passes the clamp", ["neighbours"], static product => product with
        {
            Sum = (measurement, batches) =>
            {
                int invalid = Split(measurement, batches).Count(static row => !Canonical.IsValid(row.Values));
                long[] cells = product.Sum(measurement, batches);
                cells[0] += (long)invalid << 40;
                return cells;
            },
        }),
        new("clamp before rounding", ["neighbours"],
            static product => product with { Sum = ClampBeforeRounding }, "l2_squared"),
        PerRow("contributions are rounded up", "l1", static (sum, cells) =>
        {
            for (int j = 0; j < cells.Length; j++) sum[j] += cells[j] + Math.Sign(cells[j]);
        }),
        PerRow("cells are summed in fp32", "l1", static (sum, cells) =>
        {
            for (int j = 0; j < cells.Length; j++) sum[j] = (long)((float)sum[j] + cells[j]);
        }),
        new("the public seed depends on the rows", ["neighbours"], static product => product with
        {
            Sum = (measurement, batches) =>
            {
                ISketch sketch = measurement.Sketch;
                ulong seed = (ulong)Split(measurement, batches).Count;
                PrivacyStrength strength = measurement.Strength;
                var other = FourierSketch.Create(
                    sketch.Function, sketch.Domain, sketch.Features, seed, strength.Mechanism,
                    measurement.Classes.Count > 0);
                var drawn = new Measurement(
                    other, measurement.Classes, measurement.Adjacency, measurement.MaxRecordsPerUnit, strength);
                return product.Sum(drawn, batches);
            },
        }, "gaussian"),
        Planned("replacing a record is priced as removing one", ["neighbours", "lower bound"],
            static facts => facts with { Adjacency = Adjacency.AddOrRemoveOne }, "l1"),
        Planned("a unit of several records is priced as one record", ["neighbours"],
            static facts => facts with { MaxRecordsPerUnit = 1 }),
        Declared("squared norms grow with k in place of k squared", static m =>
            m.Sensitivity with { SquaredL2 = m.Sensitivity.SquaredL2 / m.MaxRecordsPerUnit }),
        Declared("the count cell is left out of the sensitivity", static m =>
        {
            if (m.Adjacency == Adjacency.ReplaceOne) return m.Sensitivity;
            return m.Sensitivity with { SquaredL2 = m.Sketch.Sensitivity(Adjacency.ReplaceOne).SquaredL2 / 4 };
        }, "l1"),
        Declared("a changed label is priced as a removal", static m =>
            (m.Classes.Count > 0 ? m.Sketch.Sensitivity(Adjacency.AddOrRemoveOne) : m.Sketch.Sensitivity(m.Adjacency))
                .ForUnit(m.MaxRecordsPerUnit)),
        Declared("second moments are left out of the sensitivity", static m =>
            m.Sketch.Sensitivity(m.Adjacency).ForUnit(m.MaxRecordsPerUnit), "gaussian"),
        Declared("Laplace noise is calibrated to the L2 norm", static m =>
            m.Sensitivity with { L1 = Rational.FloorSqrt(m.Sensitivity.SquaredL2) }),
    ];

    readonly record struct Row(float[] Values, uint Label, float Value);

    static PrivacyBug Rows(string name, Action<List<Row>> change) => new(name, ["neighbours"], product => product with
    {
        Sum = (measurement, batches) =>
        {
            List<Row> rows = Split(measurement, batches);
            if (rows.Count > 0) change(rows);
            return product.Sum(measurement, [Join(measurement, rows)]);
        },
    });

    static PrivacyBug PerRow(string name, string function, Action<long[], long[]> add) =>
        new(name, ["neighbours"], product => product with
        {
            Sum = (measurement, batches) =>
            {
                var sum = new long[measurement.CellCount];
                foreach (Row row in Split(measurement, batches))
                    add(sum, product.Sum(measurement, [Join(measurement, [row])]));
                return sum;
            },
        }, function);

    static PrivacyBug Planned(
        string name, string[] caughtBy, Func<DatasetFacts, DatasetFacts> change, string? function = null) =>
        new(name, caughtBy, product => product with
        {
            Plan = (request, facts) => product.Plan(request, change(facts)),
        }, function);

    static PrivacyBug Declared(string name, Func<Measurement, Sensitivity> sensitivity, string? function = null) =>
        new(name, ["neighbours"], product => product with { Sensitivity = sensitivity }, function);

    static List<Row> Split(Measurement measurement, IReadOnlyList<Records> batches)
    {
        int d = measurement.Sketch.Domain.Dimension;
        var rows = new List<Row>();
        foreach (Records batch in batches)
            for (int i = 0; i < batch.Values.Length / d; i++)
                rows.Add(new(
                    batch.Values.Slice(i * d, d).ToArray(), batch.Labels.IsEmpty ? 0 : batch.Labels.Span[i],
                    batch.RowValues.IsEmpty ? 1 : batch.RowValues.Span[i]));
        return rows;
    }

    static Records Join(Measurement measurement, List<Row> rows) => new(
        rows.SelectMany(static row => row.Values).ToArray(),
        measurement.Classes.Count > 0 ? rows.Select(static row => row.Label).ToArray() : default,
        measurement.Sketch is WeightedSketch ? rows.Select(static row => row.Value).ToArray() : default);

    static float Size(float[] row) => row.Max(static x => float.IsFinite(x) ? Math.Min(Math.Abs(x), 1e6f) : 0);

    static void Scale(List<Row> rows, float size)
    {
        if (size == 0) return;
        foreach (Row row in rows)
            for (int k = 0; k < row.Values.Length; k++) row.Values[k] /= size;
    }

    static void Shift(List<Row> rows)
    {
        for (int k = 0; k < rows[0].Values.Length; k++)
        {
            float mean = rows.Select(row => row.Values[k]).Where(float.IsFinite).DefaultIfEmpty(0)
                .Average(static x => Math.Clamp(x, -1e6f, 1e6f));
            // Copies of a row share their values.
            foreach (float[] values in rows.Select(static row => row.Values).Distinct()) values[k] -= mean;
        }
    }

    /// <summary>Moments as one would write them first: a norm clamp on reals, then the nearest integer.</summary>
    static long[] ClampBeforeRounding(Measurement measurement, IReadOnlyList<Records> batches)
    {
        const double A = 1 << 20;
        double r = measurement.Sketch.Domain.MaxNorm!.Value;
        var cells = new long[measurement.CellCount];
        foreach (Row row in Split(measurement, batches))
        {
            if (!Canonical.IsValid(row.Values) || row.Label >= measurement.Blocks) continue;
            double square = row.Values.Sum(static x => (double)x * x);
            double[] phi = [A / 2, .. row.Values.Select(x => A * x / (Math.Sqrt(2) * r)), A * square / (2 * r * r)];
            double norm = Math.Sqrt(phi.Sum(static x => x * x));
            for (int j = 0; j < phi.Length; j++)
                cells[row.Label * phi.Length + j] += (long)Math.Round(phi[j] * Math.Min(1, A / norm));
        }
        return cells;
    }
}

/// <summary>An engine that is not troubled with empty batches, as the build once did it.</summary>
sealed class IdleEngine(IEngine inner) : ForwardingEngine(inner)
{
    public override void AddFourier(FourierMap map, Points points, Span<long> cells)
    {
        if (points.Count > 0) base.AddFourier(map, points, cells);
    }

    public override void AddSigns(SignMap map, Points points, Span<long> counts, Span<long> fractions)
    {
        if (points.Count > 0) base.AddSigns(map, points, counts, fractions);
    }
}
