using System.Diagnostics;
using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// A process that works on several ledgers is killed at moments that nobody chose, again and again on the same directories.
/// (I1) posted costs are what is spent, (I2) a release never has two drawings, (I3) what was acknowledged is there, (I4) nothing
/// is there by halves, (I5) a retry has one effect.
/// </summary>
public sealed class RandomKillTests
{
    const ulong Seed = 20260112;

    [Fact]
    public async Task A_kill_at_any_moment_loses_nothing_that_was_acknowledged_and_leaves_nothing_by_halves()
    {
        var random = new PublicRandom(Scale.Seed(Seed));
        int kills = 0, spends = 0;
        for (int round = 0; round < Scale.Of(1, 20); round++)
        {
            using Scratch scratch = Scratch.InMemory();
            var models = new Model[BusyHost.Ledgers];
            for (int i = 0; i < models.Length; i++) models[i] = new();
            for (int life = 0; life < 25; life++, kills += models.Length) await Live(scratch, models, random);
            spends += models.Sum(static m => m.Posted);
        }
        Scale.Say($"{kills} ledgers killed, {spends} releases posted");
        Assert.InRange(spends, kills / 2, int.MaxValue);
    }

    static async Task Live(Scratch scratch, Model[] models, PublicRandom random)
    {
        foreach (Model model in models) model.Begin();
        using Process process = CrashTests.Start([], ["busy-host", scratch.Path]);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        int lines = 0, last = 5 + random.NextBelow(60), spins = random.NextBelow(50_000);
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            // What was said before the kill holds, also if it is read after it.
            string[] words = line.Split(' ');
            models[int.Parse(words[0], CultureInfo.InvariantCulture)].Hear(words[1..]);
            if (words[1] is "has" || ++lines != last) continue;
            Thread.SpinWait(spins);
            process.Kill();
        }
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 137, await errors);
    }

    /// <summary>What a ledger owes after all it has said.</summary>
    sealed class Model
    {
        static readonly long Price = BusyHost.Measurement.Cost(CostUnit.MuSquared).Units;

        readonly Dictionary<string, string> _rows = [], _drawn = [];
        readonly HashSet<string> _reserved = [], _voided = [];
        readonly Dictionary<string, string> _has = [];
        int _uploads;

        internal int Posted { get; private set; }

        internal void Begin() => _has.Clear();

        internal void Hear(string[] words)
        {
            switch (words)
            {
                case ["has", var id, var state, var sha256]:
                    _has[id] = state;
                    if (state == "Ready") Same(_drawn, id, sha256);
                    break;
                case ["state", var spent, var reserved, var rows]:
                    Check(Number(spent), Number(reserved), Number(rows));
                    break;
                case ["reserved", var id]:
                    _reserved.Add(id);
                    break;
                case ["finished", var upload]:
                    _uploads = (int)Number(upload) + 1;
                    break;
                case ["rows", var id, var hash]:
                    Same(_rows, id, hash);
                    break;
                case ["voided", var id]:
                    _voided.Add(id);
                    break;
                case ["posted", var id, var sha256]:
                    Same(_drawn, id, sha256);
                    Posted++;
                    break;
                default:
                    Assert.Fail(string.Join(' ', words));
                    break;
            }
        }

        void Check(long spent, long reserved, long rows)
        {
            int Count(string state) => _has.Values.Count(s => s == state);
            Assert.Equal((Price * Count("Ready"), Price * Count("Building")), (spent, reserved));
            Assert.InRange(_has.Count, _reserved.Count, _reserved.Count + 1);
            Assert.All(_reserved, id => Assert.True(_has.ContainsKey(id), id));
            Assert.All(_drawn.Keys, id => Assert.Equal("Ready", _has[id]));
            Assert.All(_voided, id => Assert.Equal("Failed", _has[id]));
            Assert.InRange(Count("Building"), 0, 1);
            Assert.Contains(rows, (long[])[BusyHost.UploadRows * _uploads, BusyHost.UploadRows * (_uploads + 1)]);
        }

        static void Same(Dictionary<string, string> known, string id, string value)
        {
            if (known.TryGetValue(id, out string? before)) Assert.Equal(before, value);
            else known[id] = value;
        }

        static long Number(string word) => long.Parse(word, CultureInfo.InvariantCulture);
    }
}
