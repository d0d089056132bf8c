namespace PrivateKernels.Storage;

/// <summary>
/// Named places where a test host can stop the process or inject an error. No configuration and no environment can set
/// it: only an assembly that sees internals, and that is the test project.
/// </summary>
static class Failpoint
{
    internal static Action<string>? Action { get; set; }

    internal static void Hit(string name) => Action?.Invoke(name);
}
