using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace PrivateKernels.Server;

/// <summary>
/// The server's certificate, read again when its files change: connections from then on get the new one.
/// </summary>
sealed class ServerCertificate : IDisposable
{
    readonly ClientCertificates _clients;
    readonly KeyRing? _keys;
    readonly TimeProvider _clock;
    readonly FileWatch _watch;
    volatile SslStreamCertificateContext _context;

    internal ServerCertificate(TlsOptions tls, ClientCertificates clients, KeyRing? keys, JsonLog log, TimeProvider clock)
    {
        (_clients, _keys, _clock) = (clients, keys, clock);
        _context = Load(tls, clock);
        string[] files = [.. new[] { tls.CertificateFile, tls.KeyFile, tls.PasswordFile }.Where(static f => f.Length > 0)];
        _watch = new FileWatch(files, () =>
        {
            _context = Load(tls, clock);
            log.Write(LogLevel.Information, "certificate", ("note", "the certificate was read again"),
                ("ends", $"{_context.TargetCertificate.NotAfter.ToUniversalTime():u}"));
        }, log, "Tls:CertificateFile");
    }

    /// <summary>How Kestrel shakes hands.</summary>
    internal TlsHandshakeCallbackOptions Handshake(TimeSpan timeout) => new()
    {
        HandshakeTimeout = timeout,
        OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = _context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            AllowRenegotiation = false,
            ClientCertificateRequired = _clients != ClientCertificates.None,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => Accepts(certificate as X509Certificate2),
        }),
    };

    public void Dispose() => _watch.Dispose();

    /// <summary>
    /// Whose certificate it is says its thumbprint in the keys file, so who vouches for it does not matter. Access looks again
    /// at every call.
    /// </summary>
    bool Accepts(X509Certificate2? certificate) =>
        _clients != ClientCertificates.Require || (certificate is not null && _keys!.FindCertificate(certificate) is not null);

    static SslStreamCertificateContext Load(TlsOptions tls, TimeProvider clock)
    {
        char[] password = [];
        try
        {
            password = tls.PasswordFile.Length > 0 ? ReadPassword(tls.PasswordFile) : tls.Password.ToCharArray();
            (X509Certificate2 own, X509Certificate2Collection others) = tls.KeyFile.Length > 0 ? LoadPem(tls, password) : LoadPkcs12(tls, password);
            if (own.NotAfter < clock.GetLocalNow().DateTime)
                throw new ConfigurationException($"Tls:CertificateFile is {tls.CertificateFile}: the certificate ended on {own.NotAfter:u}.");
            return SslStreamCertificateContext.Create(own, others, offline: true);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ConfigurationException(
                $"Tls:CertificateFile is {tls.CertificateFile}: the certificate, its key or its password cannot be used " +
                $"({e.GetType().Name}). It must be PEM with Tls:KeyFile, or PKCS#12 without.");
        }
        finally
        {
            Array.Clear(password);
        }
    }

    static (X509Certificate2, X509Certificate2Collection) LoadPem(TlsOptions tls, ReadOnlySpan<char> password)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPemFile(tls.CertificateFile);
        return (password.Length > 0
            ? X509Certificate2.CreateFromEncryptedPemFile(tls.CertificateFile, password, tls.KeyFile)
            : X509Certificate2.CreateFromPemFile(tls.CertificateFile, tls.KeyFile), all);
    }

    static (X509Certificate2, X509Certificate2Collection) LoadPkcs12(TlsOptions tls, ReadOnlySpan<char> password)
    {
        X509Certificate2Collection all = X509CertificateLoader.LoadPkcs12CollectionFromFile(tls.CertificateFile, password);
        return (all.FirstOrDefault(static c => c.HasPrivateKey) ?? throw new CryptographicException("no private key"), all);
    }

    static char[] ReadPassword(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        char[] text = System.Text.Encoding.UTF8.GetChars(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        int length = text.AsSpan().TrimEnd().Length;
        char[] password = text[..length];
        Array.Clear(text);
        return password;
    }
}
