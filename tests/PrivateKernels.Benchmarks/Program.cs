using PrivateKernels.Benchmarks;

switch (args.FirstOrDefault())
{
    case "simd":
        SimdBenchmark.Run(args[1..]);
        return 0;
    default:
        Console.Error.WriteLine("usage: simd [--threads N] [--json FILE]");
        return 2;
}
