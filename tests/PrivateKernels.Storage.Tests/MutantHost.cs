using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>
/// Lives through a ledger with one step of the protocol broken, by name: steps in a wrong order, one SQL text, one price function
/// or one error text replaced. Then says what of it the product and its promises let one notice.
/// Run by hand with the arguments <c>--mutant NAME SEED</c>.
/// </summary>
sealed class MutantHost(string mutant, ulong seed)
{
    readonly PublicRandom _random = new(seed);
    readonly List<LedgerPosition> _acknowledged = [];
    readonly List<byte[]> _disclosed = [];
    readonly Dictionary<string, HashSet<string>> _replies = [];
    readonly List<string> _violations = [];
    long _disclosedUnits;
    int _rows;
    byte[] _witness = [];

    /// <summary>What is noticed of each; of none, nothing.</summary>
    internal static IReadOnlyDictionary<string, string> Noticed { get; } = new Dictionary<string, string>
    {
        ["none"] = "",
        ["reserve after build"] = "less is charged than was disclosed",
        ["two draws for one reservation"] = "a draw was read that is not posted",
        ["void after draw"] = "less is charged than was disclosed",
        ["witness after reply"] = "a reply came before its witness",
        ["float budget"] = "a spend was refused although what was asked fits",
        ["account per dataset id"] = Reasons.LedgerCorrupt,
        ["retry that redraws"] = "a request had two effects",
        ["post without attempt fence"] = Reasons.FileCorrupt,
        ["void without attempt fence"] = "a hold was returned although there was a draw",
        ["count in an error text"] = "a text tells the number of rows",
    };

    internal static async Task<int> Run(string mutant, string seed)
    {
        List<string> violations = await new MutantHost(mutant, ulong.Parse(seed, CultureInfo.InvariantCulture)).RunAsync();
        violations.ForEach(Console.WriteLine);
        return violations.Count > 0 ? 1 : 0;
    }

