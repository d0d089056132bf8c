using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PrivateKernels.Tests;

/// <summary>The rules of src/README.md that a machine can hold.</summary>
public sealed partial class TidyTests
{
    static readonly string Root = FindRoot();

    /// <summary>Arrows between projects: what each may reference.</summary>
    static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["PrivateKernels"] = [],
        ["PrivateKernels.Gpu"] = ["PrivateKernels"],
        ["PrivateKernels.Storage"] = ["PrivateKernels"],
        ["PrivateKernels.Protocol"] = [],
        ["PrivateKernels.Client"] = ["PrivateKernels", "PrivateKernels.Protocol"],
        ["PrivateKernels.Server"] = ["PrivateKernels.Gpu", "PrivateKernels.Protocol", "PrivateKernels.Storage"],
        ["PrivateKernels.Cli"] = ["PrivateKernels.Client", "PrivateKernels.Server"],
    };

    static IEnumerable<string> Sources(string folder) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(static f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));

    [Fact]
    public void Projects_reference_each_other_one_way_only()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            string project = Path.GetFileNameWithoutExtension(file);
            var references = XDocument.Load(file).Descendants("ProjectReference")
                .Select(static e => Path.GetFileNameWithoutExtension(e.Attribute("Include")!.Value));
            Assert.True(Arrows.ContainsKey(project), $"{project} has no row of allowed references");
            Assert.Empty(references.Except(Arrows[project]).Select(r => $"{project} -> {r}"));
        }
    }

    [Fact]
    public void The_core_depends_on_MathNet_alone()
    {
        var packages = XDocument.Load(Path.Combine(Root, "src/PrivateKernels/PrivateKernels.csproj"))
            .Descendants("PackageReference").Select(static e => e.Attribute("Include")!.Value);
        Assert.Equal(["MathNet.Numerics"], packages);
    }

    [Fact]
    public void Files_stay_below_400_lines_and_lines_within_150_columns()
    {
        foreach (string file in Sources("src").Concat(Sources("tests")))
        {
            string[] lines = File.ReadAllLines(file);
            Assert.True(lines.Length <= 400, $"{file}: {lines.Length} lines");
            for (int i = 0; i < lines.Length; i++) Assert.True(lines[i].Length <= 150, $"{file}:{i + 1}: {lines[i].Length} columns");
        }
    }

    [Fact]
    public void Methods_stay_within_70_lines()
    {
        foreach (string file in Sources("src"))
        {
            string[] lines = File.ReadAllLines(file);
            for (int start = 0; start < lines.Length; start++)
            {
                // A member's body opens with a lone brace four columns in and closes with the next one there.
                if (lines[start] != "    {" || TypeDeclaration().IsMatch(lines[start - 1])) continue;
                int end = Array.FindIndex(lines, start, static line => line is "    }" or "    };");
                Assert.True(end - start <= 71, $"{file}:{start + 1}: a body of {end - start - 1} lines");
            }
        }
    }

    [Fact]
    public void Names_say_what_a_thing_is()
    {
        foreach (string file in Sources("src").Concat(Sources("tests")))
            foreach (Match match in DeclaredTypes().Matches(File.ReadAllText(file)))
                Assert.False(BannedName().IsMatch(match.Groups[1].Value), $"{file} declares {match.Groups[1].Value}");
    }

    [Fact]
    public void Randomness_has_two_sources_only()
    {
        // Storage draws identities and keys, KeyFile API keys, never noise; all else is PublicRandom or SecretBits.
        foreach (string file in Sources("src").Concat(Sources("tests")))
        {
            if (file.EndsWith("TidyTests.cs", StringComparison.Ordinal)) continue;
            string text = File.ReadAllText(file);
            Assert.False(SystemRandom().IsMatch(text), $"{file} uses System.Random");
            if (file.Contains("/src/", StringComparison.Ordinal) && !file.EndsWith("SecretBits.cs", StringComparison.Ordinal)
                && !file.EndsWith("/KeyFile.cs", StringComparison.Ordinal)
                && !file.Contains("/PrivateKernels.Storage/", StringComparison.Ordinal))
                Assert.False(text.Contains("RandomNumberGenerator", StringComparison.Ordinal), $"{file} reaches for OS entropy");
        }
    }

    [Fact]
    public void Every_sketch_and_mechanism_states_its_guarantee()
    {
        foreach (string file in Sources("src/PrivateKernels"))
        {
            string text = File.ReadAllText(file);
            if (Implementation().IsMatch(text)) Assert.Contains("Guarantee:", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_table_of_functions_in_README_is_the_catalog()
    {
        string readme = File.ReadAllText(Path.Combine(Root, "README.md"));
        string table = string.Join('\n', Catalog.Functions.Select(static e =>
            $"| `{e.Name}` | {e.Formula.Replace("|", "\\|", StringComparison.Ordinal)} | {(e.IsKernel ? "kernel" : "distance")} | {Needs(e)} |"));
        Assert.True(readme.Contains(table, StringComparison.Ordinal), "README.md should hold these rows:\n" + table);
    }

    [Fact]
    public void No_warning_is_switched_off_without_a_reason_beside_it()
    {
        foreach (string file in Sources("src").Concat(Sources("tests")).Where(static f => !f.EndsWith("TidyTests.cs", StringComparison.Ordinal)))
        {
            string[] lines = File.ReadAllLines(file);
            for (int i = 0; i < lines.Length; i++)
                if (lines[i].Contains("#pragma warning disable", StringComparison.Ordinal))
                    Assert.True((lines[i] + lines[Math.Max(0, i - 1)]).Contains("//", StringComparison.Ordinal), $"{file}:{i + 1}");
        }
    }

    static string Needs(PairFunctionEntry e) => string.Join(", ", new[]
    {
        e.UsesBandwidth ? "bandwidth h" : "", e.UsesExponent ? "exponent" : "",
        e.NeedsBox ? "lower, upper" : "", e.NeedsMaxNorm ? "max_norm" : "",
    }.Where(static s => s.Length > 0));

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "PrivateKernels.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }

    [GeneratedRegex(@"\b(class|struct|record|interface|enum)\b")]
    private static partial Regex TypeDeclaration();

    [GeneratedRegex(@"\b(?:class|struct|record|interface|enum)\s+(?:struct\s+)?([A-Z]\w*)")]
    private static partial Regex DeclaredTypes();

    [GeneratedRegex(@"(Manager|Helper|Util|Utils|Base|Impl|Info|Data|Processor)$")]
    private static partial Regex BannedName();

    [GeneratedRegex(@"\bnew (System\.)?Random\(|\bRandom\.Shared\b")]
    private static partial Regex SystemRandom();

    [GeneratedRegex(@"(class|record|struct)\s+\w+[^{;]*:\s*[^{;]*\b(ISketch|INoise)\b")]
    private static partial Regex Implementation();
}
