using System.CommandLine;

namespace PrivateKernels.Cli;

/// <summary>pk demo: the whole path on real data, on a server of its own.</summary>
static class DemoCommand
{
    public static Command Create() =>
        new Command("demo",
            "See all of it: 9,000 images treated as private, released once, queried through a real server.")
            .Runs(RunAsync);

    static async Task RunAsync(Session session, CancellationToken cancellation)
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory("pk-demo-");
        try
        {
            var demo = new Demo(session.Terminal, directory.FullName);
            DemoFindings found = await demo.RunAsync(cancellation);
            session.Terminal.Write(DemoReport.Document(found), console =>
                DemoReport.Write(session.Terminal, console, found));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
