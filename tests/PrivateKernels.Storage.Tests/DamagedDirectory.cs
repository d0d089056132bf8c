using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>
/// A directory as a killed server leaves it: some commits in the database's file, later ones in its log only, a witness,
/// segments and releases. One file of it is damaged at a time, and the whole put back afterwards.
/// </summary>
sealed class DamagedDirectory : IDisposable
{
    internal const string Database = "pk.db", Log = "pk.db-wal", WitnessFile = "witness";

    const string FileRefused = Reasons.FileCorrupt;

    readonly Scratch _scratch = Scratch.InMemory();
    readonly Dictionary<string, byte[]> _files = [];
    readonly Kept _kept;
    readonly Dictionary<long, Outcome> _witnessed = [];
    DataDirectory? _open;

    DamagedDirectory(Kept kept, Dictionary<string, byte[]> files) => (_kept, _files) = (kept, files);

    /// <summary>What no damage may change without a refusal.</summary>
    /// <param name="Account">Limit, spent and held units.</param>
    /// <param name="Spends">Every release: price, noise, state, SHA-256.</param>
    /// <param name="Definition">What was declared of the dataset.</param>
    /// <param name="Rows">SHA-256 of all rows, or FILE_CORRUPT.</param>
    /// <param name="Content">SHA-256 of all release files, or FILE_CORRUPT.</param>
    sealed record Kept(AccountRow Account, string Spends, string Definition, string Rows, string Content);

    internal enum Outcome
    {
        Same,
        Refused,
    }

    internal string Release => _files.Keys.First(static f => f.EndsWith(".pkr", StringComparison.Ordinal));

    internal string Segment => _files.Keys.First(static f => f.EndsWith(".seg", StringComparison.Ordinal));

    internal byte[] Whole(string file) => _files[file];

    /// <summary>Numbers of the first pages of tables and indexes.</summary>
    internal long[] RootPages()
    {
        Restore();
        using var session = new SqliteSession(_scratch.FileOf(Database), writes: false);
        return [.. session.Query("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0", static r => r.GetInt64(0))];
    }

    /// <param name="pageBytes">Of the database; small pages leave little slack to damage.</param>
    internal static async Task<DamagedDirectory> MakeAsync(int pageBytes = 4096)
    {
        using Scratch scratch = Scratch.InMemory();
        using (var empty = new SqliteSession(scratch.FileOf(Database), writes: true))
        {
            empty.Execute($"PRAGMA page_size = {pageBytes}");
            empty.Text("PRAGMA journal_mode = delete");
            empty.Execute("VACUUM");
        }
        using (DataDirectory early = scratch.Open())
        {
            await Scratch.Create(early, "people", Scratch.Gaussian);
            await Spend(early, "early", 0.5, Scratch.Rows(10, 1));
        }
        using DataDirectory directory = scratch.Open();
        await Spend(directory, "late", 0.3, Scratch.Rows(7, 2));
        Kept kept = Look(directory);
        Dictionary<string, byte[]> files = Directory.GetFiles(scratch.Path, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(scratch.Path, f)).Where(static f => f is not ("pk.db-shm" or "lock"))
            .ToDictionary(static f => f, f => LedgerTests.ReadShared(scratch.FileOf(f)));
        return new(kept, files);
    }

    /// <summary>
    /// Starts on the directory with one file damaged. What was spent, declared and drawn must be the same, or the start be
    /// refused by name; rows and releases must be the same, or be refused when they are read.
    /// </summary>
    internal Outcome Start(string file, ReadOnlySpan<byte> damaged)
    {
        Restore();
        File.WriteAllBytes(_scratch.FileOf(file), damaged);
        try
        {
            using DataDirectory directory = _scratch.Open();
            return Judge(Look(directory));
        }
        catch (StorageException e)
        {
            Assert.Empty(_scratch.Exits);
            Assert.Contains(e.Reason, (string[])[Reasons.LedgerCorrupt, Reasons.LedgerBehind]);
            return Outcome.Refused;
        }
    }

    /// <summary>The same for the witness, of which a start knows what is read of it and no more.</summary>
    internal Outcome Witnessed(ReadOnlySpan<byte> damaged)
    {
        File.WriteAllBytes(_scratch.FileOf(WitnessFile), damaged);
        LedgerPosition? seen = Witness.Look(_scratch.FileOf(WitnessFile)).Position;
        if (seen is null || !_witnessed.TryGetValue(seen.Sequence, out Outcome outcome))
        {
            outcome = Start(WitnessFile, damaged);
            if (seen is not null) _witnessed[seen.Sequence] = outcome;
        }
        return outcome;
    }

    /// <summary>The same for a file that a server reads when it is asked for it, in one start for all.</summary>
    internal Outcome Read(string file, ReadOnlySpan<byte> damaged)
    {
        if (_open is null) Restore();
        _open ??= _scratch.Open();
        File.WriteAllBytes(_scratch.FileOf(file), damaged);
        Outcome outcome = Judge(Look(_open));
        File.WriteAllBytes(_scratch.FileOf(file), _files[file]);
        return outcome;
    }

    public void Dispose()
    {
        _open?.Dispose();
        _scratch.Dispose();
    }

    Outcome Judge(Kept seen)
    {
        Assert.Empty(_scratch.Exits);
        Assert.Equal(
            _kept, seen with
            {
                Rows = seen.Rows == FileRefused ? _kept.Rows : seen.Rows,
                Content = seen.Content == FileRefused ? _kept.Content : seen.Content,
            });
        return seen == _kept ? Outcome.Same : Outcome.Refused;
    }

    void Restore()
    {
        foreach (string path in Directory.GetFiles(_scratch.Path, "*", SearchOption.AllDirectories))
            if (!_files.ContainsKey(Path.GetRelativePath(_scratch.Path, path))) File.Delete(path);
        foreach ((string file, byte[] bytes) in _files)
        {
            string path = _scratch.FileOf(file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, bytes);
        }
    }

    static async Task Spend(DataDirectory directory, string release, double mu, float[] rows)
    {
        await Scratch.Ingest(directory, "people", rows);
        Measurement measurement = Scratch.Measurement(mu);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", release, measurement))).Build!;
        await Scratch.Finish(directory, build, measurement);
    }

    static Kept Look(DataDirectory directory)
    {
        DatasetRow dataset = directory.Datasets.Get("people");
        List<ReleaseRow> releases = directory.Read(ReleaseTable.All);
        return new(
            directory.Datasets.GetBudget("people")!,
            string.Join('\n', releases.Select(static r =>
                $"{r.Uid} {r.Cost} {r.Mechanism} {r.NoiseScale:R} {r.Sensitivity:R} {r.State} {Convert.ToHexString(r.Sha256.Span)}")),
            Convert.ToHexString(dataset.Definition.ToBytes()),
            Hash(() => directory.ReadRows(dataset, directory.Read(d => DatasetTable.Segments(d, dataset.Uid)), static _ => { })
                .SelectMany(static r => MemoryMarshal.AsBytes(r.Values.Span).ToArray())),
            Hash(() => releases.SelectMany(r =>
            {
                directory.Releases.Forget(r);
                return Scratch.Content(directory, r);
            })));
    }

    static string Hash(Func<IEnumerable<byte>> read)
    {
        try
        {
            return Convert.ToHexString(SHA256.HashData(read().ToArray()));
        }
        catch (StorageException e) when (e.Reason == FileRefused)
        {
            return FileRefused;
        }
    }
}
