using System.CommandLine;
using PrivateKernels.Client;

namespace PrivateKernels.Cli;

/// <summary>The options that say what a release is: the same for create and estimate.</summary>
static class ReleaseOptions
{
    public static IReadOnlyDictionary<string, SketchMethod> Methods { get; } =
        Enum.GetValues<SketchMethod>().ToDictionary(static method => Show.Name(method));

    static readonly Option<string?> Function = new("--function")
    {
        Description = "Kernel or distance; see 'pk functions'.",
    };

    static readonly Option<string?> Accumulator = new("--accumulator")
    {
        Description = "Of a one-pass dataset, instead of all other options but epsilon, delta and mechanism.",
        HelpName = "NAME",
    };

    static readonly Option<double> Bandwidth = new("--bandwidth")
    {
        Description = "Length scale of a kernel, in units of the coordinates.",
        HelpName = "H",
    };

    static readonly Option<double> Exponent = new("--exponent")
    {
        Description = "Shape parameter, where the function has one.",
        HelpName = "P",
    };

    static readonly Option<double> Epsilon = new("--epsilon")
    {
        Description = "Epsilon that the release may cost.",
        Required = true,
        HelpName = "E",
    };

    static readonly Option<double?> Delta = new("--delta")
    {
        Description = "Delta beside it (default: that of the account, 0 for laplace noise).",
        HelpName = "DELTA",
    };

    static readonly Option<bool> PerClass = new("--per-class")
    {
        Description = "One sum for each class, at the price of one.",
    };

    static readonly Option<bool> LeastSquares = new("--least-squares")
    {
        Description = "Also hold second moments of the features, for classify --score least-squares; needs --per-class.",
    };

    static readonly Option<bool> Weighted = new("--weighted")
    {
        Description = "Sum v f(x, y) over the values v of the rows, in place of f(x, y).",
    };

    static readonly Option<int> Features = new("--features")
    {
        Description = "Random features, or landmarks (default: the planner chooses).",
        HelpName = "M",
    };

    static readonly Option<string?> Method = new Option<string?>("--method")
    {
        Description = "Structure (default: the planner chooses). paper, paper_plus: that of the ICLR 2024 paper, to compare with.",
        HelpName = "METHOD",
    }.AcceptOnlyFromAmong([.. Methods.Keys]);

    static readonly Option<int> ProjectedDimension = new("--projected-dimension")
    {
        Description = "Dimension that the paper's structures project to (default: at most 200).",
        HelpName = "K",
    };

    static readonly Option<ulong?> Seed = new("--seed")
    {
        Description = "Seed of the public map (default: drawn). Releases with the same seed, function and features combine.",
        HelpName = "N",
    };

    static readonly Option<string?> Landmarks = new("--landmarks")
    {
        Description = "Public dataset to take landmarks from: best where it resembles the data; needs a kernel.",
        HelpName = "PUBLIC_DATASET",
    };

    static readonly Option<string?> Noise = new Option<string?>("--mechanism")
    {
        Description = "Noise (default: gaussian, or laplace on a pure account).",
    }.AcceptOnlyFromAmong("gaussian", "laplace");

    public static IEnumerable<Option> All =>
        [
            Function, Accumulator, Bandwidth, Exponent, Epsilon, Delta, PerClass, LeastSquares, Weighted, Features, Seed, Method,
            ProjectedDimension, Landmarks, Noise,
        ];

    public static async Task<ReleaseRequest> ReadAsync(
        Session session, DatasetHandle dataset, CancellationToken cancellation)
    {
        MechanismKind? mechanism = session.Get(Noise) switch
        {
            "gaussian" => MechanismKind.RoundedNormal,
            "laplace" => MechanismKind.DiscreteLaplace,
            _ => null,
        };
        string accumulator = session.Get(Accumulator) ?? "", function = session.Get(Function) ?? "";
        if ((accumulator.Length == 0) == (function.Length == 0))
            throw new InvalidFieldException("function", function, "give one of --function and --accumulator");
        double delta = session.Get(Delta) ?? (mechanism == MechanismKind.DiscreteLaplace
            ? 0
            : (await dataset.GetBudgetAsync(cancellation)).Limit.Delta);
        return new()
        {
            Function = function,
            Accumulator = accumulator,
            Bandwidth = session.Get(Bandwidth),
            Exponent = session.Get(Exponent),
            Features = session.Get(Features),
            Seed = session.Get(Seed),
            Method = session.Get(Method) is { } method ? Methods[method] : null,
            ProjectedDimension = session.Get(ProjectedDimension),
            PerClass = session.Get(PerClass),
            ClassLeastSquares = session.Get(LeastSquares),
            Weighted = session.Get(Weighted),
            PublicDataset = session.Get(Landmarks) is { } name ? $"datasets/{name}" : "",
            Mechanism = mechanism,
            Loss = new PrivacyLoss(session.Get(Epsilon), delta),
        };
    }
}
