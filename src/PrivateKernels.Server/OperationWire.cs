using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Operations of builds on the wire.</summary>
static class OperationWire
{
    internal static Operation ToWire(OperationRow row, DataDirectory directory, BuildQueue builds)
    {
        (string dataset, string id) = Names.Release(row.Target, "target");
        ReleaseRow release = directory.Releases.Get(dataset, id);
        BuildJob? job = builds.Find(row.Uid);
        var metadata = new V1.BuildMetadata
        {
            Release = row.Target,
            Stage = row.Done ? V1.BuildStage.Done : job?.Stage ?? V1.BuildStage.Queued,
            Percent = row.Done ? 100 : job?.Percent ?? 0,
            CreateTime = DatasetWire.WholeSeconds(row.CreateTime),
            ReservedAt = DatasetWire.ToWire(release.ReservedAt),
        };
        var operation = new Operation { Name = row.Name, Metadata = Any.Pack(metadata), Done = row.Done };
        if (!row.Done) return operation;
        if (row.ErrorReason.Length > 0) operation.Error = Statuses.Build(row.ErrorReason, row.ErrorMessage, []);
        else operation.Response = Any.Pack(ReleaseWire.ToWire(release, directory.Ledger, owner: true));
        return operation;
    }
}
