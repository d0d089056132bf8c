using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// What is there before the data directory is opened and after it is closed: the side port with what it shows, and the
/// sign that the server goes away.
/// </summary>
sealed record Surroundings(Drain Drain, Readiness Readiness, Telemetry Telemetry, SidePort? Side) : IAsyncDisposable
{
    internal static async Task<Surroundings> OpenAsync(ServerOptions options)
    {
        var drain = new Drain();
        var readiness = new Readiness(options.Data.Directory, drain);
        var telemetry = new Telemetry(options.Telemetry);
        try
        {
            string witness = options.Witness is { Path: "", ConnectionString: "" } ? "in the data directory" : "in a place of its own";
            SidePort? side = options.Side.Listen.Length == 0 ? null
                : await SidePort.StartAsync(Configuration.Address("Side:Listen", options.Side.Listen), readiness, telemetry, witness);
            return new(drain, readiness, telemetry, side);
        }
        catch
        {
            telemetry.Dispose();
            drain.Dispose();
            throw;
        }
    }

    /// <summary>The ledger and the engines are verified.</summary>
    internal void Show(DataDirectory directory, Engines engines)
    {
        Side?.Show(directory.CanRewriteLedger, engines);
        Readiness.Opened(directory);
    }

    public async ValueTask DisposeAsync()
    {
        if (Side is not null) await Side.DisposeAsync();
        Telemetry.Dispose();
        Drain.Dispose();
    }
}
