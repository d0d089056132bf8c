using System.Security.Cryptography;
using PrivateKernels.Client;
using PrivateKernels.Server;
using PrivateKernels.Storage;

namespace PrivateKernels.Cli;

/// <summary>Why a command did not do what was asked.</summary>
/// <param name="Reason">As in the wire's ErrorInfo, or one of the program's own.</param>
/// <param name="Message">For people: what was wrong, the limit, the cure.</param>
/// <param name="ExitCode">See the constants.</param>
/// <param name="Details">By name; null for none.</param>
sealed record Failure(string Reason, string Message, int ExitCode, IReadOnlyDictionary<string, string>? Details = null)
{
    /// <summary>The call was refused, or failed.</summary>
    public const int Refused = 1;

    public const int BadCommandLine = 64;

    public const int Bug = 70;

    /// <summary>Stopped by a signal, as shells report it.</summary>
    public const int Interrupted = 130;

    public static Failure From(Exception e) => e switch
    {
        PrivateKernelsException p => new(p.Reason, p.Message, Refused, p.Metadata),
        RowFormatException r => new("BAD_ROW", r.Message, Refused, Place(r)),
        InvalidFieldException f => new("INVALID_FIELD", f.Message, BadCommandLine, Field(f.Field)),
        UnknownPairFunctionException u => new("UNKNOWN_PAIR_FUNCTION", u.Message, BadCommandLine, Field("function")),
        OutOfDomainException o => new("OUT_OF_DOMAIN", o.Message, Refused),
        DimensionMismatchException d => new("DIMENSION_MISMATCH", d.Message, Refused),
        NotPerClassException n => new("NOT_PER_CLASS", n.Message, Refused),
        MapMismatchException m => new("MAP_MISMATCH", m.Message, Refused, Numbered(m.Differences)),
        NoRowsException n => new("NO_ROWS", n.Message, Refused),
        SharedParentException s => new("SHARED_RELEASE", s.Message, Refused),
        NoClassLargeEnoughException n => new("NO_CLASS_LARGE_ENOUGH", n.Message, Refused),
        CryptographicException => new("BAD_CERTIFICATE", "a certificate or its key cannot be read.", BadCommandLine),
        InvalidDataException i => new("FILE_CORRUPT", i.Message, Refused),
        ConfigurationException c => new("BAD_CONFIGURATION", c.Message, ConfigurationException.ExitCode),
        StorageException s => new(s.Reason, s.Message, Reasons.ExitCode(s.Reason) ?? Refused, s.Metadata),
        NotReadyException n => new(n.Reason, n.Message, Refused),
        AuditFailedException a => new("AUDIT_FAILED", a.Message, Refused),
        OperationCanceledException => new("CANCELLED", "stopped.", Interrupted),
        IOException or UnauthorizedAccessException => new("FILE_ERROR", e.Message, Refused),
        _ => new("BUG", $"pk failed: {e}", Bug),
    };

    static Dictionary<string, string> Field(string name) => new() { ["field"] = name };

    static Dictionary<string, string> Numbered(IReadOnlyList<string> texts) =>
        texts.Select(static (text, i) => ($"difference_{i + 1}", text)).ToDictionary();

    static Dictionary<string, string> Place(RowFormatException e)
    {
        var details = new Dictionary<string, string> { ["file"] = e.Path, ["rule"] = e.Rule };
        if (e.Row is { } row) details["row"] = $"{row}";
        if (e.Column is { } column) details["column"] = $"{column}";
        return details;
    }
}
