using ScottPlot;

namespace PrivateKernels.Benchmarks;

/// <summary>One small plot for each function: error over n against epsilon, both axes logarithmic.</summary>
static class AccuracyPlots
{
    const int Width = 460, Height = 300;

    /// <summary>The same structure has the same colour in every plot.</summary>
    static readonly Dictionary<string, Color> Colors = new()
    {
        ["default plan"] = ScottPlot.Colors.C0,
        ["best plan"] = ScottPlot.Colors.DarkBlue,
        ["pure ε plan"] = ScottPlot.Colors.C2,
        ["paper, pure ε"] = ScottPlot.Colors.C3,
        ["paper+, pure ε"] = ScottPlot.Colors.C1,
        ["LSQ-RFF, pure ε"] = ScottPlot.Colors.C4,
        ["JL + LSQ, pure ε"] = ScottPlot.Colors.C5,
        ["LSQ-FGT, pure ε"] = ScottPlot.Colors.C6,
        ["one query, Gaussian noise"] = ScottPlot.Colors.Gray,
    };

    public static void Write(IEnumerable<AccuracySeries> series, string folder)
    {
        foreach (IGrouping<string, AccuracySeries> function in series.GroupBy(static s => s.Function))
        {
            using var plot = new Plot();
            foreach (AccuracySeries s in function)
            {
                var line = plot.Add.Scatter(
                    [.. s.Epsilons.Select(Math.Log10)], s.Errors.Select(Math.Log10).ToArray(), Colors[s.Structure]);
                line.LegendText = s.Structure;
                line.LineWidth = 1.5f;
                line.MarkerSize = 4;
                if (s.Structure.StartsWith("one query", StringComparison.Ordinal)) line.LinePattern = LinePattern.Dashed;
            }
            plot.Title(function.Key, size: 13);
            plot.XLabel("ε", size: 12);
            plot.YLabel("RMSE / n", size: 12);
            plot.Axes.Bottom.TickGenerator = Powers([0.1, 0.3, 1, 3, 10]);
            plot.Axes.Left.TickGenerator = Powers([.. Enumerable.Range(-7, 12).Select(static e => Math.Pow(10, e))]);
            plot.ShowLegend(Edge.Right).Legend.FontSize = 9;
            string name = string.Concat(function.Key.Replace(", ", "-", StringComparison.Ordinal).Where(static c => c is not (' ' or '=')));
            plot.SavePng(Path.Combine(folder, $"accuracy-{name}.png"), Width, Height);
        }
    }

    static ScottPlot.TickGenerators.NumericManual Powers(double[] values) => new(
        [.. values.Select(Math.Log10)], [.. values.Select(static v => AccuracyBenchmark.Text($"{v:0.#######}"))]);
}
