using System.Diagnostics;
using System.Globalization;

namespace PrivateKernels.Tests;

/// <summary>
/// A storage host is killed with SIGKILL, again and again on the same directories: each life goes on from what the kill before
/// left, so kills in recoveries, and in recoveries of those, are among them. Whatever the host says is held against a model.
/// (I1) posted costs are what is spent, (I2) a release never has two drawings, (I3) what was acknowledged is there, (I4) nothing
/// is there by halves, (I5) a retry has one effect.
/// </summary>
public sealed class KillTests
{
    const ulong Seed = 20260112;

    internal static readonly string[] Failpoints =
    [
        "create.before_commit", "create.after_commit", "create.before_witness", "upload.after_commit",
        "ingest.before_fsync", "ingest.after_fsync", "finish.before_commit", "finish.after_commit",
        "reserve.before_commit", "reserve.after_commit", "reserve.before_witness", "witness.mid_write", "build.aggregating",
        "build.after_draw", "release.mid_write", "release.before_fsync", "release.before_dirsync",
        "post.before_commit", "post.after_commit", "post.before_witness", "post.before_rename", "post.before_dirsync",
        "post.after_rename", "void.before_commit", "void.after_commit", "delete.before_commit", "delete.after_commit",
        "delete.after_tombstone", "checkpoint.during",
    ];

    [Fact]
    public async Task A_kill_at_every_failpoint_in_any_order_loses_nothing_that_was_acknowledged_and_leaves_nothing_by_halves()
    {
        ulong seed = Scale.Seed(Seed);
        int chains = Scale.Of(8, 100);
        int kills = 0;
        await Parallel.ForAsync(0, chains, InPairs, async (chain, _) =>
        {
            var random = new PublicRandom(seed + (ulong)chain);
            using Scratch scratch = Scratch.InMemory();
            Model[] models = [new()];
            string[] order = Shuffled(Failpoints, random);
            foreach (string failpoint in order)
            {
                await Live(scratch, models, failpoint, hit: 1 + random.NextBelow(2));
                Interlocked.Increment(ref kills);
            }
            End(scratch, models);
        });
        Scale.Say($"{kills} kills, {chains} at each of {Failpoints.Length} failpoints");
        Assert.Equal(chains * Failpoints.Length, kills);
    }

    [Fact]
    public async Task A_kill_at_any_moment_loses_nothing_that_was_acknowledged_and_leaves_nothing_by_halves()
    {
        ulong seed = Scale.Seed(Seed + 1_000);
        int rounds = Scale.Of(4, 400), kills = 0, spends = 0;
        await Parallel.ForAsync(0, rounds, InPairs, async (round, _) =>
        {
            var random = new PublicRandom(seed + (ulong)round);
            using Scratch scratch = Scratch.InMemory();
            Model[] models = [new()];
            for (int life = 0; life < 25; life++, Interlocked.Increment(ref kills))
                await Live(scratch, models, "none", lines: random.NextBelow(20), spins: random.NextBelow(50_000));
            End(scratch, models);
            Interlocked.Add(ref spends, models.Sum(static m => m.Posted));
        });
        Scale.Say($"{kills} kills, {spends} releases posted");
        Assert.InRange(spends, kills / 4, int.MaxValue);
    }

    /// <summary>As many lives at once as the machine of CI has cores.</summary>
    static ParallelOptions InPairs => new() { MaxDegreeOfParallelism = 2, CancellationToken = TestContext.Current.CancellationToken };