    internal async Task<List<string>> RunAsync()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open())
        {
            await SpendTenths(directory);
            await Live(directory, scratch);
        }
        if (mutant == "witness after reply") File.WriteAllBytes(scratch.FileOf("witness"), _witness);
        Check(scratch);
        return _violations;
    }

    /// <summary>A budget of n tenths, spent in tenths: the n-th fits, the next one does not.</summary>
    async Task SpendTenths(DataDirectory directory)
    {
        int n = 1 + _random.NextBelow(10);
        static double Tenths(int tenths) => double.Parse($"{tenths}e-1", CultureInfo.InvariantCulture);
        // The price in doubles, rounded to the nearest unit: as good a price as any, were budgets not exact.
        long Price(double epsilon) => mutant == "float budget" ? (long)Math.Round(epsilon * (1L << 40)) : Units.OfEpsilon(epsilon);
        await Scratch.Create(directory, "tenths", new(CostUnit.Epsilon, Units.OfEpsilon(Tenths(n)), 0));
        for (int i = 1; i <= n + 1; i++)
        {
            try
            {
                await directory.Ledger.ReserveAsync(Scratch.Hold("tenths", $"t{i}", Price(0.1)));
                if (i > n) _violations.Add("a spend was admitted beyond the budget");
            }
            catch (StorageException e) when (e.Reason == Reasons.BudgetExhausted)
            {
                if (i <= n) _violations.Add("a spend was refused although what was asked fits");
            }
        }
        BigInteger held = directory.Datasets.GetBudget("tenths")!.ReservedUnits;
        if (10 * held > n * (BigInteger.One << 40)) _violations.Add("more is held than was asked");
    }

    async Task Live(DataDirectory directory, Scratch scratch)
    {
        _rows = 1_000 + _random.NextBelow(9_000);
        await Scratch.Create(directory, "people", Scratch.Gaussian, population: "patients");
        await Scratch.Ingest(directory, "people", Scratch.Rows(_rows, seed));
        Measurement measurement = Scratch.Measurement(0.1 + 0.01 * _random.NextBelow(20));
        if (mutant == "reserve after build")
        {
            // The draw is out before anything is charged, and the process ends in between.
            using var elsewhere = new Scratch();
            using DataDirectory other = elsewhere.Open();
            await Scratch.Create(other, "people", Scratch.Gaussian);
            Build unpaid = (await other.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
            Disclose(ReleaseFile.Write(Scratch.Draw(unpaid, measurement)), measurement.Cost(CostUnit.MuSquared).Units);
            return;
        }
        _witness = LedgerTests.ReadShared(scratch.FileOf("witness"));
        ReserveRequest request = Scratch.Request("people", "r", measurement);
        Reservation reservation = await directory.Ledger.ReserveAsync(request);
        Reply(request, reservation);
        if (mutant == "retry that redraws")
            await directory.Writer.SubmitAsync("mutant", static t =>
            {
                // The reservation forgets whose call it was, so that the retry finds none.
                t.Database.Execute("UPDATE reservations SET request_id = 'forgotten' WHERE parent = 'datasets/people'");
                return 0;
            });
        // The same call comes again, as from a caller who named no release: the server would name another one.
        Reply(request, await directory.Ledger.ReserveAsync(request with { ReleaseId = "r-again" }));
        await Draw(directory, measurement, reservation.Build!);
        await TakeOver(directory, measurement);
        await Fail(directory, scratch);
        if (mutant == "account per dataset id") await Recreate(directory);
    }

    async Task Draw(DataDirectory directory, Measurement measurement, Build build)
    {
        long units = build.Release.Cost.Units;
        byte[] file = ReleaseFile.Write(Scratch.Draw(build, measurement));
        SavedRelease saved = directory.Releases.Save(build, file);
        if (mutant == "void after draw")
        {
            Disclose(file, units);
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
                Disclose(other, units);
                // The first draw was read all the same.
                Disclose(file, 0);
                return;
            }
            // The late holder of the first attempt posts: without the fence its statement finds the reservation open.
            await directory.Writer.SubmitAsync("post", t => ReservationTable.Post(t, build.ReservationId, second.Attempt, saved));
            Disclose(file, units);
            return;
        }
        ReleaseRow posted = await directory.Ledger.PostAsync(build, saved);
        _acknowledged.Add(posted.PostedAt!);
        Disclose(file, units);
    }

    /// <summary>A build is taken over and drawn; then the holder of the first attempt would return the hold.</summary>
    async Task TakeOver(DataDirectory directory, Measurement measurement)
    {
        Build first = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "taken-over", measurement))).Build!;
        Build second = await directory.Ledger.RestartAsync(first);
        byte[] file = ReleaseFile.Write(Scratch.Draw(second, measurement));
        SavedRelease saved = directory.Releases.Save(second, file);
        int fence = mutant == "void without attempt fence" ? second.Attempt : first.Attempt;
        try
        {
            await directory.Writer.SubmitAsync("void", t => ReservationTable.Void(t, first.ReservationId, fence, "CANCELLED", "cancelled"));
            _violations.Add("a hold was returned although there was a draw");
        }
        catch (InvalidOperationException)
        {
            await directory.Ledger.PostAsync(second, saved);
            Disclose(file, second.Release.Cost.Units);
        }
    }

    /// <summary>A build over a damaged segment: its hold is returned, and why is kept with its operation.</summary>
    async Task Fail(DataDirectory directory, Scratch scratch)
    {
        string segment = Directory.GetFiles(scratch.FileOf("datasets"), "*.seg", SearchOption.AllDirectories).Single();
        byte[] whole = File.ReadAllBytes(segment);
        File.WriteAllBytes(segment, whole[..^1]);
        Measurement measurement = Scratch.Measurement(0.1);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "failing", measurement))).Build!;
        var e = Assert.Throws<StorageException>(() => Scratch.Draw(build, measurement));
        string text = mutant == "count in an error text" ? $"{directory.Datasets.Get("people").RecordCount} rows cannot be read." : e.Message;
        await directory.Ledger.VoidAsync(build, e.Reason, text);
        File.WriteAllBytes(segment, whole);
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

    void Check(Scratch scratch)
    {
        LedgerPosition? seen = Witness.Look(scratch.FileOf("witness")).Position;
        if (_acknowledged.Any(p => seen is null || p.Sequence > seen.Sequence)) _violations.Add("a reply came before its witness");
        if (_replies.Values.Any(static uids => uids.Count > 1)) _violations.Add("a request had two effects");
        try
        {
            using DataDirectory directory = scratch.Open();
            AccountRow account = directory.Datasets.GetBudget("people")!;
            if (account.SpentUnits < _disclosedUnits) _violations.Add("less is charged than was disclosed");
            if (Texts(directory).Any(t => t.Contains($"{_rows}", StringComparison.Ordinal))) _violations.Add("a text tells the number of rows");
            foreach (ReleaseRow ready in directory.Releases.List("people", null, 9, [ReleaseState.Ready])) Scratch.Content(directory, ready);
            HashSet<string> posted = [.. directory.Read(ReleaseTable.All)
                .Where(static r => r.PostedAt is not null).Select(static r => Convert.ToHexString(r.Sha256.Span))];
            _violations.AddRange(_disclosed.Where(d => !posted.Contains(Convert.ToHexString(d)))
                .Select(static _ => "a draw was read that is not posted"));
        }
        catch (StorageException e)
        {
            _violations.Add(e.Reason);
        }
    }

    /// <summary>What anybody is told about failures: kept with operations, and said of a spend beyond the budget.</summary>
    static List<string> Texts(DataDirectory directory)
    {
        List<string> texts = [.. directory.Read(ReleaseTable.All).Select(r => directory.Operations.Get(r.OperationUid).ErrorMessage)];
        ReserveRequest much = Scratch.Request("people", "much", Scratch.Measurement(30));
        texts.Add(Assert.Throws<StorageException>(() => directory.Ledger.ReserveAsync(much).GetAwaiter().GetResult()).Message);
        return texts;
    }

    void Reply(ReserveRequest request, Reservation reservation)
    {
        _acknowledged.Add(reservation.Release.ReservedAt);
        if (!_replies.TryGetValue(request.Call.RequestId, out HashSet<string>? uids)) _replies[request.Call.RequestId] = uids = [];
        uids.Add(reservation.Release.Uid);
    }

    void Disclose(byte[] file, long units)
    {
        _disclosed.Add(SHA256.HashData(file));
        _disclosedUnits += units;
    }
}
