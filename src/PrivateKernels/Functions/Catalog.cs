namespace PrivateKernels;

/// <summary>Every pair function by name: what the wire, the command line and README list.</summary>
public static class Catalog
{
    /// <summary>All functions in name order.</summary>
    public static IReadOnlyList<PairFunctionEntry> Functions { get; } =
        [.. new[]
        {
            ArcCosine0.Description, ArcCosine1.Description, Cauchy.Description, Exponential.Description,
            Gaussian.Description, InnerProduct.Description, InverseL1.Description, InverseL2.Description,
            InverseMultiquadric.Description, L1.Description, L2.Description, L2Squared.Description,
            Laplacian.Description, LpP.Description, Matern32.Description, Matern52.Description, NtkRelu1.Description,
            RationalQuadratic.Description,
        }.OrderBy(static e => e.Name, StringComparer.Ordinal)];

    /// <summary>Makes a function from its name and parameters; unused parameters must be 0.</summary>
    public static PairFunction Create(string name, double bandwidth, double exponent)
    {
        PairFunctionEntry entry = Functions.FirstOrDefault(e => e.Name == name) ?? throw new UnknownPairFunctionException(name);
        if (!entry.UsesBandwidth && bandwidth != 0)
            throw new InvalidFieldException("bandwidth", bandwidth, $"must be 0 for {name}");
        if (entry.UsesBandwidth && bandwidth == 0)
            throw new InvalidFieldException("bandwidth", null, $"{name} needs one, between 1e-9 and 1e9, in units of the coordinates");
        if (!entry.UsesExponent && exponent != 0)
            throw new InvalidFieldException("exponent", exponent, $"must be 0 for {name}");
        return entry.Create(bandwidth, exponent);
    }
}

/// <summary>No function of the catalog has this name.</summary>
public sealed class UnknownPairFunctionException(string name)
    : ArgumentException($"there is no pair function '{name}'; known: {string.Join(", ", Catalog.Functions.Select(static e => e.Name))}.")
{
    public string Name { get; } = name;
}
