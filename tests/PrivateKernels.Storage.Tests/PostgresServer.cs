using System.Diagnostics;
using Npgsql;

[assembly: AssemblyFixture(typeof(PrivateKernels.Tests.PostgresServer))]

namespace PrivateKernels.Tests;

/// <summary>
/// A PostgreSQL of the tests' own in a temporary folder, started when the first test asks. Its programs refuse to run as
/// root, so root lends them another user.
/// </summary>
public sealed class PostgresServer : IDisposable
{
    readonly Lock _lock = new();
    string? _folder;
    Process? _process;

    /// <summary>A connection to a schema of its own; skips the test where PostgreSQL is not installed.</summary>
    internal string NewSchema()
    {
        string schema = $"s{Guid.NewGuid():N}";
        Run(Connection("postgres"), $"CREATE SCHEMA {schema}");
        return $"{Connection("postgres")};Search Path={schema}";
    }

    /// <summary>
    /// The same with the tables made, as a role that may only read and append: of its own, since tests of one assembly run
    /// beside each other.
    /// </summary>
    internal string NewServedSchema()
    {
        string schema = NewSchema(), role = $"served{Guid.NewGuid():N}";
        Run(schema, $"CREATE ROLE {role} LOGIN");
        Storage.LedgerRole.Grant(new(schema), role);
        return schema.Replace("Username=pk", $"Username={role}", StringComparison.Ordinal);
    }

    internal string Connection(string database)
    {
        Start();
        return $"Host={_folder};Username=pk;Database={database}";
    }

    internal static void Run(string connection, string sql)
    {
        using var open = new NpgsqlConnection($"{connection};Pooling=false");
        open.Open();
        using NpgsqlCommand command = open.CreateCommand();
#pragma warning disable CA2100 // the text is of the tests
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    public void Dispose()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_folder!, recursive: true);
    }

    void Start()
    {
        lock (_lock)
        {
            if (_process is not null) return;
            string? programs = Find();
            if (programs is null && Environment.GetEnvironmentVariable("PK_REQUIRE_POSTGRES") == "1")
                Assert.Fail("PK_REQUIRE_POSTGRES is set and PostgreSQL is not installed.");
            Assert.SkipWhen(programs is null, "PostgreSQL is not installed here.");
            _folder = Directory.CreateTempSubdirectory("pk-pg-").FullName;
            if (Environment.IsPrivilegedProcess) Wait("chown", "nobody", _folder);
            string data = Path.Combine(_folder, "data");
            Wait(Path.Combine(programs, "initdb"), "-D", data, "-U", "pk", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C");
            // It is killed in the end: shared memory that is a file of the folder goes with it.
            _process = Serve(
                Path.Combine(programs, "postgres"), "-D", data, "-k", _folder, "-c", "listen_addresses=", "-c", "max_connections=200",
                "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=mmap");
            for (int i = 0; !CanConnect(); i++)
            {
                if (_process.HasExited || i > 600) Assert.Fail("PostgreSQL does not start.");
                Thread.Sleep(100);
            }
        }
    }

    static string? Find()
    {
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')];
        if (Directory.Exists("/usr/lib/postgresql"))
            folders = [.. folders, .. Directory.GetDirectories("/usr/lib/postgresql").OrderDescending().Select(static d => Path.Combine(d, "bin"))];
        return folders.FirstOrDefault(static f => File.Exists(Path.Combine(f, "initdb")) && File.Exists(Path.Combine(f, "postgres")));
    }

    bool CanConnect()
    {
        try
        {
            Run($"Host={_folder};Username=pk;Database=postgres", "SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    static void Wait(string program, params string[] arguments)
    {
        using Process process = Launch(program, arguments);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} failed");
    }

    /// <summary>
    /// A program that ends with the tests, however they end. Its parent in the eyes of the system is the thread that starts
    /// it, and it is killed when that one ends: so not a thread of the pool, but one that waits.
    /// </summary>
    static Process Serve(string program, params string[] arguments)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                Process process = Launch(program, arguments);
                started.SetResult(process);
                process.WaitForExit();
            }
            catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException or ObjectDisposedException)
            {
                // Not there to be started; or over, and disposed of.
                started.TrySetException(e);
            }
        })
        { IsBackground = true }.Start();
        return started.Task.GetAwaiter().GetResult();
    }

    static Process Launch(string program, params string[] arguments)
    {
        bool lends = Environment.IsPrivilegedProcess && Path.GetFileName(program) != "chown";
        var start = new ProcessStartInfo(lends ? "setpriv" : program) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (lends)
            foreach (string part in (string[])["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL", program])
                start.ArgumentList.Add(part);
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        Process process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
