using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>
/// A process that goes through the life of two datasets, each step with a fixed request id, and is stopped at a
/// failpoint. Run again on the same directory it must come to the same end.
/// </summary>
static class CrashHost
{
    internal const string UploadId = "11111111-1111-1111-1111-111111111111";
    internal const string LateUploadId = "22222222-2222-2222-2222-222222222222";
    const string GoneUploadId = "33333333-3333-3333-3333-333333333333";

    /// <param name="path">Data directory.</param>
    /// <param name="failpoint">Where to stop; "none" = nowhere.</param>
    /// <param name="postgres">Where the ledger is; null = SQLite.</param>
    /// <param name="action">"kill" (SIGKILL), "fail" (an I/O error), "restore" (SIGKILL in a restore that accepts
    /// loss), or "hold" (open the directory and do nothing until the input ends).</param>
    internal static async Task<int> Run(string path, string failpoint, string action, PostgresOptions? postgres)
    {
        Failpoint.Action = name =>
        {
            if (name != failpoint) return;
            if (action == "fail") throw new IOException("injected");
            Kill();
        };
        if (action == "restore")
        {
            Restore.Run(path, new StorageOptions(), [], acceptLoss: true);
            return 0;
        }
        DataDirectory? opened = Open(path, postgres);
        if (opened is null) return 75;
        using (opened)
        {
            if (action == "hold")
            {
                Say("open");
                await Console.In.ReadToEndAsync();
                return 0;
            }
            await LiveAsync(opened, postgres is null ? opened.TakeInterruptedBuilds() : await WaitForBuildsAsync(opened));
        }
        Say("closed");
        return 0;
    }

    /// <summary>SIGKILL to this process.</summary>
    internal static void Kill()
    {
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
    }

    static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    /// <summary>The life, or what is left of it.</summary>
    static async Task LiveAsync(DataDirectory directory, IReadOnlyList<Build> interrupted)
    {
        if (interrupted.Count > 0) await Late(directory);
        foreach (Build build in interrupted) await EndBuild(directory, build);
        await Live(directory);
        await Late(directory);
    }

    /// <summary>Where servers share the ledger, builds of the life before are this one's once their lease has passed.</summary>
    static async Task<IReadOnlyList<Build>> WaitForBuildsAsync(DataDirectory directory)
    {
        while (directory.Read(static d => d.Number("SELECT COUNT(*) FROM reservations WHERE state = 1")) > 0)
        {
            if (await directory.KeepBuildsAsync() is { Count: > 0 } taken) return taken;
            await Task.Delay(50);
        }
        return [];
    }

    static DataDirectory? Open(string path, PostgresOptions? postgres)
    {
        try
        {
            return DataDirectory.Open(path, new StorageOptions { Postgres = postgres });
        }
        catch (StorageException e) when (Reasons.ExitCode(e.Reason) == 75)
        {
            return null;
        }
    }

    static async Task Live(DataDirectory directory)
    {
        await Create(directory, "people", "a0");
        await Create(directory, "gone", "a1");
        Say("created");
        await Ingest(directory, "people", UploadId, 10);
        await Ingest(directory, "gone", GoneUploadId, 20);
        Say("ingested");
        await Spend(directory, "first", "b0");
        Say("posted");
        await Spend(directory, "second", "b1");
        Say("voided");
        await directory.Datasets.DeleteAsync(
            Scratch.Call("DeleteDataset", "datasets/gone", Id("c0")), "gone", "", true, static _ => []);
        Say("deleted");
    }

    static Task<byte[]> Create(DataDirectory directory, string id, string requestId) =>
        Scratch.Create(directory, id, Scratch.Gaussian, call: Scratch.Call("CreateDataset", "", Id(requestId)));

    static async Task Ingest(DataDirectory directory, string id, string uploadId, ulong seed)
    {
        if (directory.Datasets.Get(id).State == DatasetState.Deleted) return;
        using Upload upload = await directory.Datasets.OpenUploadAsync(id, uploadId);
        if (upload.Finished) return;
        for (ulong sequence = upload.NextSequence; sequence <= 3; sequence++)
        {
            upload.Append(Scratch.Batch(sequence, Scratch.Rows(20, seed + sequence)));
            Say($"ack {uploadId} {upload.Flush()}");
        }
        await upload.FinishAsync(60, 3);
    }

    /// <summary>Rows that come between a reservation and its second attempt must not be in it.</summary>
    static Task Late(DataDirectory directory) => Ingest(directory, "people", LateUploadId, 30);

    static async Task Spend(DataDirectory directory, string release, string requestId)
    {
        Reservation reservation = await directory.Ledger.ReserveAsync(
            Scratch.Request("people", release, Scratch.Measurement(), Id(requestId)));
        Say($"reserved {release}");
        if (reservation.Build is { } build) await EndBuild(directory, build);
    }

    static async Task EndBuild(DataDirectory directory, Build build)
    {
        if (build.Release.Id == "second")
        {
            await directory.Ledger.VoidAsync(build, "CANCELLED", "cancelled");
            return;
        }
        float[] rows = Scratch.ReadAll(build);
        Say($"rows {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<float>(rows)))}");
        ReleaseRow posted = await Scratch.Finish(directory, build, Scratch.Measurement());
        Say($"release {Convert.ToHexString(posted.Sha256.Span)}");
    }

    static string Id(string prefix) => $"{prefix}000000-0000-0000-0000-000000000000";
}
