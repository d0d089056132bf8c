namespace PrivateKernels.Server;

public sealed record SecurityOptions
{
    /// <summary>File of API keys, made by pk key; empty = no keys, and every caller is the owner.</summary>
    public string KeysFile { get; init; } = "";
}
