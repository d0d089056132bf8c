using System.Collections;
using System.Globalization;
using System.Net;
using System.Reflection;

namespace PrivateKernels.Server;

/// <summary>
/// The configuration is wrong; the message names key, value and rule. The process ends with exit code 78.
/// </summary>
public sealed class ConfigurationException(string message) : Exception(message)
{
    public const int ExitCode = 78;
}

/// <summary>
/// Reads <see cref="ServerOptions"/> from appsettings.json, then PK_Section__Key variables, then --Section:Key value
/// arguments; the later wins. A key that no option has is refused.
/// </summary>
public static class Configuration
{
    const string Prefix = "PK_";

    static readonly Dictionary<string, PropertyInfo> Sections =
        typeof(ServerOptions).GetProperties().ToDictionary(static p => p.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Side port of a server that is configured, and not embedded in a program of its own.</summary>
    const string StandardSidePort = "127.0.0.1:7081";

    /// <param name="arguments">"--Section:Key value" or "--Section:Key=value".</param>
    /// <param name="settingsFile">JSON file that may be missing; null = appsettings.json in the working directory.</param>
    public static ServerOptions Read(IReadOnlyList<string> arguments, string? settingsFile = null)
    {
        var options = new ServerOptions { Side = new() { Listen = StandardSidePort } };
        foreach ((string key, string? value) in ReadFile(settingsFile ?? "appsettings.json").AsEnumerable())
            // Sections that are not ours may share the file; sections that are may hold nothing unknown.
            if (value is not null && Sections.ContainsKey(key.Split(':')[0])) Set(options, key, value);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            string name = (string)variable.Key;
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && name.Contains("__", StringComparison.Ordinal))
                Set(
                    options, name[Prefix.Length..].Replace("__", ":", StringComparison.Ordinal), (string?)variable.Value ?? "",
                    isEnvironment: true);
        }
        for (int i = 0; i < arguments.Count; i++)
        {
            string[] parts = arguments[i].Split('=', 2);
            if (!parts[0].StartsWith("--", StringComparison.Ordinal))
                throw new ConfigurationException($"'{arguments[i]}' is not an option; options look like --Section:Key value.");
            if (parts.Length == 1 && i + 1 == arguments.Count)
                throw new ConfigurationException($"{arguments[i]} lacks its value.");
            Set(options, parts[0][2..], parts.Length == 2 ? parts[1] : arguments[++i]);
        }
        options.Validate();
        return options;
    }

    /// <summary>Parses "address:port".</summary>
    public static IPEndPoint Endpoint(string listen) => Address("Grpc:Listen", listen);

    /// <summary>Parses "address:port" or "localhost:port".</summary>
    public static IPEndPoint Address(string key, string listen)
    {
        string text = listen.StartsWith("localhost:", StringComparison.OrdinalIgnoreCase) ? "127.0.0.1" + listen[9..] : listen;
        int colon = text.LastIndexOf(':');
        return colon > 0 && !text.EndsWith(']') && IPEndPoint.TryParse(text, out IPEndPoint? endpoint)
            ? endpoint
            : throw new ConfigurationException($"{key} is '{listen}': must be address:port, such as 127.0.0.1:7443.");
    }

    static IConfigurationRoot ReadFile(string path)
    {
        try
        {
            return new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(path), optional: true).Build();
        }
        // Its text would quote the file.
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path} cannot be read: it must be JSON, an object of sections, each key once.");
        }
    }

    static void Set(ServerOptions options, string key, string text, bool isEnvironment = false)
    {
        string[] path = key.Split(':');
        PropertyInfo? property = path.Length == 2 && Sections.TryGetValue(path[0], out PropertyInfo? section)
            ? section.PropertyType.GetProperty(path[1], BindingFlags.Instance | BindingFlags.Public | BindingFlags.IgnoreCase)
            : null;
        if (property is null || !property.CanWrite)
            throw new ConfigurationException($"unknown configuration key '{key}'.");
        if (!isEnvironment && property.IsDefined(typeof(EnvironmentOnlyAttribute)))
            throw new ConfigurationException($"{key} is a secret: it is taken from the environment only.");
        object value = Parse(property.PropertyType, text)
            ?? throw new ConfigurationException($"{key} is '{text}': must be {Expected(property.PropertyType)}.");
        property.SetValue(Sections[path[0]].GetValue(options), value);
    }

    static object? Parse(Type type, string text)
    {
        if (type == typeof(string)) return text;
        if (type == typeof(bool)) return bool.TryParse(text, out bool flag) ? flag : null;
        if (type == typeof(int)) return ParseInteger(text) is >= int.MinValue and <= int.MaxValue and var n ? (int)n : null;
        if (type == typeof(long)) return ParseInteger(text);
        if (type == typeof(TimeSpan)) return ParseDuration(text);
        // A number, or several names, would be taken for a value too.
        return type.IsEnum && Enum.GetNames(type).Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse(type, text, ignoreCase: true) : null;
    }

    static long? ParseInteger(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long n) ? n : null;

    /// <summary>"500ms", "5s", "10min", "24h", "30d"; a bare number is seconds. Null if it is none of these.</summary>
    public static TimeSpan? ParseDuration(string text)
    {
        (string suffix, double seconds)[] units = [("ms", 1e-3), ("s", 1), ("min", 60), ("h", 3600), ("d", 86400), ("", 1)];
        foreach ((string suffix, double seconds) in units)
            if (text.EndsWith(suffix, StringComparison.Ordinal)
                && double.TryParse(text[..^suffix.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double n)
                && n * seconds <= 1e9)
                return TimeSpan.FromSeconds(n * seconds);
        return null;
    }

    static string Expected(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a duration such as 500ms, 5s, 10min, 24h or 30d"
        : type.IsEnum ? "one of " + string.Join(", ", Enum.GetNames(type))
        : "an integer";
}
