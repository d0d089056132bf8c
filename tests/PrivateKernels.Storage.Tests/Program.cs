namespace PrivateKernels.Tests;

/// <summary>Runs the tests, or the process that the crash tests kill.</summary>
static class Program
{
    static async Task<int> Main(string[] args)
    {
        if (args is ["--mutant", ..]) return await MutantHost.Run(args[1], args[2]);
        if (args is ["busy-host", ..]) return await BusyHost.Run(args[1], Number(args[2]), args[3], Number(args[4]));
        if (args is ["one-pass-host", ..])
            return await OnePassHost.Run(args[1], args[2], args.Length > 4 ? new(args[4]) : null);
        if (args is ["crash-host", ..])
            return await CrashHost.Run(args[1], args[2], args[3], args.Length > 4 ? new(args[4], LeaseSeconds: 1) : null);
        if (args is ["ledger-speed", ..]) return await LedgerSpeed.Run(Number(args[1]));
        if (args.Any(static a => a is "--server" or "--internal-msbuild-node"))
            return await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(
                args, PrivateKernels.Storage.Tests.SelfRegisteredExtensions.AddSelfRegisteredExtensions);
        return await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
    }

    static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
}
