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
    case "samplers":
        SamplerBenchmark.Run();
        return 0;
    default:
        Console.Error.WriteLine("usage: simd [--threads N] [--part builds|queries|sums|peers] [--json FILE] | samplers |" +
            " accuracy [FOLDER | IMAGES QUERIES] [--rows N] [--out FOLDER] | gpu [--allow-cpu] [--quick] [--json FILE]");
        return 2;
}
