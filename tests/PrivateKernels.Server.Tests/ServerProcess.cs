using System.Diagnostics;
using System.Text.Json;
using Grpc.Net.Client;

namespace PrivateKernels.Tests;

/// <summary>`pk serve` as a process of its own, on a free loopback port, that a test may kill at any moment.</summary>
sealed class ServerProcess : IDisposable
{
    readonly Process _process;

    ServerProcess(Process process, Uri address)
    {
        (_process, Address) = (process, address);
        Channel = GrpcChannel.ForAddress(address);
    }

    internal Uri Address { get; }

    internal GrpcChannel Channel { get; }

    /// <summary>Memory that it holds.</summary>
    internal long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Starts and waits until it serves.</summary>
    internal static async Task<ServerProcess> StartAsync(string directory, params string[] more)
    {
        Process process = Start(directory, more);
        string? line = await process.StandardOutput.ReadLineAsync();
        if (line is null)
        {
            await process.WaitForExitAsync();
            Assert.Fail($"exit code {process.ExitCode}: {await process.StandardError.ReadToEndAsync()}");
        }
        return new(process, new(JsonDocument.Parse(line).RootElement.GetProperty("address").GetString()!));
    }

    /// <summary>Starts where that must fail, and returns the exit code and what was said on standard error.</summary>
    internal static async Task<(int ExitCode, string Error)> FailAsync(string directory, params string[] more)
    {
        using Process process = Start(directory, more);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Empty(output);
        return (process.ExitCode, await error);
    }

    /// <summary>SIGKILL.</summary>
    internal void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>The exit code of a server that ends by itself, and what it said on standard error.</summary>
    internal async Task<(int ExitCode, string Error)> EndAsync()
    {
        string error = await _process.StandardError.ReadToEndAsync();
        await _process.WaitForExitAsync();
        return (_process.ExitCode, error);
    }

    /// <summary>SIGTERM; the exit code of a server that ends by itself.</summary>
    internal async Task<int> TerminateAsync()
    {
        using Process kill = Process.Start("kill", $"-TERM {_process.Id}");
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        Channel.Dispose();
        if (!_process.HasExited) Kill();
        _process.Dispose();
    }

    static Process Start(string directory, string[] more)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])
            [
                "exec", Path.Combine(AppContext.BaseDirectory, "pk.dll"), "serve", "--json", "--data", directory,
                "--listen", "127.0.0.1:0", "--engine", "simd", "--Engine:Threads", "1", "--Build:CompletionQuantum", "0s",
                "--Side:Listen", "127.0.0.1:0", "--Shutdown:Drain", "0s", .. more,
            ])
            start.ArgumentList.Add(argument);
        // It lives for a moment: quick code at once is worth more than fast code later.
        start.Environment["DOTNET_TieredPGO"] = "0";
        return Process.Start(start)!;
    }
}
