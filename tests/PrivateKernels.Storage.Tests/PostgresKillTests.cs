namespace PrivateKernels.Tests;

/// <summary>Kills of a storage host whose ledger is in PostgreSQL, which goes on; each second life comes to the same end.</summary>
public sealed class PostgresKillTests(PostgresServer server)
{
    /// <summary>All in the long run. Those where a build is under way are in every run, with another server that goes on.</summary>
    public static TheoryData<string> Failpoints => Scale.IsLong
        ? [.. KillTests.Failpoints]
        :
        [
            "create.after_commit", "ingest.after_fsync", "finish.after_commit", "release.before_dirsync", "post.before_witness",
            "delete.after_tombstone",
        ];

    [Theory]
    [MemberData(nameof(Failpoints))]
    public async Task A_kill_changes_nothing_about_the_end(string failpoint)
    {
        string connection = server.NewServedSchema();
        using var scratch = new Scratch(postgres: new(connection));
        CrashTests.Life first = await CrashTests.Run(scratch, failpoint, "kill", connection: connection);
        Assert.Equal(137, first.ExitCode);
        CrashTests.Life second = await CrashTests.Run(scratch, "none", "kill", connection: connection);
        Assert.Equal(0, second.ExitCode);
        CrashTests.CheckEnd(scratch, first, second);
    }
}
