using System.Collections.Concurrent;
using System.Data.Common;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>
/// A data directory, held by one process: datasets as segment files, the ledger and the catalog in SQLite, releases as files.
/// </summary>
public sealed class DataDirectory : IDisposable
{
    readonly string _path;
    readonly FileStream _lock;
    readonly IWitness _witness;
    readonly Dialect _dialect;
    readonly DatabaseSession _database;
    readonly ConcurrentBag<DatabaseSession> _readers = [];
    IReadOnlyList<Build> _interrupted = [];
    bool _isOpen;

    DataDirectory(
        string path, StorageOptions options, FileStream lockFile, Dialect dialect, DatabaseSession database, IWitness witness,
        LedgerIdentity identity)
    {
        (_path, Options, _lock, _dialect, _database, _witness) = (path, options, lockFile, dialect, database, witness);
        Writer = new(dialect, database, witness, identity.Head, options);
        Replica = new(this, dialect);
        Ledger = new(this, identity.MacKey);
        Datasets = new(this);
        Releases = new(this);
        Operations = new(this);
        Jobs = new(this);
        Import = new(this, identity);
    }

    public DatasetStore Datasets { get; }

    public Ledger Ledger { get; }

    public ReleaseStore Releases { get; }

    public OperationStore Operations { get; }

    public JobStore Jobs { get; }

    internal ReleaseImport Import { get; }

    internal StorageOptions Options { get; }

    internal LedgerWriter Writer { get; }

    internal Replica Replica { get; }

    /// <summary>
    /// Takes the lock, opens and verifies the ledger against itself, its witness and its releases, and finishes what a
    /// crash left undone. Throws <see cref="StorageException"/> with DIRECTORY_LOCKED, LEDGER_BEHIND, LEDGER_CORRUPT or
    /// ENCRYPTION_KEY_WRONG.
    /// </summary>
    public static DataDirectory Open(string path, StorageOptions options)
    {
        path = Path.GetFullPath(path);
        bool isNew = Disk.MakeDirectory(path);
        if (NetworkDisk.Holds(path))
            throw new InvalidFieldException("data.directory", path, "must be on a local disk, not on a network file system");
        foreach (string part in Parts) Disk.MakeDirectory(Path.Combine(path, part));
        FileStream lockFile = TakeLock(path);
        Dialect dialect = DialectOf(path, options);
        DatabaseSession? database = null;
        IWitness? witness = null;
        DataDirectory? directory = null;
        try
        {
            if (isNew) Disk.SyncDirectory(Path.GetDirectoryName(path)!);
            witness = options.WitnessConnectionString is { } elsewhere
                ? new WitnessRow(elsewhere, options.AllowInsecureWitness)
                : new Witness(options.WitnessPath ?? WitnessPath(path));
            database = dialect.Connect(writes: true);
            Disk.SyncDirectory(path);
            if (!dialect.TryHold(database, alone: false))
                throw new StorageException(Reasons.DirectoryLocked, "The ledger is being restored; no server starts until that is done.");
            LedgerIdentity identity = LedgerCheck.Open(dialect, database, witness);
            KeyTable.Check(database, options.EncryptionKey);
            directory = new DataDirectory(path, options, lockFile, dialect, database, witness, identity);
            directory._interrupted = LedgerCheck.Parsing(new Recovery(directory).Run);
            directory._isOpen = true;
            return directory;
        }
        catch (Exception e)
        {
            directory?.CloseSessions();
            database?.Dispose();
            witness?.Dispose();
            lockFile.Dispose();
            if (PostgresDialect.Refused(e) is { } refused) throw refused;
            if (e is IOException || (e is DbException disk && dialect.IsDiskError(disk)))
                options.FatalExit(74, "A durable step failed while the data directory was opened.", e);
            if (e is DbException or InvalidDataException)
                throw new StorageException(Reasons.LedgerCorrupt, "The ledger cannot be read; it needs a restore.", null, e);
            throw;
        }
    }

    /// <summary>
    /// Builds that a crash or a shutdown interrupted, each with its next attempt. Empty when asked again: there is one
    /// right to build for each.
    /// </summary>
    public IReadOnlyList<Build> TakeInterruptedBuilds() => Interlocked.Exchange(ref _interrupted, []);

