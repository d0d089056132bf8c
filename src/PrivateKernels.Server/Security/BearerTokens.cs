using System.Collections.Frozen;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PrivateKernels.Server;

/// <summary>
/// OpenID Connect tokens: signed by the authority's published keys, for this audience, in date, with a role and datasets.
/// </summary>
sealed class BearerTokens(OpenIdConnectOptions options, JsonLog log)
{
    const string Scheme = JwtBearerDefaults.AuthenticationScheme;

    /// <summary>How far clocks may be apart.</summary>
    static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    /// <summary>No id of an API key has a colon.</summary>
    const string IdPrefix = "oidc:";

    static readonly FrozenDictionary<string, Role> RoleNames =
        new[] { Role.Owner, Role.Analyst, Role.Auditor }.ToFrozenDictionary(static r => $"{r}".ToLowerInvariant());

    internal static bool IsOf(Caller caller) => caller.Id.StartsWith(IdPrefix, StringComparison.Ordinal);

    internal void Add(IServiceCollection services)
    {
        // Not AddAuthentication: that would write a key ring of its own, for cookies that there are not.
        services.AddAuthenticationCore();
        services.AddWebEncoders();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IAuthenticationConfigurationProvider>(new NoConfiguration());
        new AuthenticationBuilder(services).AddJwtBearer(Scheme, jwt =>
        {
            jwt.Authority = options.Authority;
            jwt.Audience = options.Audience;
            jwt.RequireHttpsMetadata = !new Uri(options.Authority).IsLoopback;
            jwt.MapInboundClaims = false;
            jwt.SaveToken = false;
            jwt.TokenValidationParameters.RequireExpirationTime = true;
            jwt.TokenValidationParameters.RequireSignedTokens = true;
            jwt.TokenValidationParameters.ClockSkew = ClockSkew;
            // Signatures of which the server holds only the public half: with a shared secret "none" is not the only way to forge.
            jwt.TokenValidationParameters.ValidAlgorithms =
            [
                SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
                SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
                SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
            ];
            jwt.Events = new JwtBearerEvents
            {
                // By default a failure to reach the authority is thrown: a call would end without a status.
                OnAuthenticationFailed = failed =>
                {
                    failed.NoResult();
                    log.Write(LogLevel.Warning, "token", ("type", failed.Exception.GetType().Name));
                    return Task.CompletedTask;
                },
            };
        });
    }

    /// <summary>Whom the token of a call belongs to; null if it is not valid or says too little.</summary>
    internal async Task<Caller?> FindAsync(HttpContext http)
    {
        AuthenticateResult result = await http.AuthenticateAsync(Scheme);
        if (result is not { Succeeded: true, Principal: { } principal }) return null;
        Role roles = TextsOf(principal, options.RoleClaim).Aggregate(Role.None, static (all, text) => all | RoleNames.GetValueOrDefault(text));
        string[] datasets = [.. TextsOf(principal, options.DatasetsClaim)
            .SelectMany(static text => text.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        if (roles == Role.None || datasets.Length == 0 || principal.FindFirst("sub") is not { Value.Length: > 0 } subject) return null;
        return new Caller(
            IdOf(subject), roles, datasets.Contains(KeyEntry.AllDatasets) ? null : datasets.Where(Names.IsId).ToFrozenSet())
        {
            Expires = result.Properties?.ExpiresUtc + ClockSkew,
        };
    }

    /// <summary>What the claim of that name says; without one, what stands at that path in a claim that is a JSON object.</summary>
    static IEnumerable<string> TextsOf(ClaimsPrincipal principal, string path)
    {
        string[] texts = [.. principal.FindAll(path).Select(static claim => claim.Value)];
        string[] steps = path.Split('.');
        return texts.Length > 0 || steps.Length == 1
            ? texts
            : principal.FindAll(claim => claim.Type == steps[0] && claim.ValueType == JsonClaimValueTypes.Json)
                .SelectMany(claim => TextsAt(claim.Value, steps.AsSpan(1)));
    }

    /// <summary>The text, or the texts of the array, to which the names lead.</summary>
    static string[] TextsAt(string json, ReadOnlySpan<string> names)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement element = document.RootElement;
        foreach (string name in names)
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element)) return [];
        JsonElement[] found = element.ValueKind == JsonValueKind.Array ? [.. element.EnumerateArray()] : [element];
        return [.. found.Where(static e => e.ValueKind == JsonValueKind.String).Select(static e => e.GetString()!)];
    }

    /// <summary>The same for a person for ever, and no name in the logs.</summary>
    static string IdOf(Claim subject) => IdPrefix + Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{subject.Issuer}\n{subject.Value}")).AsSpan(0, 8));

    /// <summary>All that there is to configure comes from <see cref="OpenIdConnectOptions"/>.</summary>
    sealed class NoConfiguration : IAuthenticationConfigurationProvider
    {
        public IConfiguration AuthenticationConfiguration { get; } = new ConfigurationBuilder().Build();
    }
}
