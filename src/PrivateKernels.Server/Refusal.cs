using System.Globalization;

namespace PrivateKernels.Server;

/// <summary>
/// A call that is refused, with a reason of <see cref="Reasons"/>. The text never holds a private value.
/// </summary>
sealed class Refusal(string reason, string message, params (string Key, string Value)[] metadata) : Exception(message)
{
    internal string Reason { get; } = reason;

    internal IReadOnlyList<(string Key, string Value)> Metadata { get; } = metadata;

    internal static Refusal Field(string field, string rule) =>
        new("INVALID_FIELD", $"{field} {rule}.", ("field", field), ("rule", rule));

    /// <summary>The reply of storage for what is not there, word for word: it also hides what is there but not granted.</summary>
    internal static Refusal NotFound(string name) =>
        new("RESOURCE_NOT_FOUND", "There is no such resource, or no grant for it.", ("resource", name));

    internal static Refusal Limit(string key, long limit, string what) => new(
        "LIMIT_EXCEEDED", string.Create(CultureInfo.InvariantCulture, $"{what}: at most {limit} ({key})."),
        ("limit", key), ("value", limit.ToString(CultureInfo.InvariantCulture)));

    internal static Refusal TooLarge(long limit) => new(
        "MESSAGE_TOO_LARGE", string.Create(CultureInfo.InvariantCulture, $"a message may have at most {limit} bytes; split it."),
        ("limit", limit.ToString(CultureInfo.InvariantCulture)));

    /// <summary>Bytes that are no protobuf of the type that the call takes.</summary>
    internal static Refusal NoMessage() => Field("message", "must be a protobuf of the request's type");

    internal static Refusal ShuttingDown() => new("SHUTTING_DOWN", "the server is shutting down; retry in a moment.");
}
