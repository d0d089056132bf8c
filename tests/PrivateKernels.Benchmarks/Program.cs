using PrivateKernels.Benchmarks;

switch (args.FirstOrDefault())
{
    case "simd":
        SimdBenchmark.Run(args[1..]);
        return 0;
    case "gpu":
        return GpuBenchmark.Run(args[1..]);
    case "accuracy":
        await AccuracyBenchmark.RunAsync(args[1..]);
        return 0;
    case "releases":
        await ReleaseBenchmark.RunAsync(args[1..]);
        return 0;
    case "plots" when args.Length == 2:
        await AccuracyBenchmark.PlotAsync(args[1]);
        return 0;
    case "targets":
        await AccuracyTargets.RunAsync(args[1..]);
        return 0;
    case "encryption":
        await EncryptionBenchmark.RunAsync();
        return 0;
    case "samplers":
        SamplerBenchmark.Run();
        return 0;
    default:
        Console.Error.WriteLine("usage: simd [--threads N] [--part builds|queries|sums|peers] [--json FILE] | samplers | encryption |" +
            " accuracy [FOLDER | IMAGES QUERIES] [--rows N] [--only NAME] [--out FOLDER] | plots FOLDER |" +
            " releases [FOLDER | IMAGES QUERIES] | targets [FOLDER] [--only PART] [--json FILE] |" +
            " gpu [--allow-cpu] [--quick] [--json FILE]\n" +
            "src/README.md has the command that publishes this program as one file for a machine with a GPU.");
        return 2;
}