    /// <summary>
    /// Whether the role by which this server uses PostgreSQL could change entries of the ledger (<see cref="LedgerRole"/>);
    /// null where the ledger is a file.
    /// </summary>
    public bool? CanRewriteLedger => Read(_dialect.CanRewrite);

    /// <summary>Whether rows that come are encrypted.</summary>
    public bool HasKey => Options.EncryptionKey is not null;

    /// <summary>
    /// Where servers share a ledger: a sign of life for the builds that are here, and the right to those of a server that
    /// is gone. To be called every <see cref="PostgresOptions.LeaseSeconds"/> / 3. Nothing otherwise.
    /// </summary>
    public Task<IReadOnlyList<Build>> KeepBuildsAsync() => Replica.KeepBuildsAsync();

    /// <summary>Names of the datasets that have rows in the clear, because there was no key when they came.</summary>
    public IReadOnlyList<string> DatasetsInClear() => Read(DatasetTable.InClear);

    /// <summary>
    /// Wraps the data key of every dataset with <paramref name="next"/>, in one transaction, and returns how many there were;
    /// from then on only <paramref name="next"/> opens the directory. Rows are not touched. Other servers of a ledger answer
    /// ENCRYPTION_KEY_WRONG where they need the old key, until they are restarted with the new one.
    /// </summary>
    public async Task<int> RotateKeyAsync(EncryptionKey next)
    {
        int count = await Writer.SubmitAsync(
            "rotate", t => Options.EncryptionKey is { } key ? KeyTable.Rotate(t, key, next) : 0).ConfigureAwait(false);
        ForgetDeletedPages();
        return count;
    }

    /// <summary>Whether the writer has turned within <paramref name="time"/>: a live process.</summary>
    public bool IsTurning(TimeSpan time) => Writer.IsTurning(time);

    /// <summary>Time since the witness was written, or read at the start.</summary>
    public TimeSpan WitnessAge => Writer.WitnessAge;

    /// <summary>Discards expired uploads, request ids and ended operations. To be called every hour or so.</summary>
    public async Task ExpireAsync()
    {
        await Datasets.ExpireUploadsAsync().ConfigureAwait(false);
        Replica.DeleteLeftovers();
        await Jobs.ExpireAsync().ConfigureAwait(false);
        await Writer.SubmitAsync("expire", t =>
        {
            t.Database.Execute("DELETE FROM operations WHERE ended_s < $1", t.Time - Options.OperationRetention);
            return t.Database.Execute("DELETE FROM idempotency WHERE at_s < $1", t.Time - Options.RequestIdRetention);
        }).ConfigureAwait(false);
    }

    /// <summary>Waits for the writer, checkpoints the write-ahead log, and gives the lock back.</summary>
    public void Dispose()
    {
        CloseSessions();
        Failpoint.Hit("checkpoint.during");
        if (!Writer.HasFailed) Settle(_database);
        _database.Dispose();
        _witness.Dispose();
        _lock.Dispose();
    }

    void CloseSessions()
    {
        Writer.Dispose();
        Datasets.CloseUploads();
        while (_readers.TryTake(out DatabaseSession? reader)) reader.Dispose();
    }

    void Settle(DatabaseSession database)
    {
        try
        {
            _dialect.Settle(database);
        }
        catch (DbException e) when (_dialect.IsDiskError(e))
        {
            // What was acknowledged is in the log, which is read at the next start.
            throw Writer.Fail(74, "The log of the ledger could not be put into its file.", e);
        }
    }

    /// <summary>Directories in a data directory.</summary>
    internal static string[] Parts => ["datasets", "releases", "pending", "predictions"];

    internal static Dialect DialectOf(string path, StorageOptions options) =>
        options.Postgres is { } postgres ? new PostgresDialect(postgres) : new SqliteDialect(DatabasePath(path));

    internal static string DatabasePath(string path) => Path.Combine(path, "pk.db");

