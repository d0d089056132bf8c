using System.Diagnostics;
using System.Globalization;

namespace PrivateKernels.Benchmarks;

/// <summary>numpy and scikit-learn in a child process (peers.py), timed turn by turn with the engine.</summary>
sealed class Peers : IDisposable
{
    readonly Process _python;

    Peers(Process python) => _python = python;

    /// <summary>Starts the child, or says why not and returns null.</summary>
    public static Peers? Start(int threads, string script = "peers.py")
    {
        string python = File.Exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
        var start = new ProcessStartInfo(python)
        {
            ArgumentList = { Path.Combine(AppContext.BaseDirectory, script) },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        string count = threads.ToString(CultureInfo.InvariantCulture);
        start.Environment["OPENBLAS_NUM_THREADS"] = start.Environment["OMP_NUM_THREADS"] = count;
        // A core type fixed for another machine would slow OpenBLAS down.
        start.Environment.Remove("OPENBLAS_CORETYPE");
        try
        {
            var peers = new Peers(Process.Start(start)!);
            peers.Seconds("cells", 8, 2, 8);
            return peers;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
        {
            Console.WriteLine($"peers not measured: {script} and its libraries are needed ({e.Message})");
            return null;
        }
    }

    public double Seconds(string job, int n, int d, int m)
    {
        _python.StandardInput.WriteLine($"{job} {n} {d} {m}");
        string answer = _python.StandardOutput.ReadLine() ?? throw new IOException("peers.py ended");
        return double.Parse(answer, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _python.StandardInput.Close();
        _python.WaitForExit();
        _python.Dispose();
    }
}
