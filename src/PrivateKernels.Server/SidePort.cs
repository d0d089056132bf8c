using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace PrivateKernels.Server;

/// <summary>
/// The second listener, for probes and monitoring: HTTP/1 with /livez, /readyz and /metrics. It answers from before the
/// ledger is verified until after streams are closed, and shows nothing private.
/// </summary>
sealed class SidePort : IAsyncDisposable
{
    static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    readonly WebApplication _app;
    readonly Readiness _readiness;
    readonly Telemetry _telemetry;
    readonly string _witness;
    volatile IReadOnlyList<object> _engines = [];
    volatile string? _role;

    SidePort(WebApplication app, Readiness readiness, Telemetry telemetry, string witness) =>
        (_app, _readiness, _telemetry, _witness) = (app, readiness, telemetry, witness);

    /// <summary>Where it listens, with the real port.</summary>
    internal IPEndPoint Endpoint { get; private set; } = new(IPAddress.Loopback, 0);

    /// <param name="listen">Address and port.</param>
    /// <param name="readiness">What /livez and /readyz say.</param>
    /// <param name="telemetry">What /metrics says.</param>
    /// <param name="witness">Where the witness of the ledger is kept, in words.</param>
    internal static async Task<SidePort> StartAsync(IPEndPoint listen, Readiness readiness, Telemetry telemetry, string witness)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(listen, static endpoint => endpoint.Protocols = HttpProtocols.Http1);
            kestrel.Limits.MaxConcurrentConnections = 64;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        });
        WebApplication app = builder.Build();
        var side = new SidePort(app, readiness, telemetry, witness);
        app.Run(side.AnswerAsync);
        try
        {
            await app.StartAsync();
        }
        catch (IOException)
        {
            await app.DisposeAsync();
            throw new ConfigurationException($"Side:Listen is '{listen}': the address is in use.");
        }
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        side.Endpoint = IPEndPoint.Parse(new Uri(address).Authority);
        return side;
    }

    /// <summary>What the role of a ledger in PostgreSQL may do, and the engines, the one in use first.</summary>
    internal void Show(bool? canRewriteLedger, Engines engines)
    {
        _role = canRewriteLedger switch { null => null, true => "could rewrite the ledger", false => "reads and appends" };
        _engines = Describe(engines);
    }

    static object[] Describe(Engines engines) =>
    [
        .. engines.Reports.Select(report => (object)new
        {
            Kind = report.Engine.Kind.ToString().ToLowerInvariant(),
            report.Engine.Device,
            Verified = report.IsVerified,
            InUse = report.Engine == engines.First,
        }),
    ];

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    Task AnswerAsync(HttpContext http)
    {
        HttpResponse response = http.Response;
        response.Headers.CacheControl = "no-store";
        if (http.Request.Method is not ("GET" or "HEAD"))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return Task.CompletedTask;
        }
        switch (http.Request.Path.Value)
        {
            case "/livez":
                response.StatusCode = _readiness.IsLive ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
                return response.WriteAsync(_readiness.IsLive ? "live\n" : "the writer of the ledger hangs\n");
            case "/readyz":
                return WriteReadinessAsync(response);
            case "/metrics":
                response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
                return _telemetry.WriteAsync(response.Body, http.RequestAborted);
            default:
                response.StatusCode = StatusCodes.Status404NotFound;
                return response.WriteAsync("/livez, /readyz, /metrics\n");
        }
    }

    Task WriteReadinessAsync(HttpResponse response)
    {
        var checks = _readiness.Checks;
        bool ready = checks.All(static check => check.Holds);
        response.StatusCode = ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        response.ContentType = "application/json";
        return response.WriteAsync(JsonSerializer.Serialize(new
        {
            Ready = ready,
            Checks = checks.ToDictionary(static check => check.Name, static check => check.State),
            Witness = _witness,
            LedgerRole = _role,
            Engines = _engines,
            ServerHost.Version,
        }, Format) + "\n");
    }
}
