using System.CommandLine;
using PrivateKernels.Client;

namespace PrivateKernels.Cli;

/// <summary>pk dataset create: declares everything public about a dataset before any row.</summary>
static class DatasetCreateCommand
{
    static readonly Argument<string> Name = new("NAME")
    {
        Description = "Id: lower-case letters, digits and '-', at most 63.",
    };

    static readonly Option<int> Dimension = new("--dimension")
    {
        Description = "Coordinates per vector.",
        Required = true,
    };

    static readonly Option<double?> BudgetEpsilon = new("--budget-epsilon")
    {
        Description = "Epsilon that may ever be spent.",
    };

    static readonly Option<double> BudgetDelta = new("--budget-delta")
    {
        Description = "Delta of the budget; 0 opens a pure account, which pays for laplace noise only.",
    };

    static readonly Option<string> Adjacency = new Option<string>("--adjacency")
    {
        Description =
            "Neighbours differ by one unit that is there or not, or by one that is replaced (needs --clamp).",
        DefaultValueFactory = static _ => "add-remove",
    }.AcceptOnlyFromAmong("add-remove", "replace");

    static readonly Option<long> MaxRecords = new("--max-records")
    {
        Description = "Public bound on the number of rows.",
    };

    static readonly Option<int> MaxRecordsPerUnit = new("--max-records-per-unit")
    {
        Description = "Most rows that one person owns.",
        DefaultValueFactory = static _ => 1,
    };

    static readonly Option<double?> Lower = new("--lower") { Description = "Smallest coordinate." };

    static readonly Option<double?> Upper = new("--upper") { Description = "Largest coordinate." };

    static readonly Option<double?> MaxNorm = new("--max-norm") { Description = "Largest Euclidean norm." };

    static readonly Option<bool> Clamp = new("--clamp")
    {
        Description = "Move rows outside the bounds onto them instead of refusing them.",
    };

    static readonly Option<string?> Classes = new("--classes")
    {
        Description = "Names of the classes.",
        HelpName = "a,b,c",
    };

    static readonly Option<double> MaxAbsValue = new("--max-abs-value")
    {
        Description = "Rows carry a value of at most this size, for weighted sums (default: they carry none).",
        HelpName = "V",
    };

    static readonly Option<string?> Population = new("--population")
    {
        Description = "Account key: datasets about the same people must name the same one (default: NAME).",
    };

    static readonly Option<bool> OnePass = new("--one-pass")
    {
        Description = "Rows go into the accumulators as they arrive and are never stored; needs a server with an encryption key.",
    };

    static readonly Option<string[]> Accumulators = new("--accumulator")
    {
        Description = "A sketch of a one-pass dataset: NAME=FUNCTION[,bandwidth=H][,exponent=P][,features=M][,method=METHOD]"
            + "[,landmarks=PUBLIC_DATASET][,seed=S][,per-class][,weighted][,least-squares]. May be given several times.",
        HelpName = "NAME=FUNCTION,...",
    };

    static readonly Option<bool> Imported = new("--imported")
    {
        Description = "Takes release files from elsewhere and no rows: no account ('pk release import').",
    };

    static readonly Option<bool> Public = new("--public") { Description = "Rows are public: no account, no noise." };

    public static Command Create() => new Command("create", "Declare a dataset: dimension, bounds, classes, budget.")
    {
        Name, Dimension, BudgetEpsilon, BudgetDelta, Adjacency, MaxRecords, MaxRecordsPerUnit, Lower, Upper, MaxNorm,
        Clamp, Classes, MaxAbsValue,
        Population, Public, Imported, OnePass, Accumulators, CommonOptions.Server,
    }.Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        var options = new DatasetOptions
        {
            Domain = new(session.Get(Dimension), session.Get(Lower), session.Get(Upper), session.Get(MaxNorm)),
            Budget = Budget(session),
            IsPublic = session.Get(Public),
            IsImported = session.Get(Imported),
            Adjacency = session.Get(Adjacency) == "replace"
                ? PrivateKernels.Adjacency.ReplaceOne
                : PrivateKernels.Adjacency.AddOrRemoveOne,
            MaxRecords = session.Get(MaxRecords),
            MaxRecordsPerUnit = session.Get(MaxRecordsPerUnit),
            Clamp = session.Get(Clamp),
            Classes = session.Get(Classes)?.Split(',', StringSplitOptions.TrimEntries) ?? [],
            MaxAbsValue = session.Get(MaxAbsValue),
            Population = session.Get(Population) ?? "",
            Accumulators = AccumulatorOption.Read(session.Get(OnePass), session.Get(Accumulators) ?? []),
        };
        DatasetHandle handle = await session.Client.CreateDatasetAsync(session.Get(Name), options, cancellation);
        V1.Dataset dataset = await handle.GetAsync(cancellation);
        V1.Budget? budget = options.IsPublic || options.IsImported ? null : await handle.GetBudgetAsync(cancellation);
        DatasetCommands.Write(session.Terminal, dataset, budget);
    }

    static PrivacyLoss? Budget(Session session)
    {
        double? epsilon = session.Get(BudgetEpsilon);
        bool isPrivate = !session.Get(Public) && !session.Get(Imported);
        if (epsilon is not null && !isPrivate)
            throw new InvalidFieldException("budget-epsilon", epsilon, "only a private dataset has a budget");
        if (epsilon is null && isPrivate && session.Get(Population) is null)
            throw new InvalidFieldException("budget-epsilon", null, "a private dataset needs a budget");
        return epsilon is { } e ? new PrivacyLoss(e, session.Get(BudgetDelta)) : null;
    }
}
