namespace PrivateKernels.Tests;

/// <summary>How much a fault test does: little in every run, more with PK_LONG=1. Seeds are fixed, so a failure comes again.</summary>
static class Scale
{
    internal static bool IsLong { get; } = Environment.GetEnvironmentVariable("PK_LONG") == "1";

    internal static int Of(int always, int atLength) => IsLong ? atLength : always;
}
