using System.Collections.Frozen;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection.Extensions;
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
        Role roles = principal.FindAll(options.RoleClaim).Aggregate(Role.None, static (all, claim) => all | RoleNames.GetValueOrDefault(claim.Value));
        string[] datasets = [.. principal.FindAll(options.DatasetsClaim)
            .SelectMany(static claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        if (roles == Role.None || datasets.Length == 0 || principal.FindFirst("sub") is not { Value.Length: > 0 } subject) return null;
        return new Caller(
            IdOf(subject), roles, datasets.Contains(KeyEntry.AllDatasets) ? null : datasets.Where(Names.IsId).ToFrozenSet())
        {
            Expires = result.Properties?.ExpiresUtc + ClockSkew,
        };
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
