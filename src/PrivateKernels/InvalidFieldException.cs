using System.Globalization;

namespace PrivateKernels;

/// <summary>A public parameter breaks a rule. The message names the field, its value and the rule.</summary>
/// <remarks>Only public parameters are ever put here: never a coordinate, a label or a count.</remarks>
public sealed class InvalidFieldException : ArgumentException
{
    public InvalidFieldException(string field, object? value, string rule)
        : base(string.Create(CultureInfo.InvariantCulture, $"{field} is {value ?? "unset"}: {rule}."))
        => (Field, Rule) = (field, rule);

    InvalidFieldException(InvalidFieldException inner, string parent) : base($"{parent}.{inner.Message}")
        => (Field, Rule) = ($"{parent}.{inner.Field}", inner.Rule);

    /// <summary>Name as on the wire, such as "bandwidth" or "domain.lower".</summary>
    public string Field { get; } = "";

    /// <summary>What the value must satisfy.</summary>
    public string Rule { get; } = "";

    /// <summary>The same of a field inside another: "epsilon" of "budget" is "budget.epsilon".</summary>
    public InvalidFieldException Within(string parent) => new(this, parent);
}
