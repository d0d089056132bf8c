using System.Reflection;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

[Collection("environment")]
public sealed class ConfigurationTests
{
    [Fact]
    public void Arguments_set_values_of_every_kind()
    {
        ServerOptions options = Read(
            "--Data:Directory", "/tmp/x", "--grpc:reflection=true", "--Engine:Prefer", "simd", "--Limits:Records", "12",
            "--Build:CompletionQuantum", "250ms", "--Retention:Uploads", "2d", "--Limits:MaxDeadline", "3min");
        Assert.Equal("/tmp/x", options.Data.Directory);
        Assert.True(options.Grpc.Reflection);
        Assert.Equal(EnginePreference.Simd, options.Engine.Prefer);
        Assert.Equal(12, options.Limits.Records);
        Assert.Equal(TimeSpan.FromMilliseconds(250), options.Build.CompletionQuantum);
        Assert.Equal(TimeSpan.FromDays(2), options.Retention.Uploads);
        Assert.Equal(TimeSpan.FromMinutes(3), options.Limits.MaxDeadline);
    }

    [Theory]
    [InlineData("--Data:Dir", "x", "Data:Dir")]
    [InlineData("--Nonsense:Key", "x", "Nonsense:Key")]
    [InlineData("--Data", "x", "Data")]
    [InlineData("--Grpc:Listen", "nowhere", "Grpc:Listen")]
    [InlineData("--Limits:QueryPoints", "0", "Limits:QueryPoints")]
    [InlineData("--Limits:QueryPoints", "many", "Limits:QueryPoints")]
    [InlineData("--Engine:Prefer", "0", "Engine:Prefer")]
    [InlineData("--Engine:Prefer", "+3", "Engine:Prefer")]
    [InlineData("--Engine:Prefer", "Cuda,OpenCL", "Engine:Prefer")]
    [InlineData("--Shutdown:Drain", "-1s", "Shutdown:Drain")]
    [InlineData("--Shutdown:Drain", "50d", "Shutdown:Drain")]
    [InlineData("--Build:CompletionQuantum", "50d", "Build:CompletionQuantum")]
    [InlineData("--Limits:StreamIdle", "50d", "Limits:StreamIdle")]
    [InlineData("--Witness:Path", "no/such/folder/witness", "Witness:Path")]
    public void A_wrong_key_or_value_is_refused_by_name(string key, string value, string named)
    {
        var refused = Assert.Throws<ConfigurationException>(() => Read(key, value));
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ \"Limits\": { \"Streams\": 3, ")]
    [InlineData("{ \"Log\": { \"Level\": \"None\", \"level\": \"Debug\" } }")]
    [InlineData("[1]")]
    public void A_settings_file_that_cannot_be_read_is_named(string text)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            string told = Assert.Throws<ConfigurationException>(() => Configuration.Read([], path)).Message;
            Assert.Contains(path, told, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("there is no TLS (Tls:CertificateFile) and there are no credentials")]
    [InlineData("there is no TLS", "--Security:KeysFile", "keys.json")]
    [InlineData("there are no credentials", "--Tls:CertificateFile", "tls.pfx")]
    public void Off_loopback_TLS_and_credentials_are_demanded_and_the_refusal_says_what_is_missing(string missing, params string[] given)
    {
        foreach (string listen in (string[])["0.0.0.0:7443", "[::]:7443", "192.168.0.1:7443"])
        {
            var refused = Assert.Throws<ConfigurationException>(() => Read(["--Grpc:Listen", listen, .. given]));
            Assert.Contains(missing, refused.Message, StringComparison.Ordinal);
            Assert.Contains("--insecure", refused.Message, StringComparison.Ordinal);
            Read(["--Grpc:Listen", listen, "--Security:AllowInsecure", "true", .. given]);
            Read(["--Grpc:Listen", listen, "--Tls:CertificateFile", "tls.pfx", "--Security:KeysFile", "keys.json"]);
        }
        foreach (string loopback in (string[])["127.0.0.1:0", "[::1]:7443", "localhost:7443"])
            Read(["--Grpc:Listen", loopback, .. given]);
    }

    [Theory]
    [InlineData("Tls:KeyFile", "--Tls:KeyFile", "tls.key")]
    [InlineData("Tls:Password", "--Tls:CertificateFile", "tls.pfx", "--Tls:Password", "typed")]
    [InlineData("Security:ClientCertificates", "--Security:ClientCertificates", "Require", "--Security:KeysFile", "k")]
    [InlineData("Security:ClientCertificates", "--Security:ClientCertificates", "Allow", "--Tls:CertificateFile", "c")]
    [InlineData("OpenIdConnect:Authority", "--OpenIdConnect:Authority", "http://login.example.org", "--OpenIdConnect:Audience", "pk")]
    [InlineData("OpenIdConnect:Audience", "--OpenIdConnect:Authority", "https://login.example.org")]
    public void What_must_go_together_is_named_when_it_does_not(string named, params string[] given) =>
        Assert.Contains(named, Assert.Throws<ConfigurationException>(() => Read(given)).Message, StringComparison.Ordinal);

    [Fact]
    public void Variables_are_read_before_arguments_and_unknown_ones_are_refused()
    {
        Environment.SetEnvironmentVariable("PK_Limits__Datasets", "3");
        Environment.SetEnvironmentVariable("PK_UNRELATED", "x");
        try
        {
            Assert.Equal(3, Read().Limits.Datasets);
            Assert.Equal(4, Read("--Limits:Datasets", "4").Limits.Datasets);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PK_Limits__Datasets", null);
        }
    }

    [Fact]
    public void A_settings_file_may_hold_other_sections_but_nothing_unknown_in_ours()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, """{ "Logging": { "Anything": 1 }, "Query": { "QueueLength": 7 } }""");
            Assert.Equal(7, Configuration.Read([], file).Query.QueueLength);
            File.WriteAllText(file, """{ "Query": { "Unknown": 7 } }""");
            Assert.Throws<ConfigurationException>(() => Configuration.Read([], file));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Every_option_can_be_set_and_the_defaults_are_valid()
    {
        new ServerOptions().Validate();
        foreach (PropertyInfo section in typeof(ServerOptions).GetProperties())
            foreach (PropertyInfo key in section.PropertyType.GetProperties())
            {
                if (key.IsDefined(typeof(EnvironmentOnlyAttribute))) continue;
                object standard = key.GetValue(section.GetValue(new ServerOptions()))!;
                string text = standard is TimeSpan time ? $"{time.TotalMilliseconds}ms" : FormattableString.Invariant($"{standard}");
                ServerOptions read = Read($"--{section.Name}:{key.Name}", text);
                Assert.Equal(standard, key.GetValue(section.GetValue(read)));
            }
    }

    [Fact]
    public void The_encryption_key_itself_comes_from_the_environment_only()
    {
        string key = Convert.ToBase64String(new byte[32]);
        var refused = Assert.Throws<ConfigurationException>(() => Read("--Encryption:Key", key));
        Assert.DoesNotContain(key, refused.Message, StringComparison.Ordinal);
        Environment.SetEnvironmentVariable("PK_Encryption__Key", key);
        try
        {
            ServerOptions options = Read();
            Assert.Equal(key, options.Encryption.Key);
            Assert.DoesNotContain(key, options.ToString(), StringComparison.Ordinal);
            Assert.Contains("Encryption:Key", Assert.Throws<ConfigurationException>(
                () => Read("--Encryption:KeyFile", "x")).Message, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PK_Encryption__Key", null);
        }
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "short");
            var wrong = Assert.Throws<ConfigurationException>(() => Read("--Encryption:KeyFile", file).Encryption.Open());
            Assert.Contains("Encryption:KeyFile", wrong.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_second_server_on_the_same_address_is_a_configuration_error()
    {
        await using TestServer first = await TestServer.StartAsync();
        await Assert.ThrowsAsync<ConfigurationException>(() => TestServer.StartAsync(
            o => o with { Grpc = new() { Listen = first.Host.Endpoint.ToString() } }));
    }

    static ServerOptions Read(params string[] arguments) =>
        Configuration.Read(arguments, Path.Combine(Path.GetTempPath(), "pk-no-settings.json"));
}
