using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PrivateKernels.Server;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Tokens of an authority in this process: its discovery document and keys are real files of a loopback port.</summary>
public sealed class BearerTokenTests : IDisposable
{
    const string Audience = "privatekernels";
    readonly RSA _key = RSA.Create(2048);
    readonly Issuer _issuer;

    public BearerTokenTests() => _issuer = new(_key);

    public void Dispose()
    {
        _issuer.Dispose();
        _key.Dispose();
    }

    [Fact]
    public async Task A_valid_token_gives_its_roles_and_datasets_and_nothing_more()
    {
        using var keys = new Keys();
        string owner = keys.Add("owner", Role.Owner, "*");
        await using TestServer server = await StartAsync(o => WithTokens(o) with { Security = new() { KeysFile = keys.Path } });
        foreach (string id in (string[])["mine", "other"])
            await KeyHolder.Of(server.Channel, owner).Datasets.CreateDatasetAsync(NewDataset(id));
        KeyHolder analyst = KeyHolder.Of(server.Channel, Token(role: "analyst", datasets: "mine else"));
        Assert.Equal("datasets/mine", Assert.Single((await analyst.Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets).Name);
        Assert.Equal("ROLE_REQUIRED", (await Failure.OfAsync(analyst.Datasets.CreateDatasetAsync(NewDataset("else")))).Reason);
        Assert.Equal("RESOURCE_NOT_FOUND", (await Failure.OfAsync(
            analyst.Datasets.GetDatasetAsync(new GetDatasetRequest { Name = "datasets/other" }))).Reason);

        KeyHolder both = KeyHolder.Of(server.Channel, Token(role: new[] { "analyst", "auditor", "chef" }, datasets: new[] { "*" }));
        Assert.Equal(2, (await both.Datasets.ListDatasetsAsync(new ListDatasetsRequest())).Datasets.Count);
        await both.Datasets.ListLedgerEntriesAsync(new ListLedgerEntriesRequest());
        using var upload = KeyHolder.Of(server.Channel, Token()).Datasets.IngestPoints();
        await upload.RequestStream.WriteAsync(Start("mine", NewId()));
        Assert.True(await upload.ResponseStream.MoveNext(CancellationToken.None));
        string log = server.Log.ToString();
        Assert.Matches("\"key\":\"oidc:[0-9a-f]{16}\"", log);
        Assert.DoesNotContain("alice", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Roles_and_datasets_may_stand_inside_claims_as_identity_servers_nest_them()
    {
        await using TestServer server = await StartAsync(o => o with
        {
            OpenIdConnect = WithTokens(o).OpenIdConnect with { RoleClaim = "realm_access.roles", DatasetsClaim = "org.example.sets" },
        });
        Task<bool> NestedAsync(object roles, object sets) =>
            PassesAsync(server, Token(nested: new() { ["realm_access"] = Json(roles), ["org"] = Json(sets) }));
        static object Json(object value) => JsonSerializer.SerializeToElement(value);
        var all = new { example = new { sets = "*" } };
        Assert.True(await NestedAsync(new { roles = new[] { "offline_access", "analyst" } }, all));
        Assert.True(await NestedAsync(new { roles = "analyst" }, new { example = new { sets = new[] { "mine", "other" } } }));
        foreach ((object roles, object sets) in ((object, object)[])
        [
            (new { roles = new[] { "chef" } }, all), (new { groups = new[] { "owner" } }, all), (new[] { "owner" }, all), ("owner", all),
            (new { roles = new { owner = true } }, all), (new { roles = new[] { 1 } }, all), (new { roles = "owner" }, new { example = "*" }),
        ])
            Assert.False(await NestedAsync(roles, sets));
        // A claim of exactly that name, dots and all, comes first.
        Assert.True(await PassesAsync(server, Token(nested: new() { ["realm_access.roles"] = "auditor", ["org.example.sets"] = "*" })));
    }

    [Fact]
    public async Task Every_fault_of_a_token_gets_the_reply_of_a_wrong_key()
    {
        await using TestServer server = await StartAsync(WithTokens);
        Failure missing = await FailAsync(server, null);
        Assert.Equal((StatusCode.Unauthenticated, "CREDENTIALS_INVALID"), (missing.Code, missing.Reason));
        using RSA stranger = RSA.Create(2048);
        using ECDsa otherKind = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        string good = Token();
        string[] parts = good.Split('.');
        string Forged(string json) => $"{Base64UrlEncoder.Encode("""{"alg":"none","typ":"JWT"}""")}.{Base64UrlEncoder.Encode(json)}.";
        var faults = new Dictionary<string, string>
        {
            ["expired"] = Token("owner", "*", expires: DateTime.UtcNow.AddMinutes(-5)),
            ["not yet"] = Token("owner", "*", notBefore: DateTime.UtcNow.AddMinutes(5)),
            ["audience"] = Token("owner", "*", audience: "another"),
            ["issuer"] = Token("owner", "*", issuer: "http://127.0.0.1:1"),
            ["signature"] = Token("owner", "*", signer: new(new RsaSecurityKey(stranger) { KeyId = "k" }, SecurityAlgorithms.RsaSha256)),
            ["altered"] = $"{parts[0]}.{parts[1][..^1]}{(parts[1][^1] == 'A' ? 'B' : 'A')}.{parts[2]}",
            ["no role"] = Token(datasets: "*"),
            ["unknown role"] = Token(role: "chef", datasets: "*"),
            ["no datasets"] = Token(role: "owner"),
            ["no subject"] = Token("owner", "*", subject: null),
            ["alg none"] = Forged(Base64UrlEncoder.Decode(parts[1])),
            ["alg none with signature"] = Forged(Base64UrlEncoder.Decode(parts[1])) + parts[2],
            // The oldest trick: the public key, which everybody has, as a shared secret.
            ["public key as secret"] = Token("owner", "*", signer: new(
                new SymmetricSecurityKey(Encoding.ASCII.GetBytes(_key.ExportSubjectPublicKeyInfoPem())) { KeyId = "k" },
                SecurityAlgorithms.HmacSha256)),
            ["other kind"] = Token("owner", "*", signer: new(new ECDsaSecurityKey(otherKind) { KeyId = "k" }, SecurityAlgorithms.EcdsaSha256)),
            ["nonsense"] = "a.b.c",
        };
        foreach ((string fault, string token) in faults)
        {
            Failure refused = await FailAsync(server, token);
            Assert.True(refused.Reason is "CREDENTIALS_INVALID" or "RATE_LIMITED", $"{fault}: {refused.Code} {refused.Reason}");
            if (refused.Reason == "CREDENTIALS_INVALID") Assert.Equal(missing.Told(), refused.Told());
        }
        await KeyHolder.Of(server.Channel, good).Datasets.ListDatasetsAsync(new ListDatasetsRequest());
        Assert.DoesNotContain(parts[2], server.Log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_open_stream_ends_with_the_token_that_opened_it()
    {
        var log = new JsonLog(null, Microsoft.Extensions.Logging.LogLevel.None);
        var clock = new HandClock();
        using var telemetry = new Telemetry(new());
        var tokens = new BearerTokens(WithTokens(new()).OpenIdConnect, log);
        var access = new Access(null, tokens, ClientCertificates.None, new(), log, clock, telemetry);
        var caller = new Caller("oidc:0123456789abcdef", Role.Analyst, null) { Expires = clock.GetUtcNow().AddMinutes(1) };
        AccessRule rule = Roles.Find("/privatekernels.v1.QueryService/StreamQuery")!;
        Assert.Equal(caller, access.Current(caller, rule));
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("CREDENTIALS_INVALID", Assert.Throws<Refusal>(() => access.Current(caller, rule)).Reason);
    }

    [Fact]
    public async Task An_authority_that_cannot_be_reached_lets_nobody_in_and_breaks_nothing()
    {
        using var keys = new Keys();
        string key = keys.Add("owner", Role.Owner, "*");
        await using TestServer server = await StartAsync(o => o with
        {
            Security = new() { KeysFile = keys.Path },
            OpenIdConnect = new() { Authority = "http://127.0.0.1:1", Audience = Audience },
        });
        Assert.Equal("CREDENTIALS_INVALID", (await FailAsync(server, Token())).Reason);
        await KeyHolder.Of(server.Channel, key).Datasets.ListDatasetsAsync(new ListDatasetsRequest());
    }

    static async Task<Failure> FailAsync(TestServer server, string? token) => await Failure.OfAsync(
        KeyHolder.Of(server.Channel, token).Datasets.ListDatasetsAsync(new ListDatasetsRequest()));

    static async Task<bool> PassesAsync(TestServer server, string token)
    {
        try
        {
            await KeyHolder.Of(server.Channel, token).Datasets.ListDatasetsAsync(new ListDatasetsRequest());
            return true;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unauthenticated)
        {
            return false;
        }
    }

    ServerOptions WithTokens(ServerOptions options) =>
        options with { OpenIdConnect = new() { Authority = _issuer.Address, Audience = Audience } };

    string Token(
        object? role = null, object? datasets = null, string? subject = "alice", string? issuer = null, string audience = Audience,
        DateTime? expires = null, DateTime? notBefore = null, SigningCredentials? signer = null,
        Dictionary<string, object>? nested = null)
    {
        Dictionary<string, object> claims = nested ?? [];
        if (role is not null) claims["pk_role"] = role;
        if (datasets is not null) claims["pk_datasets"] = datasets;
        if (subject is not null) claims["sub"] = subject;
        DateTime ends = expires ?? DateTime.UtcNow.AddMinutes(10);
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer ?? _issuer.Address,
            Audience = audience,
            NotBefore = notBefore ?? ends.AddMinutes(-20),
            IssuedAt = ends.AddMinutes(-20),
            Expires = ends,
            Claims = claims,
            SigningCredentials = signer ?? new(new RsaSecurityKey(_key) { KeyId = "k" }, SecurityAlgorithms.RsaSha256),
        });
    }

    string Token() => Token("owner", "*");

    /// <summary>What every authority publishes.</summary>
    sealed class Issuer : IDisposable
    {
        readonly HttpListener _listener = new();

        public Issuer(RSA key)
        {
            RSAParameters parameters = key.ExportParameters(includePrivateParameters: false);
            var keys = new JsonObject
            {
                ["keys"] = new JsonArray(new JsonObject
                {
                    ["kty"] = "RSA",
                    ["use"] = "sig",
                    ["kid"] = "k",
                    ["n"] = Base64UrlEncoder.Encode(parameters.Modulus),
                    ["e"] = Base64UrlEncoder.Encode(parameters.Exponent),
                }),
            };
            // A free port: HttpListener cannot choose one itself.
            using (var probe = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0))
            {
                probe.Start();
                Address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}";
            }
            var discovery = new JsonObject { ["issuer"] = Address, ["jwks_uri"] = $"{Address}/keys" };
            _listener.Prefixes.Add($"{Address}/");
            _listener.Start();
            _ = ServeAsync(keys, discovery);
        }

        public string Address { get; }

        public void Dispose() => _listener.Close();

        async Task ServeAsync(JsonObject keys, JsonObject discovery)
        {
            try
            {
                while (true)
                {
                    HttpListenerContext context = await _listener.GetContextAsync();
                    JsonObject document = context.Request.Url!.AbsolutePath == "/keys" ? keys : discovery;
                    await JsonSerializer.SerializeAsync(context.Response.OutputStream, document);
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // The test is over.
            }
        }
    }
}
