using PrivateKernels.Cli;

CoreDumps.Forbid();
return await CommandLine.RunAsync(args, Console.Out, Console.Error);
