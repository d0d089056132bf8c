using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace PrivateKernels.Client;

/// <summary>The connection to a server: HTTP/2 with wide windows, and whom to trust.</summary>
static class Transport
{
    const int WindowBytes = 8 << 20;

    internal static SocketsHttpHandler Create(ClientOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = WindowBytes,
        };
        SslClientAuthenticationOptions tls = handler.SslOptions;
        if (options.CertificateAuthorityFile is { } file) tls.CertificateChainPolicy = Trusting(file);
        if (options.ClientCertificate is { } certificate)
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true);
        return handler;
    }

    /// <summary>The certificates of a file and no others; names and dates are checked as ever.</summary>
    static X509ChainPolicy Trusting(string file)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            // An authority of one's own seldom publishes what it has revoked.
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy;
    }
}
