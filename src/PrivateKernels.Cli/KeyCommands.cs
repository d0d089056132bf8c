using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PrivateKernels.Server;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk key: creates, lists and revokes API keys. Works on the keys file; a running server notices within a second.</summary>
static class KeyCommands
{
    static readonly Argument<string> Id = new("ID") { Description = "Id of the key; logs show it." };

    static readonly Option<string?> Keys = new("--keys")
    {
        Description = "The keys file (default: Security:KeysFile of the configuration).",
        HelpName = "FILE",
    };

    static readonly Option<Role> RoleOption = new Option<Role>("--role")
    {
        Description = "owner: everything; analyst: queries releases; auditor: reads budgets and the ledger.",
        Required = true,
    }.AcceptOnlyFromAmong("owner", "analyst", "auditor");

    static readonly Option<string[]> Datasets = new("--dataset")
    {
        Description = "A dataset it is for, several times for several; * for all.",
        HelpName = "ID",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    static readonly Option<string?> Expires = new("--expires")
    {
        Description = "When it ends: a time from now such as 90d or 12h, or a date such as 2030-01-31 (default: never).",
        HelpName = "WHEN",
    };

    static readonly Option<string?> Certificate = new("--certificate")
    {
        Description = "A client certificate, PEM, that stands for the key; then no key is made.",
        HelpName = "FILE",
    };

    public static Command Create() => new("key", "Create, list and revoke the API keys of a server.")
    {
        new Command("create", "Create a key and print it, once.") { Id, RoleOption, Datasets, Expires, Certificate, Keys }.Runs(CreateAsync),
        new Command("list", "List the keys; what they are recognised by is not a secret.") { Keys }.Runs(ListAsync),
        new Command("revoke", "Take a key away.") { Id, Keys }.Runs(RevokeAsync),
    };

    static Task CreateAsync(Session session, CancellationToken cancellation)
    {
        string id = session.Get(Id), path = PathOf(session);
        var asked = new KeyEntry(id, session.Get(RoleOption), session.Get(Datasets)!, End(session.Get(Expires)));
        (string? key, KeyEntry entry) = session.Get(Certificate) is { } certificate
            ? (null, asked with { Certificate = Thumbprint(certificate) }) : KeyFile.NewKey(asked);
        KeyFile.Change(path, keys => keys.Any(k => k.Id == id)
            ? throw new InvalidFieldException("id", id, "must be new: revoke the key of this id first")
            : keys.Append(entry));
        session.Terminal.Write(Document(entry, key), console =>
        {
            if (key is not null) console.WriteLine(key);
            session.Terminal.Remark(Describe(entry) + (key is null ? "" : " The key is not shown again."));
        });
        return Task.CompletedTask;
    }

    static Task ListAsync(Session session, CancellationToken cancellation)
    {
        IReadOnlyList<KeyEntry> keys = KeyFile.Read(PathOf(session)).Keys;
        session.Terminal.Write(new { Keys = keys.Select(static k => Document(k)) }, console =>
        {
            Table table = session.Terminal.Table("key", "role", "datasets", "expires", "certificate");
            foreach (KeyEntry k in keys)
                table.AddRow(
                    Markup.Escape(k.Id), Show.Name(k.Role), Markup.Escape(string.Join(", ", k.Datasets)),
                    k.Expires is { } end ? $"{end.UtcDateTime:u}" : "never", k.Certificate is null ? "" : k.Certificate[..16]);
            console.Write(table);
        });
        return Task.CompletedTask;
    }

    static Task RevokeAsync(Session session, CancellationToken cancellation)
    {
        string id = session.Get(Id);
        KeyFile.Change(PathOf(session), keys => keys.Any(k => k.Id == id)
            ? keys.Where(k => k.Id != id)
            : throw new InvalidFieldException("id", id, "is no key of this file"));
        session.Terminal.Write(new { Key = id, Revoked = true }, console =>
            console.MarkupLineInterpolated($"[bold]{id}[/] is revoked; a running server refuses it within seconds."));
        return Task.CompletedTask;
    }

    static string PathOf(Session session) =>
        session.Get(Keys) ?? (Configuration.Read([]).Security.KeysFile is { Length: > 0 } configured
            ? configured
            : throw new InvalidFieldException("keys", null, "must name the keys file: give --keys FILE, or set Security:KeysFile"));

    static string Thumbprint(string file)
    {
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificateFromFile(file);
        return certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
    }

    static DateTimeOffset? End(string? when)
    {
        if (string.IsNullOrEmpty(when)) return null;
        if (char.IsAsciiLetter(when[^1]) && Configuration.ParseDuration(when) is { } time) return DateTimeOffset.UtcNow + time;
        return DateTimeOffset.TryParse(when, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset end)
            ? end
            : throw new InvalidFieldException("expires", when, "must be a time from now such as 90d, or a date such as 2030-01-31");
    }

    static string Describe(KeyEntry k) =>
        $"{k.Id}: {Show.Name(k.Role)} of {(k.Datasets.Contains("*") ? "all datasets" : string.Join(", ", k.Datasets))}, "
        + (k.Expires is { } end ? $"until {end.UtcDateTime:u}." : "until it is revoked.");

    static object Document(KeyEntry k, string? key = null) => new
    {
        k.Id,
        Role = Show.Name(k.Role),
        k.Datasets,
        Expires = k.Expires?.UtcDateTime,
        k.Certificate,
        Key = key,
    };
}
