namespace PrivateKernels.Tests;

/// <summary>A ledger that is put back to an older one, or goes on from an older one, is not served.</summary>
public sealed class RollbackTests
{
    /// <summary>All files of a directory at one moment.</summary>
    sealed record State(byte[] Database, byte[] Witness, Dictionary<string, byte[]> Releases);

    [Fact]
    public async Task Every_older_ledger_is_refused_by_a_newer_witness_and_by_newer_releases()
    {
        using Scratch scratch = Scratch.InMemory();
        State[] states = await History(scratch, Scale.Of(7, 33));
        int refused = 0;
        for (int newer = 1; newer < states.Length; newer++)
            for (int older = 0; older < newer; older++, refused++)
            {
                Refused(scratch, states[older] with { Witness = states[newer].Witness });
                Refused(scratch, states[older] with { Releases = states[newer].Releases });
            }
        Scale.Say($"{refused} rollbacks, each refused by the witness and by the releases");
        Assert.InRange(refused, Scale.Of(20, 500), int.MaxValue);
        Write(scratch, states[^1]);
        using DataDirectory whole = scratch.Open();
        Assert.Equal(states.Length - 1, whole.Releases.List("people", null, 100, [ReleaseState.Ready]).Count);
    }

    [Fact]
    public async Task A_ledger_that_went_on_from_an_older_one_is_refused_by_the_witness_of_the_other()
    {
        using Scratch scratch = Scratch.InMemory();
        State[] states = await History(scratch, 6);
        for (int i = 0; i + 1 < states.Length; i++)
        {
            Write(scratch, states[i]);
            using (DataDirectory fork = scratch.Open()) await Spend(fork, 1_000);
            // As many entries as the other has, and others.
            File.WriteAllBytes(scratch.FileOf("witness"), states[i + 1].Witness);
            StorageException error = Assert.Throws<StorageException>(() => scratch.Open());
            Assert.Equal(Reasons.LedgerBehind, error.Reason);
            Assert.Equal(Sequence(error.Metadata["ledger"]), Sequence(error.Metadata["witness"]));
        }

        static string Sequence(string position) => position.Split('/')[2];
    }

    static async Task<State[]> History(Scratch scratch, int count)
    {
        var states = new State[count];
        for (int i = 0; i < count; i++)
        {
            using (DataDirectory directory = scratch.Open())
            {
                if (i == 0) await Scratch.Create(directory, "people", Scratch.Gaussian);
                else await Spend(directory, i);
            }
            states[i] = new(
                File.ReadAllBytes(scratch.FileOf("pk.db")), File.ReadAllBytes(scratch.FileOf("witness")),
                Directory.GetFiles(scratch.FileOf("releases")).ToDictionary(static f => Path.GetFileName(f), File.ReadAllBytes));
        }
        return states;
    }

    static async Task Spend(DataDirectory directory, int i)
    {
        Measurement measurement = Scratch.Measurement(0.02);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", $"r{i}", measurement))).Build!;
        await Scratch.Finish(directory, build, measurement);
    }

    static void Refused(Scratch scratch, State state)
    {
        Write(scratch, state);
        StorageException error = Assert.Throws<StorageException>(() => scratch.Open());
        Assert.Equal((Reasons.LedgerBehind, 76), (error.Reason, Reasons.ExitCode(error.Reason)));
    }

    static void Write(Scratch scratch, State state)
    {
        foreach (string log in (string[])["pk.db-wal", "pk.db-shm"]) File.Delete(scratch.FileOf(log));
        File.WriteAllBytes(scratch.FileOf("pk.db"), state.Database);
        File.WriteAllBytes(scratch.FileOf("witness"), state.Witness);
        foreach (string file in Directory.GetFiles(scratch.FileOf("releases"))) File.Delete(file);
        foreach ((string name, byte[] bytes) in state.Releases) File.WriteAllBytes(Path.Combine(scratch.FileOf("releases"), name), bytes);
    }
}
