using System.Text;
using System.Text.Json;

namespace PrivateKernels.Tests;

/// <summary>What is exported for others to price: golden files, and totals that the ledger covers.</summary>
public sealed class ExportTests
{
    public static TheoryData<Adjacency, string> Histories =>
        new MatrixTheoryData<Adjacency, string>([Adjacency.AddOrRemoveOne, Adjacency.ReplaceOne], ["gaussian", "pure", "mixed"]);

    [Theory]
    [MemberData(nameof(Histories))]
    public async Task An_export_is_the_golden_file_and_its_total_is_what_the_ledger_charged(Adjacency adjacency, string kind)
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Live(directory, adjacency, kind);
        (string json, LedgerCertificate head) = directory.Ledger.ExportEvents("people");
        Assert.True(directory.Ledger.IsGenuine(head));
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        Assert.Equal(head.Position.Sequence, root.GetProperty("ledger").GetProperty("sequence").GetInt64());
        string relation = root.GetProperty("neighboring_relation").GetString()!;
        Assert.Equal(adjacency == Adjacency.ReplaceOne ? "REPLACE_ONE" : "ADD_OR_REMOVE_ONE", relation);
        JsonElement events = root.GetProperty("event");
        string file = Path.Combine(AppContext.BaseDirectory, "Golden", $"events-{kind}-{relation.ToLowerInvariant()}.json");
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(file));
        Assert.True(JsonElement.DeepEquals(golden.RootElement.GetProperty("event"), events), events.GetRawText());
        AccountRow account = directory.Datasets.GetBudget("people")!;
        double charged = (account.SpentUnits + account.ReservedUnits) / (double)(1L << 40);
        double total = Total(events, adjacency, account.Unit);
        // Noise is a little larger than its price asks for, and units are whole.
        Assert.InRange(total, 0.999 * charged, charged * (1 + 1e-12));
        Assert.InRange(golden.RootElement.GetProperty("total").GetDouble(), 0.999 * charged, charged * (1 + 1e-12));
    }

    [Fact]
    public async Task A_dataset_without_an_account_has_nothing_to_export()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        DatasetDefinition open = new(
            DatasetKind.Public, new Domain(Scratch.Dimension), Adjacency.AddOrRemoveOne, 1, 0, [], OutOfDomainPolicy.Refuse);
        await Scratch.Create(directory, "open", null, definition: open);
        Assert.Equal(Reasons.AccountMismatch, Assert.Throws<StorageException>(() => directory.Ledger.ExportEvents("open")).Reason);
    }

    [Fact]
    public async Task What_a_restore_charged_is_in_the_export_once()
    {
        using var scratch = new Scratch();
        using var other = new Scratch();
        using (DataDirectory directory = scratch.Open())
        {
            await Live(directory, Adjacency.AddOrRemoveOne, "pure");
            Backup.Create(scratch.Path, scratch.Options, other.Path);
        }
        Restore.Run(other.Path, other.Options, [], acceptLoss: true);
        using DataDirectory restored = other.Open();
        using JsonDocument document = JsonDocument.Parse(restored.Ledger.ExportEvents("people").Json);
        JsonElement events = document.RootElement.GetProperty("event");
        Assert.True(events.GetProperty("events").EnumerateArray().Last().GetProperty("recovered").GetBoolean());
        Assert.InRange(Total(events, Adjacency.AddOrRemoveOne, CostUnit.Epsilon), 1 - 1e-9, 1 + 1e-9);
    }

    /// <summary>Composition by formula: epsilon adds up; mu^2 adds up, with Laplace at its price in Gaussian DP.</summary>
    static double Total(JsonElement composed, Adjacency adjacency, CostUnit unit) =>
        composed.GetProperty("events").EnumerateArray().Sum(e => e.GetProperty("class_name").GetString() switch
        {
            "GaussianDpEvent" => Math.Pow((adjacency == Adjacency.ReplaceOne ? 2 : 1) / e.GetProperty("noise_multiplier").GetDouble(), 2),
            "EpsilonDeltaDpEvent" => Pure(e.GetProperty("epsilon").GetDouble(), unit),
            var other => throw new InvalidOperationException(other),
        });

    static double Pure(double epsilon, CostUnit unit) => unit == CostUnit.Epsilon
        ? epsilon
        : Units.OfPureInGaussian(Units.OfEpsilon(epsilon)) / (double)(1L << 40);

    /// <summary>Two posted, one held and one returned, all of the kind; mixed: Laplace on a Gaussian account.</summary>
    static async Task Live(DataDirectory directory, Adjacency adjacency, string kind)
    {
        bool isPure = kind == "pure";
        var definition = new DatasetDefinition(
            DatasetKind.Private, new Domain(Scratch.Dimension, maxNorm: 4), adjacency, 2, 0, [],
            adjacency == Adjacency.ReplaceOne ? OutOfDomainPolicy.Clamp : OutOfDomainPolicy.Refuse);
        await Scratch.Create(directory, "people", isPure ? Scratch.Pure : Scratch.Gaussian, definition: definition);
        (string Release, double Strength, MechanismKind Mechanism)[] spends =
        [
            ("a", 0.25, isPure ? MechanismKind.DiscreteLaplace : MechanismKind.RoundedNormal),
            ("b", 0.1, kind == "gaussian" ? MechanismKind.RoundedNormal : MechanismKind.DiscreteLaplace),
            ("returned", 0.5, isPure ? MechanismKind.DiscreteLaplace : MechanismKind.RoundedNormal),
            ("held", 0.125, isPure ? MechanismKind.DiscreteLaplace : MechanismKind.RoundedNormal),
        ];
        foreach ((string release, double strength, MechanismKind mechanism) in spends)
            await Spend(directory, release, Request(adjacency, isPure, release, strength, mechanism));
    }

    static async Task Spend(DataDirectory directory, string release, ReserveRequest request)
    {
        Build build = (await directory.Ledger.ReserveAsync(request)).Build!;
        if (release == "held") return;
        if (release == "returned")
        {
            await directory.Ledger.VoidAsync(build, "CANCELLED", "cancelled");
            return;
        }
        build.EnterReleasing();
        await directory.Ledger.PostAsync(build, directory.Releases.Save(build, Encoding.UTF8.GetBytes(release)));
    }

    static ReserveRequest Request(Adjacency adjacency, bool isPure, string release, double strength, MechanismKind mechanism)
    {
        Sensitivity sensitivity = Sensitivity.FromNorms(41 * 41, 97, adjacency).ForUnit(2);
        bool isNormal = mechanism == MechanismKind.RoundedNormal;
        var price = new PrivacyStrength(mechanism, isNormal ? Units.OfMu(strength) : Units.OfEpsilon(strength));
        INoise noise = Mechanisms.Calibrate(price, sensitivity);
        long units = isPure || isNormal ? price.Strength : Units.OfPureInGaussian(price.Strength);
        return new(
            Scratch.Call("CreateRelease", "datasets/people", null, release), "people", release,
            new(isPure ? CostUnit.Epsilon : CostUnit.MuSquared, units), new byte[32], mechanism, noise.Scale,
            isNormal ? Math.Sqrt((double)sensitivity.SquaredL2) : (double)sensitivity.L1, 1 << 20,
            Encoding.UTF8.GetBytes("spec"), "owner");
    }
}
