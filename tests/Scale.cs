using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// How much a test does: what fits into every run, or with PK_TEST_SCALE=long the counts of a long run. Seeds are fixed, so that
/// a failure comes again; PK_TEST_SEED shifts all of them.
/// </summary>
static class Scale
{
    static readonly ulong Shift = ulong.Parse(Environment.GetEnvironmentVariable("PK_TEST_SEED") ?? "0", CultureInfo.InvariantCulture);

    internal static bool IsLong { get; } = Environment.GetEnvironmentVariable("PK_TEST_SCALE") == "long";

    internal static int Of(int always, int atLength) => IsLong ? atLength : always;

    /// <summary>A seed, printed: what is drawn from it can be drawn again.</summary>
    internal static ulong Seed(ulong seed)
    {
        Say($"seed {seed + Shift}");
        return seed + Shift;
    }

    /// <summary>A line about what was done, for whoever asks for the output of tests.</summary>
    internal static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);
}
