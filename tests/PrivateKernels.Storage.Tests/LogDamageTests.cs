namespace PrivateKernels.Tests;

/// <summary>
/// Damage to SQLite's write-ahead log, which SQLite itself takes for a shorter log: acknowledged commits would be gone
/// without a word. The same state, or a refusal by name.
/// </summary>
public sealed class LogDamageTests
{
    [Fact]
    public async Task A_log_cut_at_any_sector_or_with_a_flipped_bit_never_loses_a_spend_in_silence()
    {
        using var scratch = new Scratch();
        // Killed with everything in the log: nothing was checkpointed.
        Assert.Equal(137, (await CrashTests.Run(scratch, "delete.before_commit", "kill")).ExitCode);
        Dictionary<string, byte[]> files = Snapshot(scratch);
        (AccountRow account, byte[] sha256) = State(scratch)!.Value;
        byte[] log = files["pk.db-wal"];
        Assert.True(log.Length > 50_000);
        int same = 0, refused = 0;
        foreach (byte[] damaged in Cuts(log).Concat(Flips(log, 120)))
        {
            Restore(scratch, files);
            File.WriteAllBytes(scratch.FileOf("pk.db-wal"), damaged);
            if (State(scratch) is not { } state)
            {
                refused++;
                continue;
            }
            same++;
            Assert.Equal(account, state.Account);
            Assert.Equal(sha256, state.Sha256);
        }
        Assert.InRange(refused, 100, refused + same);
    }

    static IEnumerable<byte[]> Cuts(byte[] log)
    {
        int step = Scale.IsLong ? 512 : 512 * Math.Max(1, log.Length / 512 / 150);
        for (int length = 0; length < log.Length; length += step) yield return log[..length];
    }

    static IEnumerable<byte[]> Flips(byte[] log, int count)
    {
        var random = new PublicRandom(11);
        for (int i = 0; i < count; i++)
        {
            byte[] flipped = [.. log];
            int bit = random.NextBelow(log.Length * 8);
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            yield return flipped;
        }
    }

    /// <summary>What is spent and what was released; null if the start is refused by name.</summary>
    static (AccountRow Account, byte[] Sha256)? State(Scratch scratch)
    {
        try
        {
            using DataDirectory directory = scratch.Open();
            return (directory.Datasets.GetBudget("people")!, directory.Releases.Get("people", "first").Sha256.ToArray());
        }
        catch (StorageException e)
        {
            Assert.Contains(e.Reason, (string[])[Reasons.LedgerCorrupt, Reasons.LedgerBehind]);
            return null;
        }
    }

    static Dictionary<string, byte[]> Snapshot(Scratch scratch) => ((string[])["pk.db", "pk.db-wal", "witness"])
        .ToDictionary(static name => name, name => File.ReadAllBytes(scratch.FileOf(name)));

    static void Restore(Scratch scratch, Dictionary<string, byte[]> files)
    {
        File.Delete(scratch.FileOf("pk.db-shm"));
        foreach ((string name, byte[] bytes) in files) File.WriteAllBytes(scratch.FileOf(name), bytes);
    }
}
