using System.Collections.Concurrent;
using System.Globalization;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>
/// Lets a call in, before a byte of its message is read: who calls, how often, and whether the role may. Which datasets the
/// message names is looked at when it is there (<see cref="AccessRule.Check"/>).
/// </summary>
sealed class Access(
    KeyRing? keys, BearerTokens? tokens, ClientCertificates certificates, LimitsOptions limits, JsonLog log, TimeProvider clock,
    Telemetry telemetry)
{
    /// <summary>Limits of callers are forgotten beyond this; only key holders have any.</summary>
    const int MostCallers = 10_000;

    /// <summary>Of a message that comes without credentials: the name of a service.</summary>
    const int MostBytesOfNobody = 4096;

    readonly FailedAttempts _failures = new(clock);
    readonly BytesInFlight _inFlight = new(limits.BytesInFlight);
    readonly ConcurrentDictionary<string, Share> _shares = new();

    /// <summary>Whether callers must show who they are; otherwise each is the owner.</summary>
    internal bool IsOn => keys is not null || tokens is not null;

    internal void Use(IApplicationBuilder app) => app.Use(async (http, next) =>
    {
        // What is no method of a service is refused by the framework, which knows nothing private.
        if (http.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is not { Method: { } method })
        {
            await next(http);
            return;
        }
        IDisposable held;
        try
        {
            Caller caller = await AdmitAsync(http, method.FullName);
            http.Features.Set(caller);
            // Whoever shows no credentials may not make the server count on large messages that never come.
            if (caller == Caller.Nobody && await BytesInFlight.AnnouncedAsync(http, method.Type) > MostBytesOfNobody)
                throw Refusal.TooLarge(MostBytesOfNobody);
            held = await InFlightOf(caller).TakeAnnouncedAsync(http, method.Type, limits.RequestBytes);
        }
        catch (Refusal refusal)
        {
            // No line for each health check, nor beyond the failed attempts of an address: somebody without a key would fill the disk.
            if (http.Features.Get<Caller>() is { } caller ? caller != Caller.Nobody : refusal.Reason != "RATE_LIMITED")
                log.Write(LogLevel.Information, "call", ("method", method.FullName), ("key", http.Features.Get<Caller>()?.Id),
                    ("code", Reasons.Codes[refusal.Reason]), ("reason", refusal.Reason));
            telemetry.AddCall(method.FullName, Reasons.Codes[refusal.Reason], refusal.Reason, null);
            GrpcReply.Refuse(http, Statuses.From(refusal, ""));
            return;
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there any more to be told anything.
            return;
        }
        using (held) await next(http);
    });

    /// <summary>The caller as its credentials stand now: a stream outlives the look at its first message.</summary>
    internal Caller Current(Caller caller, AccessRule rule)
    {
        if (!IsOn || caller == Caller.Nobody) return caller;
        Caller? now = BearerTokens.IsOf(caller) ? (caller.Expires > clock.GetUtcNow() ? caller : null) : keys?.Current(caller.Id);
        if (now is null) throw Invalid();
        return rule.Allows(now) ? now : throw RoleRequired(rule.Roles);
    }

    /// <summary>Bytes of a caller's messages being handled.</summary>
    internal BytesInFlight InFlightOf(Caller caller) => IsOn && caller != Caller.Nobody ? ShareOf(caller).InFlight : _inFlight;

    /// <summary>Counts query points, also against the caller's limit.</summary>
    internal void TakePoints(Caller caller, int points)
    {
        if (IsOn && !ShareOf(caller).Points.TryTake(points))
            throw RateLimited("Limits:QueryPointsPerSecond", limits.QueryPointsPerSecond, "query points per second of one key");
        telemetry.AddPoints(points);
    }

    async Task<Caller> AdmitAsync(HttpContext http, string method)
    {
        AccessRule rule = Roles.Find(method) ?? throw RoleRequired(Role.None);
        if (rule.Roles == Roles.Anyone) return Caller.Nobody;
        if (!IsOn) return Caller.Local;
        Caller? caller = await AuthenticateAsync(http);
        if (caller is null)
            throw _failures.Count(http.Connection.RemoteIpAddress)
                ? Invalid()
                : RateLimited("failed attempts", FailedAttempts.PerMinute, "failed attempts per minute of one address");
        http.Features.Set(caller);
        if (!ShareOf(caller).Calls.TryTake(1))
            throw RateLimited("Limits:CallsPerSecond", limits.CallsPerSecond, "calls per second of one key");
        return rule.Allows(caller) ? caller : throw RoleRequired(rule.Roles);
    }

    /// <summary>A header says who calls; without one, the certificate of the connection does.</summary>
    async Task<Caller?> AuthenticateAsync(HttpContext http)
    {
        const string Scheme = "Bearer ";
        Caller? holder = certificates != ClientCertificates.None && http.Connection.ClientCertificate is { } certificate
            ? keys!.FindCertificate(certificate) : null;
        // Taken from the keys file since the connection began?
        if (holder is null && certificates == ClientCertificates.Require) return null;
        if (http.Request.Headers.Authorization is not [{ } header]) return http.Request.Headers.Authorization.Count == 0 ? holder : null;
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return null;
        string credential = header[Scheme.Length..];
        return KeyFile.IdOf(credential) is null && tokens is not null ? await tokens.FindAsync(http) : keys?.Find(credential);
    }

    Share ShareOf(Caller caller)
    {
        if (_shares.TryGetValue(caller.Id, out Share? share)) return share;
        if (_shares.Count >= MostCallers) _shares.Clear();
        return _shares.GetOrAdd(caller.Id, _ => new(
            new(limits.CallsPerSecond, limits.CallBurst, clock),
            new(limits.QueryPointsPerSecond, limits.QueryPointsPerSecond, clock),
            // Half at most, so that messages that one key announces and does not send leave room for everybody else's.
            new(Math.Max(limits.BytesInFlight / 2, limits.RequestBytes), _inFlight)));
    }

    /// <summary>One text for missing, unknown and expired: it must not help to find out which.</summary>
    static Refusal Invalid() => new("CREDENTIALS_INVALID", "the call needs a valid key or token: 'authorization: Bearer ...'.");

    static Refusal RoleRequired(Role roles) =>
        new("ROLE_REQUIRED", "the key's role does not allow this call; ask the owner.", ("role", roles.ToString().ToLowerInvariant()));

    static Refusal RateLimited(string limit, long most, string what) => new(
        "RATE_LIMITED", string.Create(CultureInfo.InvariantCulture, $"at most {most} {what}; wait and retry."), ("limit", limit));
}

/// <summary>What one key may have of the server.</summary>
sealed record Share(RateBucket Calls, RateBucket Points, BytesInFlight InFlight);

/// <summary>A status sent in headers, where no service method answers.</summary>
static class GrpcReply
{
    internal static void Refuse(HttpContext http, Google.Rpc.Status status)
    {
        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = "application/grpc";
        http.Response.Headers["grpc-status"] = status.Code.ToString(CultureInfo.InvariantCulture);
        Describe(http.Response.Headers, status);
    }

    internal static void Describe(IHeaderDictionary headers, Google.Rpc.Status status)
    {
        headers["grpc-message"] = Uri.EscapeDataString(status.Message);
        headers["grpc-status-details-bin"] = Convert.ToBase64String(Google.Protobuf.MessageExtensions.ToByteArray(status));
    }
}
