using System.Globalization;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>
/// What must be settled before the gRPC framework sees a call: every unary call gets a deadline within the limits, and
/// statuses that the framework sends by itself get their details.
/// </summary>
static class FrameworkLimits
{
    const string TimeoutHeader = "grpc-timeout";

    internal static void Use(IApplicationBuilder app, LimitsOptions limits) => app.Use((http, next) =>
    {
        // A compressed message may grow without bound on its way in, and the framework would unpack it whatever its options say.
        if (http.Request.Headers["grpc-encoding"].ToString() is not ("" or "identity"))
        {
            http.Response.Headers["grpc-accept-encoding"] = "identity";
            GrpcReply.Refuse(http, new() { Code = (int)StatusCode.Unimplemented, Message = "messages must come uncompressed." });
            return Task.CompletedTask;
        }
        if (http.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is { Method.Type: MethodType.Unary })
            http.Request.Headers[TimeoutHeader] = Bound(http.Request.Headers[TimeoutHeader].ToString(), limits);
        http.Response.OnStarting(() =>
        {
            AddDetails(http.Response.Headers, limits);
            return Task.CompletedTask;
        });
        return next(http);
    });

    /// <summary>The deadline asked for if it is within the limits, in the framework's notation.</summary>
    internal static string Bound(string asked, LimitsOptions limits)
    {
        if (asked.Length == 0) return Format(limits.DefaultDeadline);
        double unitSeconds = asked[^1] switch { 'H' => 3600, 'M' => 60, 'S' => 1, 'm' => 1e-3, 'u' => 1e-6, 'n' => 1e-9, _ => 0 };
        bool valid = long.TryParse(asked.AsSpan(0, asked.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long n);
        // A text that makes no sense is left for the framework to judge.
        return valid && unitSeconds > 0 && n * unitSeconds > limits.MaxDeadline.TotalSeconds ? Format(limits.MaxDeadline) : asked;
    }

    static string Format(TimeSpan time) =>
        ((long)Math.Min(time.TotalMilliseconds, 99_999_999)).ToString(CultureInfo.InvariantCulture) + "m";

    static void AddDetails(IHeaderDictionary headers, LimitsOptions limits)
    {
        if (headers.ContainsKey("grpc-status-details-bin") || !int.TryParse(headers["grpc-status"], out int code)) return;
        Refusal? refusal = (StatusCode)code switch
        {
            StatusCode.ResourceExhausted => Refusal.TooLarge(limits.RequestBytes),
            // Whatever a service throws has been translated: this is a message that could not be read.
            StatusCode.Unknown or StatusCode.Internal => Refusal.NoMessage(),
            _ => null,
        };
        if (refusal is null) return;
        Google.Rpc.Status status = Statuses.From(refusal, "");
        headers["grpc-status"] = status.Code.ToString(CultureInfo.InvariantCulture);
        GrpcReply.Describe(headers, status);
    }
}