    internal static void CheckPresent(string path)
    {
        if (!File.Exists(DatabasePath(path))) throw new InvalidFieldException("data", path, "must be a data directory, or a backup of one");
    }

    internal static string WitnessPath(string path) => Path.Combine(path, "witness");

    /// <summary>Whether other servers use the same ledger.</summary>
    internal bool IsShared => _dialect.IsShared;

    internal long JobLeaseSeconds => _dialect.JobLeaseSeconds;

    internal string Root => _path;

    internal string DatasetPath(string uid) => Path.Combine(_path, "datasets", uid);

    internal string DatasetsPath => Path.Combine(_path, "datasets");

    internal string ReleasesPath => Path.Combine(_path, "releases");

    internal string PredictionsPath => Path.Combine(_path, "predictions");

    internal string PredictionPath(string jobUid) => Path.Combine(PredictionsPath, $"{jobUid}.pkp");

    internal string PendingDirectory => Path.Combine(_path, "pending");

    internal string PendingPath(ReadOnlyMemory<byte> reservationId, int attempt) =>
        Path.Combine(PendingDirectory, PendingName(reservationId, attempt));

    internal static string PendingName(ReadOnlyMemory<byte> reservationId, int attempt) =>
        $"{Convert.ToHexStringLower(reservationId.Span)}.{attempt}";

    internal string ImportPath(string uid) => Path.Combine(ReleasesPath, $"{uid}.imported");

    internal string ReleasePath(string uid) => Path.Combine(ReleasesPath, $"{uid}.pkr");

    /// <summary>
    /// Runs a query on a connection of its own; it sees what is committed. A file that cannot be read ends the process; a
    /// database that others serve may come back, and until then it is LEDGER_NOT_SERVING.
    /// </summary>
    internal T Read<T>(Func<DatabaseSession, T> query)
    {
        if (Writer.HasFailed) throw LedgerWriter.NotServing();
        DatabaseSession? session = null;
        try
        {
            if (!_readers.TryTake(out session)) session = _dialect.Connect(writes: false);
            return query(session);
        }
        catch (DbException e) when (_dialect.IsFatal(e))
        {
            session?.Dispose();
            session = null;
            // Nothing is served yet: what is found now is a ledger that must not be.
            if (!_isOpen) throw;
            throw IsShared ? LedgerWriter.NotServing(e) : Writer.Fail(74, "The ledger could not be read.", e);
        }
        finally
        {
            if (session is not null) _readers.Add(session);
        }
    }

    /// <summary>Runs a step that must not fail half-way: an I/O error in it ends the process.</summary>
    internal void Durably(string name, Action step)
    {
        try
        {
            step();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Writer.Fail(74, $"A durable step failed: {name}.", e);
        }
    }

    /// <summary>Refuses a write before the volume is full (STORAGE_FULL): one that fails may end the process.</summary>
    internal void CheckSpace(string path, long bytes)
    {
        if (new DriveInfo(path).AvailableFreeSpace < Options.MinFreeBytes + bytes)
            throw new StorageException(Reasons.StorageFull, "The volume of the data directory is nearly full.");
    }

    /// <summary>Makes the file of a posted release readable under its name. May be repeated.</summary>
    internal void Publish(ReadOnlyMemory<byte> reservationId, int attempt, string releaseUid)
    {
        Failpoint.Hit("post.before_rename");
        File.Move(PendingPath(reservationId, attempt), ReleasePath(releaseUid), overwrite: true);
        Failpoint.Hit("post.before_dirsync");
        Disk.SyncDirectory(ReleasesPath);
        Disk.SyncDirectory(PendingDirectory);
        Failpoint.Hit("post.after_rename");
    }

    /// <summary>Puts the file of a posted release back, byte for byte.</summary>
    internal void WriteReleaseFile(ReleaseRow posted, ReadOnlySpan<byte> file)
    {
        Disk.Replace(ReleasePath(posted.Uid), file);
        Releases.Forget(posted);
    }

