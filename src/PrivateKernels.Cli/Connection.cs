using System.CommandLine;
using System.Security.Cryptography.X509Certificates;
using PrivateKernels.Client;

namespace PrivateKernels.Cli;

/// <summary>Where the server is and who asks: options of every command that calls one. The key is never typed.</summary>
static class Connection
{
    const string KeyVariable = "PK_KEY";

    static readonly Option<string?> KeyFile = new("--key-file")
    {
        Description = $"File that holds the key or token, and nothing else (default: the variable {KeyVariable}).",
        HelpName = "FILE",
    };

    static readonly Option<string?> Authority = new("--ca")
    {
        Description = "PEM file of whoever vouches for the server, or of its own certificate (default: the variable PK_CA).",
        HelpName = "FILE",
    };

    static readonly Option<string?> Certificate = new("--cert")
    {
        Description = "Client certificate to show, PEM; or PKCS#12 without a password if there is no --cert-key.",
        HelpName = "FILE",
    };

    static readonly Option<string?> CertificateKey = new("--cert-key")
    {
        Description = "Its private key, PEM.",
        HelpName = "FILE",
    };

    static readonly Option<bool> Insecure = new("--insecure")
    {
        Description = "Send the key even where there is no TLS; whoever listens has it then.",
    };

    /// <summary>Gives a command that has <see cref="CommonOptions.Server"/> the other options too.</summary>
    public static void Complete(Command command)
    {
        if (!command.Options.Contains(CommonOptions.Server)) return;
        foreach (Option option in (Option[])[KeyFile, Authority, Certificate, CertificateKey, Insecure]) command.Options.Add(option);
    }

    public static PrivateKernelsClient Open(ParseResult parse) => new(parse.GetValue(CommonOptions.Server)!, new ClientOptions
    {
        Key = parse.GetValue(KeyFile) is { } file ? File.ReadAllText(file).Trim() : Variable(KeyVariable),
        CertificateAuthorityFile = parse.GetValue(Authority) ?? Variable("PK_CA"),
        ClientCertificate = parse.GetValue(Certificate) is not { } certificate ? null
            : parse.GetValue(CertificateKey) is { } key ? X509Certificate2.CreateFromPemFile(certificate, key)
            : X509CertificateLoader.LoadPkcs12FromFile(certificate, null),
        AllowInsecure = parse.GetValue(Insecure),
    });

    internal static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value.Trim() : null;
}
