namespace PrivateKernels.Tests;

/// <summary>
/// The life of <see cref="CrashHost"/> with a copy of the directory made at each failpoint: what a process that is killed there
/// leaves, since a kill takes nothing from the system's memory. Every copy is lived on from to its end, and copied again
/// on the way, so that kills in recoveries, and in recoveries of those, are among them.
/// </summary>
static class CrashImages
{
    sealed record Image(string Failpoint, string Path, IReadOnlyList<string> Lines);

    /// <param name="root">An empty folder.</param>
    /// <param name="each">Copies at each failpoint.</param>
    internal static async Task<int> Run(string root, int each)
    {
        // Files are copied while this process has them open for itself alone.
        AppContext.SetSwitch("System.IO.DisableFileLocking", true);
        Dictionary<string, int> taken = [];
        var waiting = new Stack<Image>();
        int count = 0;
        // Points that no recovery comes by again are met by beginning anew.
        while (waiting.Count > 0 || taken.Count == 0 || taken.Values.Any(n => n < each))
        {
            if (!waiting.TryPop(out Image? image))
                image = new("start", Directory.CreateDirectory(Path.Combine(root, $"{++count}")).FullName, []);
            List<string> lines = [.. image.Lines];
            CrashHost.Say = lines.Add;
            Failpoint.Action = name =>
            {
                int before = taken.GetValueOrDefault(name);
                if (before == each) return;
                taken[name] = before + 1;
                string path = Path.Combine(root, $"{++count}");
                Copy(image.Path, path);
                waiting.Push(new(name, path, [.. lines]));
            };
            await LiveOnAsync(image, lines);
            Directory.Delete(image.Path, recursive: true);
        }
        foreach ((string name, int copies) in taken) Console.WriteLine($"{name} {copies}");
        return 0;
    }

    static async Task LiveOnAsync(Image image, List<string> lines)
    {
        try
        {
            using var scratch = new Scratch(image.Path);
            using (DataDirectory directory = scratch.Open()) await CrashHost.LiveAsync(directory);
            Failpoint.Action = null;
            Assert.Empty(scratch.Exits);
            CrashTests.CheckEnd(scratch, new(137, image.Lines), new(0, lines));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"killed at {image.Failpoint}, after '{(image.Lines is [.., var last] ? last : "nothing")}'", e);
        }
    }

    static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.GetDirectories(from)) Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        foreach (string file in Directory.GetFiles(from))
            File.WriteAllBytes(Path.Combine(to, Path.GetFileName(file)), LedgerTests.ReadShared(file));
    }
}
