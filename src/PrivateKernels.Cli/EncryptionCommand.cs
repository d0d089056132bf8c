using System.CommandLine;
using PrivateKernels.Server;
using PrivateKernels.Storage;
using Spectre.Console;

namespace PrivateKernels.Cli;

/// <summary>pk encryption: makes keys for rows at rest and changes them. Works on files, without a server.</summary>
static class EncryptionCommand
{
    static readonly Argument<string> File = new("FILE") { Description = "File to make; it must not exist." };

    static readonly Option<string?> DataDirectoryPath = new("--data")
    {
        Description = "Data directory of a server that does not run (default ./pk-data).",
        HelpName = "DIR",
    };

    static readonly Option<string> NewKeyFile = new("--new-key-file")
    {
        Description = "Key from now on.",
        HelpName = "FILE",
        Required = true,
    };

    public static Command Create()
    {
        var rotate = new Command(
            "rotate", "Wrap the keys of all datasets anew; the old key is configured as for the server (Encryption:KeyFile).")
        {
            DataDirectoryPath, NewKeyFile,
        };
        rotate.TreatUnmatchedTokensAsErrors = false;
        return new("encryption", "Keys for rows at rest.")
        {
            new Command("create", "Make a key file for Encryption:KeyFile.") { File }.Runs(CreateAsync),
            rotate.Runs(RotateAsync),
        };
    }

    static Task CreateAsync(Session session, CancellationToken cancellation)
    {
        string file = session.Get(File);
        EncryptionKey.CreateFile(file);
        session.Terminal.Write(new { KeyFile = file }, console => console.MarkupLineInterpolated(
            $"[green]{file}[/] holds a new key. Keep a copy: without it the rows cannot be read by anybody."));
        return Task.CompletedTask;
    }

    static async Task RotateAsync(Session session, CancellationToken cancellation)
    {
        List<string> arguments = [.. session.Rest];
        if (session.Get(DataDirectoryPath) is { } data) arguments.AddRange(["--Data:Directory", data]);
        ServerOptions options = Configuration.Read(arguments);
        using EncryptionKey old = options.Encryption.Open()
            ?? throw new ConfigurationException("Encryption:KeyFile must name the key that is in use.");
        using EncryptionKey next = EncryptionKey.FromFile(session.Get(NewKeyFile)!, "new-key-file");
        int datasets;
        try
        {
            datasets = await RotateAsync(options, old, next);
        }
        catch (StorageException e) when (e.Reason == Reasons.EncryptionKeyWrong)
        {
            // A rotation that was cut off after its commit is done: the new key opens everything.
            using (DataDirectory.Open(options.Data.Directory, options.ToStorage(next))) datasets = 0;
        }
        session.Terminal.Write(new { Datasets = datasets, KeyFile = session.Get(NewKeyFile) }, console =>
            console.MarkupLineInterpolated(
                $"{datasets} data keys are wrapped anew; start the server with [green]{session.Get(NewKeyFile)}[/] now."));
    }

    static async Task<int> RotateAsync(ServerOptions options, EncryptionKey old, EncryptionKey next)
    {
        string path = options.Data.Directory;
        if (!Directory.Exists(path)) throw new ConfigurationException($"Data:Directory is '{path}': there is no such directory.");
        using DataDirectory directory = DataDirectory.Open(path, options.ToStorage(old));
        return await directory.RotateKeyAsync(next);
    }
}
