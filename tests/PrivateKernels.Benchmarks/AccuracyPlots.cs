using ScottPlot;

namespace PrivateKernels.Benchmarks;

/// <summary>
/// One small plot for each function, error over n against epsilon, both axes logarithmic; and the legend that they share.
/// </summary>
static class AccuracyPlots
{
    const int Width = 300, Height = 240;

    /// <summary>The same structure has the same colour in every plot.</summary>
    static readonly Dictionary<string, Color> Colors = new()
    {
        ["default plan"] = ScottPlot.Colors.C0,
        ["best plan"] = ScottPlot.Colors.DarkBlue,
        ["pure ε plan"] = ScottPlot.Colors.C2,
        ["Hermite grid, pure ε"] = ScottPlot.Colors.C7,
        ["paper, pure ε"] = ScottPlot.Colors.C3,
        ["paper+, pure ε"] = ScottPlot.Colors.C1,
        ["LSQ-RFF, pure ε"] = ScottPlot.Colors.C4,
        ["JL + LSQ, pure ε"] = ScottPlot.Colors.C5,
        ["LSQ-FGT, pure ε"] = ScottPlot.Colors.C6,
        ["one query, Gaussian noise"] = ScottPlot.Colors.Gray,
    };

    public static void Write(IEnumerable<AccuracySeries> series, string folder)
    {
        WriteLegend(folder);
        foreach (IGrouping<string, AccuracySeries> function in series.GroupBy(static s => s.Function))
        {
            using var plot = new Plot();
            foreach (AccuracySeries s in function)
            {
                var line = plot.Add.Scatter(
                    [.. s.Epsilons.Select(Math.Log10)], s.Errors.Select(Math.Log10).ToArray(), Colors[s.Structure]);
                Style(line, s.Structure);
            }
            plot.Title(function.Key, size: 13);
            plot.XLabel("ε", size: 12);
            plot.YLabel("RMSE / n", size: 12);
            plot.Axes.Bottom.TickGenerator = Powers([0.1, 0.3, 1, 3, 10]);
            plot.Axes.Left.TickGenerator = Powers([.. Enumerable.Range(-7, 12).Select(static e => Math.Pow(10, e))]);
            plot.HideLegend();
            string name = string.Concat(function.Key.Replace(", ", "-", StringComparison.Ordinal).Where(static c => c is not (' ' or '=')));
            plot.SavePng(Path.Combine(folder, $"accuracy-{name}.png"), Width, Height);
        }
    }

    static void WriteLegend(string folder)
    {
        using var plot = new Plot();
        foreach ((string structure, Color color) in Colors)
        {
            ScottPlot.Plottables.Scatter line = plot.Add.Scatter([0.0], new[] { 0.0 }, color);
            Style(line, structure);
            line.LegendText = structure;
        }
        plot.Legend.FontSize = 12;
        plot.GetLegendImage().SavePng(Path.Combine(folder, "accuracy-legend.png"));
    }

    static void Style(ScottPlot.Plottables.Scatter line, string structure)
    {
        line.LineWidth = 1.5f;
        line.MarkerSize = 4;
        if (structure.StartsWith("one query", StringComparison.Ordinal)) line.LinePattern = LinePattern.Dashed;
    }

    static ScottPlot.TickGenerators.NumericManual Powers(double[] values) => new(
        [.. values.Select(Math.Log10)], [.. values.Select(static v => AccuracyBenchmark.Text($"{v:0.#######}"))]);
}
