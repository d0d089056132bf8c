using System.Numerics;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>
/// Broken variants of the protocol, each in one step. What checks the ledger must notice each of them, and nothing where
/// no step is broken: a check that never fails would prove nothing.
/// </summary>
public sealed class MutantTests
{
    [Theory]
    [InlineData("none")]
    [InlineData("reserve after build")]
    [InlineData("two draws for one reservation")]
    [InlineData("void after draw")]
    [InlineData("witness after reply")]
    [InlineData("account per dataset id")]
    [InlineData("retry that redraws")]
    [InlineData("post without attempt fence")]
    [InlineData("count in an error text")]
    public async Task A_broken_step_is_noticed(string mutant)
    {
        using var scratch = new Scratch();
        var facts = new Facts();
        using (DataDirectory directory = scratch.Open()) await Live(directory, scratch, mutant, facts);
        if (mutant == "witness after reply") File.WriteAllBytes(scratch.FileOf("witness"), facts.Witness);
        List<string> violations = Violations(scratch, facts);
        if (mutant == "none") Assert.Empty(violations);
        else Assert.NotEmpty(violations);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_budget_in_floating_point_is_noticed(bool isMutant)
    {
        // Ten spends of a tenth fit a budget of one; as doubles, three tenths are more than 0.3.
        int wrong = 0;
        for (int n = 1; n <= 10; n++)
        {
            long limit = Units.OfEpsilon(double.Parse($"{n}e-1", System.Globalization.CultureInfo.InvariantCulture));
            BigInteger held = 0;
            double heldDouble = 0;
            for (int i = 0; i < n; i++)
            {
                long units = Units.OfEpsilon(0.1);
                bool admitted = isMutant ? heldDouble + 0.1 <= n / 10.0 : held + units <= limit;
                if (!admitted) wrong++;
                (held, heldDouble) = (held + units, heldDouble + 0.1);
            }
        }
        Assert.Equal(isMutant, wrong > 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_fsync_that_is_left_out_is_noticed(bool isMutant)
    {
        DiskErrorTests.RequireTracer();
        using var scratch = new Scratch();
        string[] tracer = ["-e", "trace=fsync,write", .. isMutant ? (string[])["--inject", "fsync:retval=0"] : []];
        Assert.Equal(0, (await CrashTests.Run(scratch, "none", "kill", tracer: tracer)).ExitCode);
        (int acknowledged, int early, bool isSynced) = (0, 0, false);
        foreach (string line in File.ReadAllLines(scratch.Trace))
        {
            // A call that another thread interrupts has two lines; only the second says how it ended.
            bool isReal = line.Contains(" = 0", StringComparison.Ordinal) && !line.Contains("INJECTED", StringComparison.Ordinal);
            if (isReal && line.Contains("fsync", StringComparison.Ordinal)) isSynced = true;
            if (!line.Contains("\"ack ", StringComparison.Ordinal)) continue;
            acknowledged++;
            if (!isSynced) early++;
            isSynced = false;
        }
        Assert.InRange(acknowledged, 6, 20);
        Assert.Equal(isMutant ? acknowledged : 0, early);
    }

    /// <summary>What was promised to callers, and what they have seen.</summary>
    sealed class Facts
    {
        internal List<LedgerPosition> Acknowledged { get; } = [];

        internal List<byte[]> Disclosed { get; } = [];

        internal long DisclosedUnits { get; set; }

        internal Dictionary<string, HashSet<string>> Replies { get; } = [];

        internal List<string> Texts { get; } = [];

        internal byte[] Witness { get; set; } = [];

        internal void Reply(ReserveRequest request, Reservation reservation)
        {
            Acknowledged.Add(reservation.Release.ReservedAt);
            if (!Replies.TryGetValue(request.Call.RequestId, out HashSet<string>? uids)) Replies[request.Call.RequestId] = uids = [];
            uids.Add(reservation.Release.Uid);
        }

        internal void Disclose(byte[] file, long units)
        {
            Disclosed.Add(SHA256.HashData(file));
            DisclosedUnits += units;
        }
    }

    static async Task Live(DataDirectory directory, Scratch scratch, string mutant, Facts facts)
    {
        await Scratch.Create(directory, "people", Scratch.Gaussian, population: "patients");
        await Scratch.Ingest(directory, "people", Scratch.Rows(37, 1));
        Measurement measurement = Scratch.Measurement(0.25);
        if (mutant == "reserve after build")
        {
            // The draw is out before anything is charged, and the process ends in between.
            using var elsewhere = new Scratch();
            using DataDirectory other = elsewhere.Open();
            await Scratch.Create(other, "people", Scratch.Gaussian);
            Build unpaid = (await other.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
            facts.Disclose(ReleaseFile.Write(Scratch.Draw(unpaid, measurement)), measurement.Cost(CostUnit.MuSquared).Units);
            return;
        }
        facts.Witness = LedgerTests.ReadShared(scratch.FileOf("witness"));
        ReserveRequest request = Scratch.Request("people", "r", measurement);
        Reservation reservation = await directory.Ledger.ReserveAsync(request);
        facts.Reply(request, reservation);
        if (mutant == "retry that redraws")
            await directory.Writer.SubmitAsync("mutant", static t =>
            {
                // The reservation forgets whose call it was, so that the retry finds none.
                t.Database.Execute("UPDATE reservations SET request_id = 'forgotten'");
                return 0;
            });
        // The same call comes again, as from a caller who named no release: the server would name another one.
        facts.Reply(request, await directory.Ledger.ReserveAsync(request with { ReleaseId = "r-again" }));
        await Draw(directory, mutant, facts, measurement, reservation.Build!);
        await Refuse(directory, mutant, facts);
        if (mutant == "account per dataset id") await Recreate(directory);
    }

    static async Task Draw(DataDirectory directory, string mutant, Facts facts, Measurement measurement, Build build)
    {
        long units = build.Release.Cost.Units;
        byte[] file = ReleaseFile.Write(Scratch.Draw(build, measurement));
        SavedRelease saved = directory.Releases.Save(build, file);
        if (mutant == "void after draw")
        {
            facts.Disclose(file, units);
            await directory.Writer.SubmitAsync("void", t => ReservationTable.Void(t, build.ReservationId, build.Attempt, "CANCELLED", "cancelled"));
            return;
        }
        if (mutant is "two draws for one reservation" or "post without attempt fence")
        {
            Build second = await directory.Ledger.RestartAsync(build);
            byte[] other = ReleaseFile.Write(Scratch.Draw(second, measurement));
            SavedRelease current = directory.Releases.Save(second, other);
            if (mutant == "two draws for one reservation")
            {
                await directory.Ledger.PostAsync(second, current);
                facts.Disclose(other, units);
                // The first draw was read all the same.
                facts.Disclose(file, 0);
                return;
            }
            // The late holder of the first attempt posts: without the fence its statement finds the reservation open.
            await directory.Writer.SubmitAsync("post", t => ReservationTable.Post(t, build.ReservationId, second.Attempt, saved));
            facts.Disclose(file, units);
            return;
        }
        ReleaseRow posted = await directory.Ledger.PostAsync(build, saved);
        facts.Acknowledged.Add(posted.PostedAt!);
        facts.Disclose(file, units);
    }

    static async Task Refuse(DataDirectory directory, string mutant, Facts facts)
    {
        try
        {
            await directory.Ledger.ReserveAsync(Scratch.Request("people", "much", Scratch.Measurement(30)));
        }
        catch (StorageException e)
        {
            facts.Texts.Add(mutant == "count in an error text" ? $"{e.Message} ({directory.Datasets.Get("people").RecordCount} rows)" : e.Message);
        }
    }

    static async Task Recreate(DataDirectory directory)
    {
        await directory.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", "datasets/people"), "people", "", true, static _ => []);
        await directory.Writer.SubmitAsync("mutant", static t =>
        {
            // The tombstone forgets its account, as if accounts belonged to ids in use.
            t.Database.Execute("UPDATE datasets SET account_id = NULL WHERE id = 'people'");
            return 0;
        });
        await Scratch.Create(directory, "people", Scratch.Gaussian);
    }

    static List<string> Violations(Scratch scratch, Facts facts)
    {
        List<string> found = [];
        LedgerPosition? seen = Witness.ReadFile(scratch.FileOf("witness"));
        if (facts.Acknowledged.Any(p => seen is null || p.Sequence > seen.Sequence)) found.Add("a reply came before its witness");
        if (facts.Replies.Values.Any(static uids => uids.Count > 1)) found.Add("a request had two effects");
        if (facts.Texts.Any(static t => t.Contains("37", StringComparison.Ordinal))) found.Add("a text tells the number of rows");
        try
        {
            using DataDirectory directory = scratch.Open();
            AccountRow account = directory.Datasets.GetBudget("people")!;
            if (account.SpentUnits < facts.DisclosedUnits) found.Add("less is charged than was disclosed");
            foreach (ReleaseRow ready in directory.Releases.List("people", null, 9, [ReleaseState.Ready])) Scratch.Content(directory, ready);
            HashSet<string> posted = [.. directory.Read(ReleaseTable.All)
                .Where(static r => r.PostedAt is not null).Select(static r => Convert.ToHexString(r.Sha256.Span))];
            found.AddRange(facts.Disclosed.Where(d => !posted.Contains(Convert.ToHexString(d)))
                .Select(static _ => "a draw was read that is not posted"));
        }
        catch (StorageException e)
        {
            found.Add(e.Reason);
        }
        return found;
    }
}
