using System.CommandLine;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk init: a certificate and an owner's key, so that a server can be reached from elsewhere at once.</summary>
static class InitCommand
{
    const string CertificateName = "tls.crt";
    const string KeyName = "tls.key";
    const string KeysName = "keys.json";
    const int ValidDays = 365;

    static readonly Argument<string> Folder = new("DIR") { Description = "Where the files go; made if missing." };

    static readonly Option<string[]> Hosts = new("--host")
    {
        Description = "A name or address by which clients will call, several times for several (this machine's are always in).",
        HelpName = "NAME",
        AllowMultipleArgumentsPerToken = true,
    };

    public static Command Create() => new Command(
        "init", "Make a self-signed certificate and one owner's key, for a server that other machines reach.")
    {
        Folder, Hosts,
    }.Runs(RunAsync);

    static Task RunAsync(Session session, CancellationToken cancellation)
    {
        string folder = Path.GetFullPath(session.Get(Folder));
        string certificate = Path.Combine(folder, CertificateName), key = Path.Combine(folder, KeyName), keys = Path.Combine(folder, KeysName);
        foreach (string file in (string[])[certificate, key, keys])
            if (File.Exists(file)) throw new InvalidFieldException("dir", folder, $"must not hold {Path.GetFileName(file)} yet");
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(folder);
        else Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string[] hosts = [Dns.GetHostName(), .. session.Get(Hosts) ?? []];
        string[] all = ["localhost", "127.0.0.1", "::1", .. hosts];
        string[] names = [.. all.Distinct()];
        WriteCertificate(certificate, key, names);
        (string secret, KeyEntry entry) = KeyFile.NewKey(new("owner", Role.Owner, ["*"]));
        KeyFile.Change(keys, _ => [entry]);
        string command = $"pk serve --listen 0.0.0.0:7443 --Tls:CertificateFile {certificate} --Tls:KeyFile {key} --Security:KeysFile {keys}";
        session.Terminal.Write(new { Certificate = certificate, Key = secret, Keys = keys, Names = names, Serve = command }, console =>
        {
            console.WriteLine(secret);
            session.Terminal.Remark($"The owner's key, not shown again: give it to clients as PK_KEY, or in a file with --key-file.");
            session.Terminal.Remark($"Start:   {command}");
            session.Terminal.Remark($"Clients: pk dataset list --server https://{hosts[^1]}:7443 --ca {certificate}");
        });
        return Task.CompletedTask;
    }

    static void WriteCertificate(string certificatePath, string keyPath, string[] names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=PrivateKernels", key, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (string name in names)
            if (IPAddress.TryParse(name, out IPAddress? address)) alternatives.AddIpAddress(address);
            else alternatives.AddDnsName(name);
        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(ValidDays));
        var owner = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) owner.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new StreamWriter(keyPath, owner)) file.WriteLine(key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certificatePath, certificate.ExportCertificatePem() + "\n");
    }
}
