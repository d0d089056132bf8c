using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Grpc.Net.Client;

namespace PrivateKernels.Tests;

/// <summary>
/// `pk serve` as a process of its own, on a free loopback port, that a test may kill at any moment. Whatever a test is about, no
/// coordinate and no key may stand in what it says (<see cref="Canaries"/>).
/// </summary>
sealed class ServerProcess : IDisposable
{
    readonly Process _process;
    readonly StringBuilder _said = new();
    readonly TaskCompletionSource<Uri?> _serving = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly Task _output;
    readonly Task<string> _error;
    GrpcChannel? _channel;

    ServerProcess(Process process)
    {
        _process = process;
        // Not on the few threads of the tests, which may all be waiting in Dispose.
        _output = Task.Run(() => HearAsync(process.StandardOutput));
        _error = process.StandardError.ReadToEndAsync();
    }

    internal Uri Address { get; private set; } = new("http://localhost");

    internal GrpcChannel Channel => _channel ??= GrpcChannel.ForAddress(Address);

    internal int Id => _process.Id;

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
        var server = new ServerProcess(Start(directory, more));
        if (await server._serving.Task is { } address)
        {
            server.Address = address;
            return server;
        }
        using (server) Assert.Fail($"{await server.EndAsync()}");
        return server;
    }

    /// <summary>Starts where that must fail, and returns the exit code and what was said on standard error.</summary>
    internal static async Task<(int ExitCode, string Error)> FailAsync(string directory, params string[] more)
    {
        using var server = new ServerProcess(Start(directory, more));
        Assert.Null(await server._serving.Task);
        return await server.EndAsync();
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
        await _process.WaitForExitAsync();
        return (_process.ExitCode, await _error);
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
        _channel?.Dispose();
        if (!_process.HasExited) Kill();
        Task.WaitAll(_output, _error);
        _process.Dispose();
        Canaries.AssertAbsent($"{_said}{_error.Result}");
    }

    /// <summary>
    /// Reads the log to its end; one of its first lines says where the server listens. With --json there is no log, and the one
    /// document says it.
    /// </summary>
    async Task HearAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            _said.AppendLine(line);
            if (_serving.Task.IsCompleted) continue;
            JsonElement said = JsonDocument.Parse(line).RootElement;
            if (said.TryGetProperty("address", out JsonElement address)) _serving.SetResult(new(address.GetString()!));
            else if (said.TryGetProperty("endpoint", out JsonElement endpoint)) _serving.SetResult(new($"http://{endpoint}"));
        }
        _serving.TrySetResult(null);
    }

    static Process Start(string directory, string[] more)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])
            [
                "exec", Path.Combine(AppContext.BaseDirectory, "pk.dll"), "serve", "--data", directory,
                "--listen", "127.0.0.1:0", "--engine", "simd", "--Engine:Threads", "1", "--Build:CompletionQuantum", "0s",
                "--Side:Listen", "127.0.0.1:0", "--Shutdown:Drain", "0s", .. more,
            ])
            start.ArgumentList.Add(argument);
        // It lives for a moment: quick code at once is worth more than fast code later.
        start.Environment["DOTNET_TieredPGO"] = "0";
        // Otherwise one that is killed leaves two files in the temporary folder.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        return Process.Start(start)!;
    }
}
