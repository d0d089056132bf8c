using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>What every ledger owes, whatever database holds it.</summary>
public abstract class LedgerBattery
{
    internal abstract Scratch NewScratch();

    /// <summary>Rounds of 256 callers.</summary>
    internal abstract int Races { get; }

    [Fact]
    public async Task Ten_spends_of_a_tenth_fit_and_the_eleventh_is_refused()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        long tenth = Units.OfEpsilon(0.1);
        for (int i = 0; i < 10; i++) await directory.Ledger.ReserveAsync(Scratch.Hold("people", $"r{i}", tenth));
        LedgerPosition before = directory.Ledger.Head;
        StorageException error = await Scratch.Refused(
            Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "r10", tenth)));
        Assert.Equal("6", error.Metadata["remaining"]);
        Assert.Equal("109951162777", error.Metadata["requested"]);
        Assert.True(Witness.Same(before, directory.Ledger.Head));
        Assert.Throws<StorageException>(() => directory.Releases.Get("people", "r10"));
    }

    [Fact]
    public async Task One_of_256_callers_gets_the_last_unit()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open(scratch.Options with { MaxDatasets = Races });
        for (int round = 0; round < Races; round++)
        {
            string dataset = $"people{round}";
            await Scratch.Create(directory, dataset, new(CostUnit.Epsilon, 1, 0));
            string[] outcomes = await Task.WhenAll(Enumerable.Range(0, 256).Select(i => Task.Run(() => Outcome(directory, dataset, i))));
            Assert.Single(outcomes, static o => o == "won");
            Assert.Equal(255, outcomes.Count(static o => o == Reasons.BudgetExhausted));
            Assert.Equal(1, directory.Datasets.GetBudget(dataset)!.ReservedUnits);
        }
    }

    [Fact]
    public async Task Many_commands_share_one_transaction()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        var groups = new HashSet<long>();
        int running = 0;
        // All commands of a group see one time, and the writer waits here until enough of them are queued.
        Task<int> gate = directory.Writer.SubmitAsync("gate", _ => SpinWait.SpinUntil(() => Volatile.Read(ref running) >= 100, 10_000) ? 1 : 0);
        Task<DateTimeOffset>[] times = [.. Enumerable.Range(0, 100).Select(_ => directory.Writer.SubmitAsync("read", static t => t.Time))];
        Volatile.Write(ref running, 100);
        Assert.Equal(1, await gate);
        foreach (DateTimeOffset time in await Task.WhenAll(times)) groups.Add(time.Ticks);
        Assert.InRange(groups.Count, 1, 2);
    }

    [Fact]
    public async Task A_reservation_answers_what_is_stored()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", Scratch.Rows(3, 1));
        Reservation first = await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement(0.1)));
        Reservation reply = await directory.Ledger.ReserveAsync(Scratch.Request("people", "s", Scratch.Measurement(0.2)));
        ReleaseRow stored = directory.Releases.Get("people", "s");
        Assert.Equal(stored.ToString(), reply.Release.ToString());
        Assert.Equal(stored.Spec.ToArray(), reply.Release.Spec.ToArray());
        Assert.True(Witness.Same(stored.ReservedAt, reply.Release.ReservedAt));
        Assert.Equal(directory.Releases.Get("people", "r").Row, first.Release.Row);
        Assert.Equal(directory.Operations.Get(reply.Operation.Uid), reply.Operation);
        Assert.Equal(directory.Datasets.GetBudget("people"), reply.Account);
        ReservationRow kept = directory.Read(d => ReservationTable.Get(d, reply.Build!.ReservationId));
        Assert.Equal(kept.ToString(), reply.Build!.Reservation.ToString());
        Assert.Equal(kept.SnapshotDigest.ToArray(), reply.Build.Reservation.SnapshotDigest.ToArray());
    }

    [Fact]
    public async Task A_repeated_request_has_one_effect_and_one_right_to_build()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        ReserveRequest request = Scratch.Hold("people", "r", 5);
        Reservation[] replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => directory.Ledger.ReserveAsync(request)));
        Assert.Single(replies, static r => r.Build is not null);
        Assert.Single(replies.Select(static r => r.Release.Uid).Distinct());
        Assert.Single(replies.Select(static r => r.Operation.Uid).Distinct());
        Assert.Equal(5, directory.Datasets.GetBudget("people")!.ReservedUnits);
        ReserveRequest other = request with { Call = Scratch.Call("CreateRelease", "datasets/people", request.Call.RequestId, "else") };
        await Scratch.Refused(Reasons.RequestIdReused, () => directory.Ledger.ReserveAsync(other));
    }

    /// <summary>Auditors read entries, and never whether there are rows or whether any came since the last release.</summary>
    [Fact]
    public async Task Entries_tell_neither_that_a_dataset_is_empty_nor_that_it_did_not_change()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        for (int i = 0; i < 3; i++) await directory.Ledger.ReserveAsync(Scratch.Hold("people", $"r{i}", 5));
        string[] digests = [.. directory.Ledger.ListEntries("people", 0, 100).Where(static e => e.Kind == LedgerEntryKind.Reserve)
            .Select(static e => Convert.ToHexString(e.Body.SnapshotDigest.Span))];
        Assert.Equal(3, digests.Distinct().Count());
        Assert.DoesNotContain(Convert.ToHexString(SHA256.HashData([])), digests);
    }

    [Fact]
    public async Task A_price_in_the_wrong_unit_or_a_taken_name_is_refused()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Refused(Reasons.BudgetKindMismatch, () => directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 1)));
        Measurement measurement = Scratch.Measurement(0.1);
        Reservation first = await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement));
        await Scratch.Refused(Reasons.ReleaseExists, () => directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement)));
        await Scratch.Refused(Reasons.ResourceNotFound, () => directory.Ledger.ReserveAsync(Scratch.Request("nobody", "r", measurement)));
        await directory.Ledger.VoidAsync(first.Build!, "CANCELLED", "cancelled");
        // Nothing of a failed build was disclosed, so its name may be asked for again.
        Reservation second = await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement));
        Assert.Equal(second.Release.Uid, directory.Releases.Get("people", "r").Uid);
    }

    [Fact]
    public async Task A_hold_is_returned_before_noise_and_never_after()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        Measurement measurement = Scratch.Measurement(0.1);
        Build cancelled = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "a", measurement))).Build!;
        Assert.True(cancelled.TryCancel());
        Assert.Throws<OperationCanceledException>(() => Scratch.Draw(cancelled, measurement));
        await directory.Ledger.VoidAsync(cancelled, "CANCELLED", "cancelled");
        Assert.Equal(0, directory.Datasets.GetBudget("people")!.ReservedUnits);
        Assert.Equal("CANCELLED", directory.Operations.Get(cancelled.Operation.Uid).ErrorReason);
        await Assert.ThrowsAsync<InvalidOperationException>(() => directory.Ledger.VoidAsync(cancelled, "CANCELLED", "again"));

        Build drawn = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "b", measurement))).Build!;
        byte[] file = ReleaseFile.Write(Scratch.Draw(drawn, measurement));
        Assert.False(drawn.TryCancel());
        await Assert.ThrowsAsync<InvalidOperationException>(() => directory.Ledger.VoidAsync(drawn, "CANCELLED", "too late"));
        await directory.Ledger.PostAsync(drawn, directory.Releases.Save(drawn, file));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => directory.Ledger.PostAsync(drawn, new(SHA256.HashData(file), file.Length)));
        Assert.Equal(drawn.Release.Cost.Units, directory.Datasets.GetBudget("people")!.SpentUnits);
    }

    [Fact]
    public async Task An_attempt_that_was_taken_over_before_its_noise_cannot_return_the_hold()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement(0.1);
        Build first = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        Build second = await directory.Ledger.RestartAsync(first);
        long held = directory.Datasets.GetBudget("people")!.ReservedUnits;
        Assert.True(held > 0);
        // The other attempt may have drawn its noise by now.
        await Assert.ThrowsAsync<InvalidOperationException>(() => directory.Ledger.VoidAsync(first, "FAILED", "given up"));
        Assert.Equal(held, directory.Datasets.GetBudget("people")!.ReservedUnits);
        Assert.Equal(ReleaseState.Ready, (await Scratch.Finish(directory, second, measurement)).State);
    }

    [Fact]
    public async Task A_build_whose_rows_are_no_longer_those_that_were_reserved_draws_nothing()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 2));
        Measurement measurement = Scratch.Measurement(0.1);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        await directory.Writer.SubmitAsync("test", static t => t.Database.Execute("DELETE FROM segments WHERE commit_no = 2"));
        Assert.Throws<StorageException>(() => Scratch.Draw(build, measurement));
        Assert.False(build.IsReleasing);
        Assert.Equal(76, Assert.Single(scratch.Exits).Code);
    }

    [Fact]
    public async Task An_attempt_that_was_superseded_cannot_post()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement(0.1);
        Build first = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        SavedRelease draw = directory.Releases.Save(first, ReleaseFile.Write(Scratch.Draw(first, measurement)));
        Build second = await directory.Ledger.RestartAsync(first);
        Assert.Equal(2, second.Receipt.Attempt);
        await Assert.ThrowsAsync<InvalidOperationException>(() => directory.Ledger.PostAsync(first, draw));
        ReleaseRow posted = await Scratch.Finish(directory, second, measurement);
        Assert.NotEqual(draw.Sha256.ToArray(), posted.Sha256.ToArray());
        Assert.Single(directory.Ledger.ListEntries(null, 0, 100), static e => e.Kind == LedgerEntryKind.Post);
    }

    [Fact]
    public async Task Every_entry_hashes_to_its_position_and_names_the_one_before()
    {
        using Scratch scratch = NewScratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        await Scratch.Create(directory, "others", Scratch.Pure);
        for (int i = 0; i < 5; i++) await directory.Ledger.ReserveAsync(Scratch.Hold("people", $"r{i}", 1));
        IReadOnlyList<LedgerRow> entries = directory.Ledger.ListEntries(null, 0, 100);
        var previous = new byte[32];
        for (int i = 0; i < entries.Count; i++)
        {
            Assert.Equal(i + 1, entries[i].Position.Sequence);
            Assert.Equal(previous, entries[i].PreviousHash.ToArray());
            previous = SHA256.HashData(entries[i].Canonical.Span);
            Assert.Equal(previous, entries[i].Position.Hash.ToArray());
        }
        Assert.Equal(previous, directory.Ledger.Head.Hash.ToArray());
        Assert.Equal(7, directory.Ledger.ListEntries("people", 0, 100).Count);
        Assert.Equal([4, 5], directory.Ledger.ListEntries(null, 3, 2).Select(static e => (int)e.Position.Sequence));
    }

    [Fact]
    public async Task A_certificate_is_genuine_only_as_it_was_signed()
    {
        using Scratch scratch = NewScratch();
        LedgerCertificate certificate;
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Pure);
            certificate = directory.Ledger.Certify(directory.Ledger.Head);
        }
        using DataDirectory again = scratch.Open();
        Assert.True(again.Ledger.IsGenuine(certificate));
        LedgerPosition at = certificate.Position;
        Assert.False(again.Ledger.IsGenuine(certificate with { Position = at with { Sequence = at.Sequence + 1 } }));
        Assert.False(again.Ledger.IsGenuine(certificate with { Mac = new byte[32] }));
        using Scratch other = NewScratch();
        using DataDirectory foreign = other.Open();
        Assert.False(foreign.Ledger.IsGenuine(certificate));
    }

    [Fact]
    public async Task A_release_survives_a_restart_byte_for_byte()
    {
        using Scratch scratch = NewScratch();
        Measurement measurement = Scratch.Measurement();
        byte[] before;
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            await Scratch.Ingest(directory, "people", Scratch.Rows(100, 1), Scratch.Rows(50, 2));
            Reservation reservation = await directory.Ledger.ReserveAsync(Scratch.Request("people", "first", measurement));
            ReleaseRow release = await Scratch.Finish(directory, reservation.Build!, measurement);
            Assert.Equal(ReleaseState.Ready, release.State);
            before = Scratch.Content(directory, release);
        }
        using DataDirectory again = scratch.Open();
        ReleaseRow same = again.Releases.Get("people", "first");
        Assert.Equal(before, Scratch.Content(again, same));
        Assert.Equal(150, again.Datasets.Get("people").RecordCount);
        AccountRow account = again.Datasets.GetBudget("people")!;
        Assert.Equal((same.Cost.Units, 0), (account.SpentUnits, account.ReservedUnits));
        Assert.Equal(
            [LedgerEntryKind.Open, LedgerEntryKind.Dataset, LedgerEntryKind.Reserve, LedgerEntryKind.Post],
            again.Ledger.ListEntries("people", 0, 10).Select(static e => e.Kind));
        Assert.True(again.Operations.Get(same.OperationUid).Done);
        Assert.Empty(again.TakeInterruptedBuilds());
    }

    internal static async Task<string> Outcome(DataDirectory directory, string dataset, int caller)
    {
        try
        {
            await directory.Ledger.ReserveAsync(Scratch.Hold(dataset, $"r{caller}", 1));
            return "won";
        }
        catch (StorageException e)
        {
            return e.Reason;
        }
    }
}
