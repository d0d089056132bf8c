namespace PrivateKernels.Storage;

/// <summary>
/// A call that storage refuses or cannot carry out. Nothing has changed, unless the remarks of the call say otherwise.
/// </summary>
/// <remarks>The message names rules and public values only: never a private value, a count of private rows or a path.</remarks>
public sealed class StorageException(
    string reason, string message, IReadOnlyDictionary<string, string>? metadata = null, Exception? inner = null)
    : Exception(message, inner)
{
    static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>();

    /// <summary>One of <see cref="Reasons"/>: the reason of the wire's ErrorInfo.</summary>
    public string Reason { get; } = reason;

    /// <summary>The wire's ErrorInfo metadata: public values, in invariant culture.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; } = metadata ?? Nothing;
}
