using System.Security.Authentication;
using Google.Rpc;
using Grpc.Core;

namespace PrivateKernels.Client;

/// <summary>
/// The server refused a call, or could not be reached. After any failed call everything is as before it.
/// </summary>
public sealed class PrivateKernelsException : Exception
{
    const string BadFrameReason = "CHECKSUM_MISMATCH";

    internal PrivateKernelsException(
        string reason, StatusCode code, string message, IReadOnlyDictionary<string, string> metadata,
        Exception? inner = null)
        : base(message, inner) => (Reason, Code, Metadata) = (reason, code, metadata);

    /// <summary>What happened, such as "BUDGET_EXHAUSTED"; "UNREACHABLE" if no server answered, "UNTRUSTED" if TLS failed.</summary>
    public string Reason { get; }

    /// <summary>The canonical code.</summary>
    public StatusCode Code { get; }

    /// <summary>Details by name: field, row, column, limit, remaining and the like.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Delay that the server asks for before the same request is sent again; null = none named.</summary>
    internal TimeSpan? RetryDelay { get; private init; }

    /// <summary>Whether the same request may succeed a little later. An exhausted budget never refills.</summary>
    internal bool IsTransient => RetryDelay is not null || (Code == StatusCode.Unavailable && Reason != "UNTRUSTED") || Reason == BadFrameReason;

    internal static PrivateKernelsException From(RpcException e)
    {
        Google.Rpc.Status? status = e.GetRpcStatus();
        if (status?.GetDetail<ErrorInfo>() is { } details)
            return new(
                details.Reason, e.StatusCode, e.Status.Detail, new Dictionary<string, string>(details.Metadata), e)
            {
                RetryDelay = status.GetDetail<RetryInfo>()?.RetryDelay?.ToTimeSpan(),
            };
        if (IsUntrusted(e.Status.DebugException))
            return new("UNTRUSTED", e.StatusCode,
                "the TLS handshake failed: the server's certificate is not trusted or not for this name (name its " +
                "authority with --ca), or the server wants a client certificate that it knows.", Nothing, e);
        // With TLS 1.3 a client hears only after the handshake that its certificate was not taken: the connection breaks.
        if (e is { StatusCode: StatusCode.Internal, Status.DebugException: HttpRequestException or IOException })
            return new("UNREACHABLE", StatusCode.Unavailable,
                "the connection broke before an answer came; a server that demands a client certificate does so too.", Nothing, e);
        return e.StatusCode == StatusCode.Unavailable
            ? new("UNREACHABLE", e.StatusCode,
                "no server answers there; start one with 'pk serve', or name another with --server (https://... where it has TLS).",
                Nothing, e)
            : new(ReasonOf(e.StatusCode), e.StatusCode, e.Status.Detail, Nothing, e);
    }

    /// <summary>The failure of an operation.</summary>
    internal static PrivateKernelsException From(Google.Rpc.Status status)
    {
        ErrorInfo? details = status.GetDetail<ErrorInfo>();
        var code = (StatusCode)status.Code;
        return new(details?.Reason ?? ReasonOf(code), code, status.Message,
            details is null ? Nothing : new Dictionary<string, string>(details.Metadata));
    }

    /// <summary>
    /// The same with rows counted from the beginning of what is sent, not of the batch that was refused.
    /// </summary>
    internal PrivateKernelsException WithRowsAfter(long rowsBefore)
    {
        if (!Metadata.TryGetValue("row", out string? text) || !long.TryParse(text, out long row)) return this;
        string placed = $"{row + rowsBefore}";
        string message = Message
            .Replace($"row {text}", $"row {placed}", StringComparison.Ordinal)
            .Replace($"Row {text}", $"Row {placed}", StringComparison.Ordinal);
        return new(Reason, Code, message, new Dictionary<string, string>(Metadata) { ["row"] = placed }, this);
    }

    static bool IsUntrusted(Exception? e) =>
        e is AuthenticationException || (e is not null && IsUntrusted(e.InnerException));

    static IReadOnlyDictionary<string, string> Nothing => new Dictionary<string, string>();

    static string ReasonOf(StatusCode code) => code switch
    {
        StatusCode.DeadlineExceeded => "DEADLINE_EXCEEDED",
        StatusCode.Cancelled => "CANCELLED",
        StatusCode.Unimplemented => "UNIMPLEMENTED",
        _ => code.ToString().ToUpperInvariant(),
    };
}