    /// <summary>The file of a posted release, also in the moment before it has its name; null if there is none.</summary>
    internal FileStream? OpenPosted(ReleaseRow release)
    {
        if (release.Imported)
            return File.Exists(ImportPath(release.Uid))
                ? Disk.Open(ImportPath(release.Uid), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete)
                : Replica.FetchPosted(release, ImportPath(release.Uid));
        ReservationRow reservation = Read(d => ReservationTable.GetByRelease(d, release.Uid));
        foreach (string path in (string[])
            [ReleasePath(release.Uid), PendingPath(reservation.Id, reservation.Attempt), ReleasePath(release.Uid)])
            try
            {
                return Disk.Open(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            }
            catch (FileNotFoundException)
            {
            }
        return Replica.FetchPosted(release, ReleasePath(release.Uid));
    }

    internal IEnumerable<Records> ReadRows(DatasetRow dataset, IReadOnlyList<SegmentRow> segments, Action<long> addRows) =>
        SegmentReader.Read(
            DatasetPath(dataset.Uid), Replica.Here(dataset, segments), RowShape.Of(dataset.Definition), () => OpenKey(dataset.Uid), addRows);

    /// <summary>The data key of a dataset; null if its rows are in the clear.</summary>
    internal DataKey? OpenKey(string datasetUid) =>
        Read(d => KeyTable.Find(d, datasetUid)) is { } wrapped ? KeyTable.Open(Options.EncryptionKey, wrapped, datasetUid) : null;

    /// <summary>The sums of one accumulator in a committed generation of a one-pass dataset.</summary>
    internal ExactCells ReadCells(DatasetRow dataset, SegmentRow generation, int accumulator)
    {
        using DataKey key = OpenKey(dataset.Uid)
            ?? throw new StorageException(Reasons.FileCorrupt, "The data key of the dataset is missing.");
        string path = Path.Combine(DatasetPath(dataset.Uid), generation.File);
        Replica.HasCells(generation.Uid, path);
        return new(CellState.Read(CellFile.Read(path, generation.Uid, key)).Cells[accumulator]);
    }

    /// <summary>Deletes the checkpoints of an upload that is finished.</summary>
    internal void DeleteCheckpoints(string datasetUid, string uploadId)
    {
        foreach (string path in Directory.GetFiles(DatasetPath(datasetUid), $"{uploadId}.*.cells")) File.Delete(path);
    }

    /// <summary>Deletes the sums of a one-pass dataset that no row of the database names. May be repeated.</summary>
    internal void DeleteUnusedSums(string datasetUid)
    {
        if (!Directory.Exists(DatasetPath(datasetUid))) return;
        HashSet<string> used = Read(d => CellTable.Files(d, datasetUid));
        foreach (string path in Directory.GetFiles(DatasetPath(datasetUid), "*.sum"))
            if (!used.Contains(Path.GetFileName(path))) File.Delete(path);
    }

    /// <summary>Empties the write-ahead log, where keys that were deleted or replaced may still be.</summary>
    internal void ForgetDeletedPages() => Read(d =>
    {
        Settle(d);
        return true;
    });

    /// <summary>Deletes the rows of a dataset and the files of releases. May be repeated.</summary>
    internal void DeleteFiles(string datasetUid, IEnumerable<ReleaseRow> releases)
    {
        if (Directory.Exists(DatasetPath(datasetUid))) Directory.Delete(DatasetPath(datasetUid), recursive: true);
        foreach (ReleaseRow release in releases) File.Delete(release.Imported ? ImportPath(release.Uid) : ReleasePath(release.Uid));
        Disk.SyncDirectory(DatasetsPath);
        Disk.SyncDirectory(ReleasesPath);
    }

    internal static void CheckLimit(string limit, long present, long most)
    {
        if (present >= most) throw LimitReached(limit, most);
    }

    internal static StorageException LimitReached(string limit, long most) => new(
        Reasons.LimitExceeded, $"The limit on {limit} is reached.",
        new Dictionary<string, string>
        {
            ["limit"] = limit,
            ["value"] = most.ToString(System.Globalization.CultureInfo.InvariantCulture),
        });

    internal static FileStream TakeLock(string path)
    {
        try
        {
            return Disk.Open(Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new StorageException(Reasons.DirectoryLocked, "Another process has the data directory open.", null, e);
        }
    }
}
