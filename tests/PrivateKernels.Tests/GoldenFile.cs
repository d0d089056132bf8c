using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace PrivateKernels.Tests;

/// <summary>Golden values of tests/PrivateKernels.Tests/Golden, read from disk beside the test assembly.</summary>
static class GoldenFile
{
    public static JsonElement Read(string name)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", name)));
        return file.RootElement.Clone();
    }

    public static IEnumerable<JsonElement> Rows(this JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray();

    public static double Number(this JsonElement element, string name) => element.GetProperty(name).GetDouble();

    public static long Integer(this JsonElement element, string name) =>
        long.Parse(element.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    public static BigInteger Big(this JsonElement element, string name) =>
        BigInteger.Parse(element.GetProperty(name).GetString()!, CultureInfo.InvariantCulture);

    /// <summary>Fails unless the values agree to a relative tolerance.</summary>
    public static void Close(double expected, double actual, double tolerance, string what) =>
        Assert.True(
            Math.Abs(actual - expected) <= tolerance * Math.Abs(expected),
            string.Create(CultureInfo.InvariantCulture, $"{what}: expected {expected:R}, got {actual:R}"));
}
