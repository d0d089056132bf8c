using System.Security.Cryptography.X509Certificates;

namespace PrivateKernels.Client;

/// <summary>How a client calls.</summary>
public sealed record ClientOptions
{
    /// <summary>API key or OpenID Connect token, sent with every call; null = none.</summary>
    public string? Key { get; init; }

    /// <summary>
    /// PEM file of the certificates that may vouch for the server, or of the server's own; null = those that this machine
    /// trusts.
    /// </summary>
    public string? CertificateAuthorityFile { get; init; }

    /// <summary>Certificate, with its private key, that is shown to a server that asks for one; null = none.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    /// <summary>Lets the key travel without TLS to a server that is not on this machine; whoever listens has it then.</summary>
    public bool AllowInsecure { get; init; }

    /// <summary>Deadline of one attempt of a call that is neither a stream nor a query.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Deadline of one attempt of a query or classification message.</summary>
    public TimeSpan QueryTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most attempts of a call that may succeed a little later; each repeats the same request id.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Query messages under way at once.</summary>
    public int ParallelQueries { get; init; } = 2;

    /// <summary>Bytes of vectors in one message; less where the server's limits say so.</summary>
    public int MessageBytes { get; init; } = 1 << 20;
}
