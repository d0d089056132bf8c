using System.Net;

namespace PrivateKernels.Server;

/// <summary>Whether clients show certificates (mutual TLS).</summary>
public enum ClientCertificates
{
    /// <summary>They are not asked for one.</summary>
    None,

    /// <summary>One that the keys file knows stands for its key, where a call carries no other.</summary>
    Allow,

    /// <summary>Nobody gets a connection without one that the keys file knows.</summary>
    Require,
}

public sealed record SecurityOptions
{
    /// <summary>File of API keys, made by pk key; empty = no keys.</summary>
    public string KeysFile { get; init; } = "";

    /// <summary>Whether clients show certificates; the keys file names them by SHA-256 thumbprint.</summary>
    public ClientCertificates ClientCertificates { get; init; }

    /// <summary>Listens off loopback without TLS or without credentials; warned about every 10 minutes.</summary>
    public bool AllowInsecure { get; init; }
}

public sealed record TlsOptions
{
    /// <summary>PEM (the server's certificate, then those that vouch for it), or PKCS#12 if Tls:KeyFile is empty.</summary>
    public string CertificateFile { get; init; } = "";

    /// <summary>PEM private key.</summary>
    public string KeyFile { get; init; } = "";

    /// <summary>File that holds the password of the key or of the PKCS#12 file.</summary>
    public string PasswordFile { get; init; } = "";

    /// <summary>The password itself.</summary>
    [EnvironmentOnly]
    public string Password { get; init; } = "";
}

public sealed record OpenIdConnectOptions
{
    /// <summary>Issuer of bearer tokens, such as https://login.example.org/realm; empty = none.</summary>
    public string Authority { get; init; } = "";

    /// <summary>What tokens for this server name as their audience.</summary>
    public string Audience { get; init; } = "";

    /// <summary>
    /// Claim that holds owner, analyst or auditor; several for several. Dots lead into claims that are objects, such as
    /// realm_access.roles or resource_access.privatekernels.roles.
    /// </summary>
    public string RoleClaim { get; init; } = "pk_role";

    /// <summary>Claim, or path as above, that holds ids of datasets, several or separated by blanks, or *.</summary>
    public string DatasetsClaim { get; init; } = "pk_datasets";
}

/// <summary>What of the configuration must go together, so that nobody serves the world by mistake.</summary>
static class SecurityRules
{
    internal static void Check(ServerOptions o)
    {
        IPEndPoint listen = Configuration.Endpoint(o.Grpc.Listen);
        bool hasTls = o.Tls.CertificateFile.Length > 0, hasKeys = o.Security.KeysFile.Length > 0;
        bool hasTokens = o.OpenIdConnect.Authority.Length > 0;
        ServerOptions.Require(hasTls || o.Tls.KeyFile.Length == 0, "Tls:KeyFile", o.Tls.KeyFile, "must come with Tls:CertificateFile");
        ServerOptions.Require(
            o.Tls.PasswordFile.Length == 0 || o.Tls.Password.Length == 0, "Tls:PasswordFile", o.Tls.PasswordFile,
            "must be unset where Tls:Password is set");
        ServerOptions.Require(
            o.Security.ClientCertificates == ClientCertificates.None || (hasTls && hasKeys), "Security:ClientCertificates",
            o.Security.ClientCertificates, "must come with Tls:CertificateFile and with Security:KeysFile, which names the certificates");
        if (hasTokens) CheckTokens(o.OpenIdConnect);
        if (IPAddress.IsLoopback(listen.Address) || o.Security.AllowInsecure || (hasTls && (hasKeys || hasTokens))) return;
        string missing = (hasTls, hasKeys || hasTokens) switch
        {
            (false, false) => "there is no TLS (Tls:CertificateFile) and there are no credentials (Security:KeysFile or OpenIdConnect:Authority)",
            (false, true) => "there is no TLS (Tls:CertificateFile)",
            _ => "there are no credentials (Security:KeysFile or OpenIdConnect:Authority)",
        };
        throw new ConfigurationException(
            $"Grpc:Listen is '{o.Grpc.Listen}', which other machines can reach, but {missing}. 'pk init' makes what is needed; " +
            "--insecure (Security:AllowInsecure=true) serves without it, and then whoever reaches the port may read everything.");
    }

    static void CheckTokens(OpenIdConnectOptions o)
    {
        ServerOptions.Require(
            Uri.TryCreate(o.Authority, UriKind.Absolute, out Uri? authority)
                && (authority.Scheme == "https" || (authority.Scheme == "http" && authority.IsLoopback)),
            "OpenIdConnect:Authority", o.Authority, "must be an address that begins with https://");
        ServerOptions.Require(o.Audience.Length > 0, "OpenIdConnect:Audience", o.Audience, "must be set: tokens for others are not for this server");
        ServerOptions.Require(o.RoleClaim.Length > 0, "OpenIdConnect:RoleClaim", o.RoleClaim, "must be set");
        ServerOptions.Require(o.DatasetsClaim.Length > 0, "OpenIdConnect:DatasetsClaim", o.DatasetsClaim, "must be set");
    }
}
