using Google.LongRunning;
using Grpc.Core;
using PrivateKernels.Storage;
using PrivateKernels.V1;
using static PrivateKernels.Tests.TestServer;

namespace PrivateKernels.Tests;

/// <summary>Two real servers on one directory, and on copies of it.</summary>
public sealed class ForkTests : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-fork-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Of_two_servers_on_a_ledger_and_its_copy_one_goes_on_and_the_other_ends_without_a_reply()
    {
        string data = At("data"), copy = At("copy"), backup = At("backup");
        // On another volume, as it should be: a witness inside the directory would be copied with it.
        string[] witness = ["--Witness:Path", At("witness")];
        using ServerProcess first = await ServerProcess.StartAsync(data, witness);
        await new DatasetService.DatasetServiceClient(first.Channel).CreateDatasetAsync(NewDataset("people"));
        await SpendAsync(first, "r1");
        (int locked, string text) = await ServerProcess.FailAsync(data, witness);
        Assert.Equal(75, locked);
        Assert.Contains("DIRECTORY_LOCKED", text, StringComparison.Ordinal);

        Backup.Create(data, new(), backup);
        (int isSealed, text) = await ServerProcess.FailAsync(backup, witness);
        Assert.Equal(76, isSealed);
        Assert.Contains("sealed", text, StringComparison.Ordinal);

        Copy(data, copy);
        using ServerProcess second = await ServerProcess.StartAsync(copy, witness);
        await SpendAsync(first, "r2");
        await Assert.ThrowsAsync<RpcException>(() => SpendAsync(second, "r3"));
        (int forked, text) = await second.EndAsync();
        Assert.Equal(76, forked);
        Assert.Contains("two servers run on copies of one ledger", text, StringComparison.Ordinal);
        await SpendAsync(first, "r4");

        // The copy holds a spend of its own now, of as many entries: it is refused from its start.
        (int behind, text) = await ServerProcess.FailAsync(copy, witness);
        Assert.Equal(76, behind);
        Assert.Contains("LEDGER_BEHIND", text, StringComparison.Ordinal);
        Assert.Equal(0, await first.TerminateAsync());
    }

    string At(string name) => Path.Combine(_folder.FullName, name);

    static async Task SpendAsync(ServerProcess server, string id)
    {
        Operation operation = (await new ReleaseService.ReleaseServiceClient(server.Channel)
            .CreateReleaseAsync(NewRelease("people", id, 0.01))).Operation;
        var operations = new Operations.OperationsClient(server.Channel);
        while (!operation.Done) operation = await operations.WaitOperationAsync(new WaitOperationRequest { Name = operation.Name });
    }

    static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.GetDirectories(from)) Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        foreach (string file in Directory.GetFiles(from).Where(static f => Path.GetFileName(f) is not ("lock" or "pk.db-shm")))
        {
            using var source = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using FileStream target = File.Create(Path.Combine(to, Path.GetFileName(file)));
            source.CopyTo(target);
        }
    }
}
