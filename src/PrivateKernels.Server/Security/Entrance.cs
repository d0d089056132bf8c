using System.Net;

namespace PrivateKernels.Server;

/// <summary>Everything that stands between the network and the services.</summary>
sealed class Entrance : IDisposable
{
    static readonly TimeSpan WarningInterval = TimeSpan.FromMinutes(10);

    readonly KeyRing? _keys;
    readonly Timer? _warning;

    internal Entrance(ServerOptions options, JsonLog log, Telemetry telemetry)
    {
        SecurityOptions security = options.Security;
        TimeProvider clock = TimeProvider.System;
        _keys = security.KeysFile.Length > 0 ? new KeyRing(security.KeysFile, log, clock) : null;
        try
        {
            Certificate = options.Tls.CertificateFile.Length > 0
                ? new ServerCertificate(options.Tls, security.ClientCertificates, _keys, log, clock) : null;
        }
        catch
        {
            _keys?.Dispose();
            throw;
        }
        Tokens = options.OpenIdConnect.Authority.Length > 0 ? new BearerTokens(options.OpenIdConnect, log) : null;
        Access = new Access(_keys, Tokens, security.ClientCertificates, options.Limits, log, clock, telemetry);
        IsInsecure = !IPAddress.IsLoopback(Configuration.Endpoint(options.Grpc.Listen).Address) && (Certificate is null || !Access.IsOn);
        telemetry.Observe("insecure", "1: other machines reach a port without TLS or without credentials.", () => IsInsecure ? 1 : 0);
        if (IsInsecure) _warning = new Timer(_ => Warn(log), null, TimeSpan.Zero, WarningInterval);
    }

    internal ServerCertificate? Certificate { get; }

    internal BearerTokens? Tokens { get; }

    internal Access Access { get; }

    /// <summary>Whether other machines reach a port without TLS, or without credentials.</summary>
    internal bool IsInsecure { get; }

    /// <summary>For the log and for whoever started the server.</summary>
    internal string Describe() => (Certificate is not null, Access.IsOn) switch
    {
        (true, true) => "TLS, callers show who they are",
        (true, false) => "TLS, but every caller is the owner",
        (false, true) => "no TLS; callers show who they are",
        _ => "no TLS and no keys: every caller is the owner",
    };

    public void Dispose()
    {
        _warning?.Dispose();
        Certificate?.Dispose();
        _keys?.Dispose();
    }

    void Warn(JsonLog log) => log.Write(LogLevel.Warning, "insecure", ("key", "Security:AllowInsecure"),
        ("note", $"other machines reach this port: {Describe()}"));
}
