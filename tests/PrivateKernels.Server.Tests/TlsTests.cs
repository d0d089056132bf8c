using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Grpc.Core;
using PrivateKernels.Cli;
using PrivateKernels.Client;
using PrivateKernels.Server;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Certificates of the server and of clients, as files; what pk init makes is what the tests use.</summary>
public sealed class TlsTests : IAsyncLifetime
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-tls-");
    string _key = "";

    static CancellationToken Now => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        _key = (await OkAsync("init", _folder.FullName, "--host", "pk.example.org")).GetProperty("key").GetString()!;

    public ValueTask DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task What_pk_init_makes_serves_clients_that_trust_the_certificate_and_hold_the_key()
    {
        await using TestServer server = await StartAsync(o => Secured(o) with
        {
            Grpc = new() { Listen = "0.0.0.0:0" },
        });
        string address = AddressOf(server);
        Assert.StartsWith("https://", address, StringComparison.Ordinal);
        await File.WriteAllTextAsync(At("owner.key"), _key, Now);
        string[] command = ["dataset", "list", "--server", address, "--key-file", At("owner.key")];
        await OkAsync([.. command, "--ca", At("tls.crt")]);
        Assert.Equal("UNTRUSTED", await ReasonAsync(command));
        Assert.Equal("CREDENTIALS_INVALID", await ReasonAsync("dataset", "list", "--server", address, "--ca", At("tls.crt")));
        Assert.Equal("UNREACHABLE", await ReasonAsync(
            "dataset", "list", "--server", address.Replace("https", "http", StringComparison.Ordinal)));
        // The certificate is for the names that were given, and the client checks the name.
        Assert.Equal("UNTRUSTED", await ReasonAsync([.. command[..3], address.Replace("127.0.0.1", "127.0.0.2", StringComparison.Ordinal),
            .. command[4..], "--ca", At("tls.crt")]));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("tls.key")));
        Assert.Equal("INVALID_FIELD", await ReasonAsync("init", _folder.FullName));
    }

    [Fact]
    public async Task A_new_certificate_counts_for_new_connections_and_a_broken_one_changes_nothing()
    {
        await using TestServer server = await StartAsync(Secured);
        await ListAsync(server, At("tls.crt"));
        await File.WriteAllTextAsync(At("tls.crt"), "broken", Now);
        await LoggedAsync(server, "cannot be used");
        DirectoryInfo next = _folder.CreateSubdirectory("next");
        await OkAsync("init", next.FullName);
        File.Move(Path.Combine(next.FullName, "tls.key"), At("tls.key"), overwrite: true);
        File.Move(Path.Combine(next.FullName, "tls.crt"), At("tls.crt"), overwrite: true);
        await LoggedAsync(server, "read again");
        await ListAsync(server, At("tls.crt"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_certificate_may_come_as_PKCS12_or_with_an_encrypted_key_and_its_password_from_a_file(bool isPem)
    {
        using X509Certificate2 own = X509Certificate2.CreateFromPemFile(At("tls.crt"), At("tls.key"));
        await File.WriteAllTextAsync(At("password"), "well kept\n", Now);
        if (isPem)
            await File.WriteAllTextAsync(At("sealed"), own.GetECDsaPrivateKey()!.ExportEncryptedPkcs8PrivateKeyPem(
                "well kept", new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)), Now);
        else
            await File.WriteAllBytesAsync(At("sealed"), own.Export(X509ContentType.Pkcs12, "well kept"), Now);
        TlsOptions tls = isPem
            ? new() { CertificateFile = At("tls.crt"), KeyFile = At("sealed"), PasswordFile = At("password") }
            : new() { CertificateFile = At("sealed"), PasswordFile = At("password") };
        await using (TestServer server = await StartAsync(o => Secured(o) with { Tls = tls })) await ListAsync(server, At("tls.crt"));
        await File.WriteAllTextAsync(At("password"), "guessed", Now);
        var refused = await Assert.ThrowsAsync<ConfigurationException>(() => StartAsync(o => Secured(o) with { Tls = tls }));
        Assert.Contains("Tls:CertificateFile", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("guessed", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_certificate_stands_for_its_entry_and_where_it_is_required_nobody_gets_in_without()
    {
        foreach (string name in (string[])["known", "stranger"]) await OkAsync("init", At(name));
        await OkAsync("key", "create", "lab", "--role", "auditor", "--dataset", "*", "--certificate", At("known/tls.crt"), "--keys", At("keys.json"));
        string Of(string name) => At(Path.Combine(name, "tls.crt"));
        await File.WriteAllTextAsync(At("owner.key"), _key, Now);
        foreach (ClientCertificates mode in (ClientCertificates[])[ClientCertificates.Allow, ClientCertificates.Require])
        {
            await using TestServer server = await StartAsync(o =>
                Secured(o) with { Security = new() { KeysFile = At("keys.json"), ClientCertificates = mode } });
            string[] call = ["dataset", "list", "--server", AddressOf(server), "--ca", At("tls.crt")];
            string[] known = ["--cert", Of("known"), "--cert-key", At("known/tls.key")];
            await OkAsync([.. call, .. known]);
            // An auditor may not create; with the owner's key beside the certificate the key decides.
            string[] create = ["dataset", "create", "x", "--dimension", "2", "--budget-epsilon", "1", .. call[2..], .. known];
            Assert.Equal("ROLE_REQUIRED", await ReasonAsync(create));
            await OkAsync([.. create, "--key-file", At("owner.key")]);
            string[] stranger = ["--cert", Of("stranger"), "--cert-key", At("stranger/tls.key")];
            bool isRequired = mode == ClientCertificates.Require;
            Assert.Contains(await ReasonAsync([.. call, .. stranger]), isRequired ? (string[])["UNTRUSTED", "UNREACHABLE"] : ["CREDENTIALS_INVALID"]);
            if (isRequired) Assert.Contains(await ReasonAsync([.. call, "--key-file", At("owner.key")]), (string[])["UNTRUSTED", "UNREACHABLE"]);
            else await OkAsync([.. call, "--key-file", At("owner.key")]);
        }
    }

    [Fact]
    public async Task An_insecure_server_says_so_in_its_log_and_in_a_metric_and_a_secure_one_does_not()
    {
        foreach (bool isInsecure in (bool[])[true, false])
        {
            await using TestServer server = await StartAsync(o => (isInsecure
                ? o with { Grpc = new() { Listen = "0.0.0.0:0" }, Security = new() { AllowInsecure = true } }
                : o) with
            { Side = new() { Listen = "127.0.0.1:0" } });
            using var http = new HttpClient();
            string metrics = await http.GetStringAsync(new Uri($"http://{server.Host.SideEndpoint}/metrics"), Now);
            Assert.Contains($"pk_insecure {(isInsecure ? 1 : 0)}", metrics, StringComparison.Ordinal);
            if (isInsecure) await LoggedAsync(server, "Security:AllowInsecure");
            else Assert.DoesNotContain("Security:AllowInsecure", server.Log.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Pk_serve_off_loopback_without_TLS_and_keys_ends_with_78()
    {
        var error = new StringWriter();
        int exitCode = await CommandLine.RunAsync(
            ["serve", "--listen", "0.0.0.0:0", "--data", At("data"), "--json"], TextWriter.Null, error, Now);
        Assert.Equal(78, exitCode);
        Assert.Contains("Tls:CertificateFile", error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(At("data")));
    }

    ServerOptions Secured(ServerOptions options) => options with
    {
        Tls = new() { CertificateFile = At("tls.crt"), KeyFile = At("tls.key") },
        Security = new() { KeysFile = At("keys.json") },
    };

    string At(string name) => Path.Combine(_folder.FullName, name);

    static string AddressOf(TestServer server) => $"{server.Host.Address.Scheme}://127.0.0.1:{server.Host.Endpoint.Port}";

    async Task ListAsync(TestServer server, string authority)
    {
        using var client = new PrivateKernelsClient(AddressOf(server), new() { Key = _key, CertificateAuthorityFile = authority });
        await foreach (V1.Dataset _ in client.ListDatasetsAsync(cancellation: Now)) Assert.Fail("there is none");
    }

    static async Task LoggedAsync(TestServer server, string text)
    {
        for (int i = 0; i < 600 && !server.Log.ToString().Contains(text, StringComparison.Ordinal); i++) await Task.Delay(100, Now);
        Assert.Contains(text, server.Log.ToString(), StringComparison.Ordinal);
    }

    static async Task<JsonElement> OkAsync(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        int exitCode = await CommandLine.RunAsync([.. arguments, "--json"], output, error, Now);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {error}");
        return JsonDocument.Parse(output.ToString()).RootElement;
    }

    static async Task<string> ReasonAsync(params string[] arguments)
    {
        var error = new StringWriter();
        await CommandLine.RunAsync([.. arguments, "--json"], TextWriter.Null, error, Now);
        return JsonDocument.Parse(error.ToString()).RootElement.GetProperty("reason").GetString()!;
    }
}
