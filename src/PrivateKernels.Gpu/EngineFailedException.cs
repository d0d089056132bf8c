namespace PrivateKernels.Gpu;

/// <summary>The forced engine could not do the work; nothing was added to anything.</summary>
public sealed class EngineFailedException(string message, Exception? cause) : Exception(message, cause);
