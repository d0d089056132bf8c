using System.CommandLine;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk functions: the catalog of kernels and distances; needs no server.</summary>
static class FunctionsCommand
{
    public static Command Create() => new Command("functions", "List the kernels and distances.").Runs(RunAsync);

    static Task RunAsync(Session session, CancellationToken cancellation)
    {
        var functions = Catalog.Functions.Select(static f => new
        {
            f.Name,
            f.Formula,
            Kind = f.IsKernel ? "kernel" : "distance",
            f.UsesBandwidth,
            f.UsesExponent,
            f.NeedsBox,
            f.NeedsMaxNorm,
            Mechanisms = f.Mechanisms.Select(static m => Show.Name(m)),
            Methods = f.Methods.Select(static m => Show.Name(m)),
        }).ToArray();
        session.Terminal.Write(new { Functions = functions }, console =>
        {
            Table table =
                session.Terminal.Table("name", "f(x, y), z = x - y", "kind", "parameters", "needs", "noise", "sketch");
            foreach (var f in functions)
            {
                string parameters =
                    string.Join(", ", Chosen((f.UsesBandwidth, "bandwidth"), (f.UsesExponent, "exponent")));
                string needs = string.Join(", ", Chosen((f.NeedsBox, "lower, upper"), (f.NeedsMaxNorm, "max-norm")));
                string[] cells = [f.Name, f.Formula, f.Kind, parameters, needs, string.Join(", ", f.Mechanisms),
                    string.Join(", ", f.Methods)];
                table.AddRow([.. cells.Select(session.Terminal.Cell)]);
            }
            console.Write(table);
        });
        return Task.CompletedTask;
    }

    static IEnumerable<string> Chosen(params (bool Is, string Text)[] texts) =>
        texts.Where(static t => t.Is).Select(static t => t.Text);
}
