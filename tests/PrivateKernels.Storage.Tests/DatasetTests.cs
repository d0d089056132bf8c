namespace PrivateKernels.Tests;

public sealed class DatasetTests
{
    [Fact]
    public async Task Deleting_and_creating_again_gives_no_fresh_budget()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian, population: "patients");
        await Scratch.Ingest(directory, "people", Scratch.Rows(10, 1));
        Measurement measurement = Scratch.Measurement(0.5);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        ReleaseRow release = await Scratch.Finish(directory, build, measurement);

        await Scratch.Refused(Reasons.DatasetHasReleases, () => Delete(directory, "people", force: false));
        await Delete(directory, "people", force: true);
        Assert.Equal(ReleaseState.Deleted, directory.Releases.Get("people", "r").State);
        Assert.Empty(Directory.GetFiles(scratch.FileOf("releases")));
        Assert.Empty(Directory.GetDirectories(scratch.FileOf("datasets")));
        await Scratch.Refused(Reasons.DatasetDeleted, () => directory.Datasets.OpenUploadAsync("people", Guid.NewGuid().ToString()));

        StorageException error = await Scratch.Refused(
            Reasons.AccountMismatch, () => Scratch.Create(directory, "people", Scratch.Gaussian, population: "fresh"));
        Assert.Equal("population", error.Metadata["field"]);
        await Scratch.Create(directory, "people", null);
        Assert.Equal(release.Cost.Units, directory.Datasets.GetBudget("people")!.SpentUnits);
        Assert.Equal("patients", directory.Datasets.Get("people").Population);
        // The name of a release stays taken, too.
        await Scratch.Refused(Reasons.ReleaseExists, () => directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement)));
        Assert.Equal(2, directory.Datasets.List(null, 10, showDeleted: true).Count);
        Assert.Single(directory.Datasets.List(null, 10, showDeleted: false));
    }

    [Fact]
    public async Task Datasets_of_one_population_pay_from_one_account()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "visits", Scratch.Pure, population: "patients");
        await Scratch.Create(directory, "scans", null, population: "patients");
        await directory.Ledger.ReserveAsync(Scratch.Hold("visits", "r", Scratch.Pure.LimitUnits - 1));
        await Scratch.Refused(Reasons.BudgetExhausted, () => directory.Ledger.ReserveAsync(Scratch.Hold("scans", "r", 2)));
        await directory.Ledger.ReserveAsync(Scratch.Hold("scans", "r", 1));

        await Scratch.Refused(
            Reasons.AccountMismatch, () => Scratch.Create(directory, "more", Scratch.Pure with { LimitUnits = 1 }, population: "patients"));
        DatasetDefinition replace = new(
            DatasetKind.Private, Scratch.Definition.Domain, Adjacency.ReplaceOne, 1, 0, [], OutOfDomainPolicy.Clamp);
        StorageException error = await Scratch.Refused(
            Reasons.AccountMismatch, () => Scratch.Create(directory, "more", null, population: "patients", definition: replace));
        Assert.Equal("adjacency", error.Metadata["field"]);
        await Assert.ThrowsAsync<InvalidFieldException>(() => Scratch.Create(directory, "alone", null));
    }

    [Fact]
    public async Task A_repeated_call_gets_its_first_reply_and_another_body_is_refused()
    {
        using var scratch = new Scratch();
        Call call = Scratch.Call("CreateDataset", "");
        byte[] first;
        using (DataDirectory directory = scratch.Open()) first = await Scratch.Create(directory, "people", Scratch.Pure, call: call);
        using DataDirectory again = scratch.Open();
        Assert.Equal(first, await Scratch.Create(again, "people", Scratch.Pure, call: call));
        await Scratch.Refused(Reasons.DatasetExists, () => Scratch.Create(again, "people", Scratch.Pure));
        await Scratch.Refused(
            Reasons.RequestIdReused,
            () => Scratch.Create(again, "people", Scratch.Pure, call: Scratch.Call("CreateDataset", "", call.RequestId, "else")));
    }

    [Fact]
    public async Task A_limit_moves_by_an_entry_and_not_below_what_is_used()
    {
        using var scratch = new Scratch();
        using (DataDirectory directory = scratch.Open())
        {
            await Scratch.Create(directory, "people", Scratch.Pure);
            await directory.Ledger.ReserveAsync(Scratch.Hold("people", "r", 100));
            await Scratch.Refused(Reasons.LimitBelowUsed, () => SetLimit(directory, 99, CostUnit.Epsilon));
            await Scratch.Refused(Reasons.AccountMismatch, () => SetLimit(directory, 1000, CostUnit.MuSquared));
            await SetLimit(directory, 100, CostUnit.Epsilon);
        }
        using DataDirectory again = scratch.Open();
        Assert.Equal(0, again.Datasets.GetBudget("people")!.RemainingUnits);
        LedgerRow entry = again.Ledger.ListEntries("people", 0, 100)[^1];
        Assert.Equal((LedgerEntryKind.Limit, 100, "less"), (entry.Kind, entry.Units, entry.Body.Reason));
    }

    [Fact]
    public async Task Texts_change_under_an_etag_and_a_stale_one_is_refused()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Pure);
        string etag = directory.Datasets.Get("people").Etag;
        await Update(directory, etag, "People");
        StorageException error = await Scratch.Refused(Reasons.EtagMismatch, () => Update(directory, etag, "Folk"));
        Assert.Equal(directory.Datasets.Get("people").Etag, error.Metadata["etag"]);
        Assert.Equal("People", directory.Datasets.Get("people").DisplayName);
    }

    [Fact]
    public async Task A_build_under_way_keeps_its_dataset()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        StorageException error = await Scratch.Refused(Reasons.ReleaseNotReady, () => Delete(directory, "people", force: true));
        Assert.Equal(build.Operation.Name, error.Metadata["operation"]);
        await directory.Ledger.VoidAsync(build, "CANCELLED", "cancelled");
        await Delete(directory, "people", force: true);
        Assert.Equal(0, directory.Datasets.GetBudget("people")!.ReservedUnits);
    }

    [Fact]
    public async Task A_deleted_release_keeps_its_spend_and_loses_its_file()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        Measurement measurement = Scratch.Measurement();
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", measurement))).Build!;
        ReleaseRow release = await Scratch.Finish(directory, build, measurement);
        Call call = Scratch.Call("DeleteRelease", release.Name);
        await directory.Releases.DeleteAsync(call, "people", "r", release.Etag, static _ => [1]);
        Assert.Equal([1], await directory.Releases.DeleteAsync(call, "people", "r", release.Etag, static _ => [2]));
        Assert.Empty(Directory.GetFiles(scratch.FileOf("releases")));
        Assert.Equal(release.Cost.Units, directory.Datasets.GetBudget("people")!.SpentUnits);
        StorageException error = Assert.Throws<StorageException>(() => directory.Releases.OpenFile(directory.Releases.Get("people", "r")));
        Assert.Equal(Reasons.ReleaseNotReady, error.Reason);
        await directory.Operations.DeleteAsync(release.OperationUid);
        Assert.Throws<StorageException>(() => directory.Operations.Get(release.OperationUid));
    }

    [Fact]
    public async Task Public_rows_can_be_read_and_private_ones_cannot()
    {
        using var scratch = new Scratch();
        using DataDirectory directory = scratch.Open();
        DatasetDefinition open = new(
            DatasetKind.Public, new Domain(Scratch.Dimension), Adjacency.AddOrRemoveOne, 1, 0, [], OutOfDomainPolicy.Refuse);
        await Scratch.Create(directory, "queries", null, definition: open);
        float[] rows = Scratch.Rows(10, 1);
        await Scratch.Ingest(directory, "queries", rows);
        Assert.Equal(rows, directory.Datasets.ReadPublic("queries").SelectMany(static r => r.Values.ToArray()));
        Assert.Null(directory.Datasets.GetBudget("queries"));
        await Scratch.Create(directory, "people", Scratch.Pure);
        Assert.Equal(Reasons.NotPublic, Assert.Throws<StorageException>(() => directory.Datasets.ReadPublic("people")).Reason);
        await Scratch.Refused(Reasons.AccountMismatch, () => directory.Ledger.ReserveAsync(Scratch.Hold("queries", "r", 1)));
    }

    static Task<byte[]> Delete(DataDirectory directory, string id, bool force) =>
        directory.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", $"datasets/{id}"), id, "", force, static _ => []);

    static Task<byte[]> SetLimit(DataDirectory directory, long units, CostUnit unit) => directory.Datasets.UpdateBudgetAsync(
        Scratch.Call("UpdateBudget", "datasets/people"), "people", new(unit, units, 0), "less", static _ => []);

    static Task<byte[]> Update(DataDirectory directory, string etag, string name) => directory.Datasets.UpdateAsync(
        Scratch.Call("UpdateDataset", "datasets/people"), "people", etag, name, null, static _ => []);
}
