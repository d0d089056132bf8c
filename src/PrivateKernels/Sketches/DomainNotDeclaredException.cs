namespace PrivateKernels;

/// <summary>A function needs a bound that the data set does not declare.</summary>
public sealed class DomainNotDeclaredException(string bound, string function)
    : InvalidOperationException($"{function} needs the domain's {bound}; make a data set that declares it.")
{
    /// <summary>The missing bound.</summary>
    public string Bound { get; } = bound;
}
