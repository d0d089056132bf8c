using System.Globalization;

namespace PrivateKernels.Cli;

/// <summary>Numbers and names as people and scripts read them.</summary>
static class Show
{
    const double UnitsPerOne = 1L << 40;

    public static string Number(double value) => value.ToString("G5", CultureInfo.InvariantCulture);

    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    public static string Seconds(double value) => value.ToString("0.00", CultureInfo.InvariantCulture) + " s";

    public static string Percent(double value) => value.ToString("0.0 %", CultureInfo.InvariantCulture);

    /// <summary>Enum member of the wire in lower case: AddOrRemoveOne becomes add_or_remove_one.</summary>
    public static string Name(Enum value) =>
        System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    public static string Name(MechanismKind mechanism) =>
        mechanism == MechanismKind.RoundedNormal ? "gaussian" : "laplace";

    public static string Name(V1.Mechanism mechanism) => mechanism switch
    {
        V1.Mechanism.RoundedNormal => "gaussian",
        V1.Mechanism.DiscreteLaplace => "laplace",
        _ => "",
    };

    /// <summary>
    /// Details of a refusal as people read them: units of an account as mu or epsilon, and neither the unit nor the same in other
    /// terms beside them.
    /// </summary>
    public static IEnumerable<KeyValuePair<string, string>> Details(IReadOnlyDictionary<string, string> details) =>
        details.GetValueOrDefault("unit") switch
        {
            "mu_squared_2^-40" => Amounts(details, static units => $"μ = {Number(Math.Sqrt(units / UnitsPerOne))}"),
            "epsilon_2^-40" => Amounts(details, static units => $"ε = {Number(units / UnitsPerOne)}"),
            _ => details,
        };

    static IEnumerable<KeyValuePair<string, string>> Amounts(
        IReadOnlyDictionary<string, string> details, Func<long, string> amount) =>
        details.Where(static d => d.Key is not ("unit" or "delta" or "loss_remaining")).Select(d => KeyValuePair.Create(
            d.Key, long.TryParse(d.Value, NumberStyles.None, CultureInfo.InvariantCulture, out long units) ? amount(units) : d.Value));

    /// <summary>An amount of an account as scripts read it; mu of a Gaussian account only.</summary>
    public static Loss Amount(V1.CostUnit unit, long units, double delta)
    {
        if (unit == V1.CostUnit.Epsilon) return new(null, units == 0 ? 0 : Accountant.PureEpsilonAtMost(units), 0);
        double epsilon = units <= 0 ? 0 : Accountant.EpsilonAtMost(units, delta);
        return new(Math.Sqrt(Math.Max(0, units) / UnitsPerOne), epsilon, delta);
    }
}

/// <summary>Privacy spent, left, or asked: mu (Gaussian accounts), and the same as (epsilon, delta).</summary>
sealed record Loss(double? Mu, double Epsilon, double Delta)
{
    public override string ToString() => Delta == 0
        ? $"ε = {Show.Number(Epsilon)}"
        : $"ε = {Show.Number(Epsilon)}, δ = {Show.Number(Delta)}" + (Mu is { } mu ? $" (μ = {Show.Number(mu)})" : "");
}