    static T[] Shuffled<T>(T[] all, PublicRandom random)
    {
        T[] order = [.. all];
        for (int i = order.Length - 1; i > 0; i--)
        {
            int j = random.NextBelow(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>A life that ends at its failpoint, or after so many lines and a little more.</summary>
    static async Task Live(Scratch scratch, Model[] models, string failpoint, int hit = 1, int lines = -1, int spins = 0)
    {
        using Process process = CrashTests.Start([], ["busy-host", scratch.Path, $"{models.Length}", failpoint, $"{hit}"]);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string last = "";
        try
        {
            while (await process.StandardOutput.ReadLineAsync() is { } line)
            {
                // What was said before the kill holds, also if it is read after it.
                last = line;
                string[] words = line.Split(' ');
                models[int.Parse(words[0], CultureInfo.InvariantCulture)].Hear(words[1..]);
                if (words[1] is "has" or "set" || lines-- != 0) continue;
                Thread.SpinWait(spins);
                process.Kill();
            }
        }
        catch
        {
            process.Kill();
            throw;
        }
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 137, $"{failpoint} {hit}, after '{last}': exit code {process.ExitCode} {await errors}");
    }

    /// <summary>What the last kill left.</summary>
    static void End(Scratch scratch, Model[] models)
    {
        for (int i = 0; i < models.Length; i++)
        {
            using DataDirectory directory = DataDirectory.Open(scratch.FileOf($"{i}"), scratch.Options);
            BusyHost.Tell(directory, scratch.FileOf($"{i}"), line => models[i].Hear(line.Split(' ')));
            Assert.Empty(scratch.Exits);
        }
    }

    /// <summary>What a ledger owes after all it has said.</summary>
    sealed class Model
    {
        static readonly long Price = BusyHost.Measurement.Cost(CostUnit.MuSquared).Units;

        readonly Dictionary<string, string> _rows = [], _drawn = [];
        readonly HashSet<string> _reserved = [], _voided = [], _created = [], _deleted = [];
        readonly Dictionary<string, string> _has = [], _sets = [];
        int _uploads;

        internal int Posted { get; private set; }

        internal void Hear(string[] words)
        {
            switch (words)
            {
                case ["has", var id, var state, var sha256]:
                    _has[id] = state;
                    if (state == "Ready") Same(_drawn, id, sha256);
                    break;
                case ["set", var id, var state]:
                    _sets[id] = state;
                    break;
                case ["files", var strays, var pending, var releases]:
                    Assert.Equal((0, 0, Count(_has, "Ready")), (Number(strays), Number(pending), Number(releases)));
                    break;
                case ["state", var spent, var reserved, var rows, var head]:
                    Check(Number(spent), Number(reserved), Number(rows), Number(head));
                    break;
                case ["reserved", var id]:
                    _reserved.Add(id);
                    break;
                case ["finished", var upload]:
                    _uploads = (int)Number(upload) + 1;
                    break;
                case ["created", var id]:
                    _created.Add(id);
                    break;
                case ["deleted", var id]:
                    _deleted.Add(id);
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

        void Check(long spent, long reserved, long rows, long head)
        {
            (int ready, int failed, int building) = (Count(_has, "Ready"), Count(_has, "Failed"), Count(_has, "Building"));
            Assert.Equal((Price * ready, Price * building), (spent, reserved));
            Assert.InRange(_has.Count, _reserved.Count, _reserved.Count + 1);
            Assert.All(_reserved, id => Assert.True(_has.ContainsKey(id), id));
            Assert.All(_drawn.Keys, id => Assert.Equal("Ready", _has[id]));
            Assert.All(_voided, id => Assert.Equal("Failed", _has[id]));
            Assert.InRange(building, 0, 1);
            Assert.Contains(rows, (long[])[BusyHost.UploadRows * _uploads, BusyHost.UploadRows * (_uploads + 1)]);
            Assert.InRange(_sets.Count, _created.Count, _created.Count + 1);
            Assert.All(_created, id => Assert.True(_sets.ContainsKey(id), id));
            Assert.All(_deleted, id => Assert.Equal("Deleted", _sets[id]));
            // Every entry once: the account, each dataset and its tombstone, each hold and what became of it.
            Assert.Equal(2 + _sets.Count + Count(_sets, "Deleted") + _has.Count + ready + failed, head);
        }

        static int Count(Dictionary<string, string> of, string state) => of.Values.Count(s => s == state);

        static void Same(Dictionary<string, string> known, string id, string value)
        {
            if (known.TryGetValue(id, out string? before)) Assert.Equal(before, value);
            else known[id] = value;
        }

        static long Number(string word) => long.Parse(word, CultureInfo.InvariantCulture);
    }
}
