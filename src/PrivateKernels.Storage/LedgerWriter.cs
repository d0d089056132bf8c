using System.Collections.Concurrent;
using System.Data.Common;

namespace PrivateKernels.Storage;

/// <summary>
/// The one thread that writes: it takes what is queued, runs it in one transaction, commits, advances the witness, and
/// only then answers.
/// </summary>
/// <remarks>
/// Guarantee: no caller sees success before its effect is on disk and, if it moved the ledger, in the witness. After an
/// error in a durable step no caller sees anything: the process ends.
/// </remarks>
sealed class LedgerWriter : IDisposable
{
    readonly Dialect _dialect;
    readonly DatabaseSession _database;
    readonly IWitness _witness;
    readonly StorageOptions _options;
    readonly BlockingCollection<Command> _queue;
    readonly Thread _thread;
    long _turnedAt;
    long _witnessedAt;
    volatile bool _failed;

    internal LedgerWriter(
        Dialect dialect, DatabaseSession database, IWitness witness, LedgerPosition head, StorageOptions options)
    {
        (_dialect, _database, _witness, Head, _options) = (dialect, database, witness, head, options);
        _queue = new(options.WriterQueue);
        _turnedAt = _witnessedAt = options.Clock.GetTimestamp();
        _thread = new Thread(Run) { IsBackground = true, Name = "ledger writer" };
        _thread.Start();
    }

    /// <summary>Last entry that is durable and witnessed.</summary>
    internal LedgerPosition Head { get; private set; }

    internal bool HasFailed => _failed;

    internal TimeSpan WitnessAge => _options.Clock.GetElapsedTime(Volatile.Read(ref _witnessedAt));

    /// <summary>Whether the loop turned within <paramref name="time"/>.</summary>
    internal bool IsTurning(TimeSpan time) => !_failed && _options.Clock.GetElapsedTime(Volatile.Read(ref _turnedAt)) < time;

    /// <summary>
    /// Queues a command and completes when its effect is durable. An exception of the command undoes the command alone.
    /// </summary>
    /// <param name="name">Failpoints: name.before_commit, name.after_commit, name.before_witness.</param>
    /// <param name="dryRun">Run all checks, then take everything back: not a byte is written.</param>
    internal Task<T> SubmitAsync<T>(string name, Func<Transaction, T> run, bool dryRun = false)
    {
        var command = new Command<T>(name, run, dryRun);
        if (_failed) throw NotServing();
        try
        {
            if (!_queue.TryAdd(command))
                throw new StorageException(Reasons.Overloaded, "The ledger has more work queued than it takes; retry later.");
        }
        catch (InvalidOperationException)
        {
            throw NotServing();
        }
        if (_failed) command.Fail(NotServing());
        return command.Task;
    }

    /// <summary>Ends the process because a durable step failed. Where the exit returns (tests), nothing is served any more.</summary>
    internal StorageException Fail(int exitCode, string message, Exception? cause)
    {
        _failed = true;
        _options.FatalExit(exitCode, message, cause);
        return NotServing();
    }

    /// <summary>Runs what is queued and stops.</summary>
    public void Dispose()
    {
        _queue.CompleteAdding();
        _thread.Join();
        _queue.Dispose();
    }

    internal static StorageException NotServing(Exception? cause = null) =>
        new(Reasons.LedgerNotServing, "The ledger does not serve.", null, cause);

    void Run()
    {
        var group = new List<Command>();
        while (!_queue.IsCompleted)
        {
            Volatile.Write(ref _turnedAt, _options.Clock.GetTimestamp());
            if (!_queue.TryTake(out Command? first, TimeSpan.FromSeconds(1))) continue;
            group.Clear();
            group.Add(first);
            while (!first.DryRun && group.Count < _options.GroupSize && _queue.TryTake(out Command? next))
            {
                group.Add(next);
                if (next.DryRun) break;
            }
            if (!_failed) RunGroup(group);
            if (_failed) group.ForEach(static c => c.Fail(NotServing()));
        }
    }

    void RunGroup(List<Command> group)
    {
        try
        {
            Command? dryRun = group[^1].DryRun ? group[^1] : null;
            List<Command> commands = dryRun is null ? group : group[..^1];
            if (commands.Count > 0) Commit(commands);
            if (dryRun is not null) Try(dryRun);
        }
        catch (Exception e)
        {
            // Whatever it was, it is not known what is on disk now.
            int code = e is StorageException refused ? Reasons.ExitCode(refused.Reason) ?? 74 : 74;
            Fail(code, "A durable step of the ledger failed.", e);
        }
    }

    void Commit(List<Command> commands)
    {
        Transaction transaction = Begin();
        int succeeded = 0;
        foreach (Command command in commands)
            if (RunOne(command, transaction)) succeeded++;
        if (succeeded == 0)
        {
            _database.Execute("ROLLBACK");
            commands.ForEach(static c => c.Complete());
            return;
        }
        transaction.WriteHead();
        HitAll(commands, "before_commit");
        _database.Execute("COMMIT");
        HitAll(commands, "after_commit");
        if (transaction.Head.Sequence != transaction.Begun.Sequence && !Advance(commands, transaction.Head)) return;
        commands.ForEach(static c => c.Complete());
    }

    bool Advance(List<Command> commands, LedgerPosition head)
    {
        HitAll(commands, "before_witness");
        if (!LedgerCheck.Advance(_dialect, _database, _witness, Head, head))
        {
            Fail(76, "The witness of the ledger was moved by another process: two servers run on copies of one ledger.", null);
            return false;
        }
        Volatile.Write(ref _witnessedAt, _options.Clock.GetTimestamp());
        Head = head;
        return true;
    }

    static bool RunOne(Command command, Transaction transaction)
    {
        LedgerPosition before = transaction.Head;
        transaction.Database.Execute("SAVEPOINT command");
        bool succeeded = command.TryRun(transaction);
        if (!succeeded)
        {
            transaction.Database.Execute("ROLLBACK TO command");
            transaction.ResetHead(before);
        }
        transaction.Database.Execute("RELEASE command");
        return succeeded;
    }

    void Try(Command command)
    {
        command.TryRun(Begin());
        _database.Execute("ROLLBACK");
        command.Complete();
    }

    Transaction Begin() => new(_dialect, _database, _dialect.Begin(_database, Head), _options.Clock.GetUtcNow());

    static void HitAll(List<Command> commands, string point)
    {
        if (Failpoint.Action is null) return;
        foreach (Command command in commands) Failpoint.Hit($"{command.Name}.{point}");
    }

    abstract class Command(string name, bool dryRun)
    {
        internal string Name { get; } = name;

        internal bool DryRun { get; } = dryRun;

        /// <summary>False if the command refused or failed, so that it must be undone.</summary>
        internal abstract bool TryRun(Transaction transaction);

        /// <summary>Tells the caller what <see cref="TryRun"/> came to.</summary>
        internal abstract void Complete();

        internal abstract void Fail(Exception error);
    }

    sealed class Command<T>(string name, Func<Transaction, T> run, bool dryRun) : Command(name, dryRun)
    {
        readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        T? _result;
        Exception? _error;

        internal Task<T> Task => _done.Task;

        internal override bool TryRun(Transaction transaction)
        {
            try
            {
                _result = run(transaction);
                return true;
            }
            catch (Exception e) when (e is not DbException d || !transaction.Dialect.IsFatal(d))
            {
                _error = e;
                return false;
            }
        }

        internal override void Complete()
        {
            if (_error is null) _done.TrySetResult(_result!);
            else _done.TrySetException(_error);
        }

        internal override void Fail(Exception error) => _done.TrySetException(error);
    }
}
