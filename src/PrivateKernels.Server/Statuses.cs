using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using PrivateKernels.Gpu;
using PrivateKernels.Storage;
using RpcStatus = Google.Rpc.Status;

namespace PrivateKernels.Server;

/// <summary>
/// Turns exceptions of every layer into canonical statuses with <c>google.rpc</c> details: the only place that does.
/// What it does not know is a bug, of which a client sees an incident id and nothing else.
/// </summary>
static class Statuses
{
    const int MostMessage = 1024, MostValue = 256;

    internal static RpcStatus From(Exception failure, string incident) => failure switch
    {
        InvalidProtocolBufferException => From(Refusal.NoMessage(), incident),
        Refusal r => Build(r.Reason, r.Message, r.Metadata),
        InvalidFieldException f => Build("INVALID_FIELD", f.Message, [("field", f.Field), ("rule", f.Rule)]),
        UnknownPairFunctionException u => Build("UNKNOWN_PAIR_FUNCTION", u.Message,
            [("field", "function.name"), ("name", Shorten(u.Name)), ("nearest", string.Join(",", Nearest(u.Name)))]),
        StorageException { Reason: Storage.Reasons.BudgetExhausted } s => Build(s.Reason, s.Message,
            [.. s.Metadata.Select(static m => (m.Key, m.Value)), ("loss_remaining", EpsilonOf(s.Metadata))]),
        StorageException s when Reasons.Codes.ContainsKey(s.Reason) =>
            Build(s.Reason, s.Message, [.. s.Metadata.Select(static m => (m.Key, m.Value))]),
        DimensionMismatchException d => Build("DIMENSION_MISMATCH", d.Message,
            [("field", "points.dimension"), ("expected", Text(d.Expected)), ("actual", Text(d.Actual))]),
        OutOfDomainException o => OutOfDomain(o),
        DomainNotDeclaredException n => Build("DOMAIN_NOT_DECLARED", n.Message, [("field", "dataset.domain"), ("bound", n.Bound)]),
        LimitExceededException l => Build("LIMIT_EXCEEDED", l.Message, [("limit", $"Limits:{l.Limit}")]),
        NotLabelledException n => Build("NOT_LABELLED", n.Message, []),
        NotPerClassException n => Build("NOT_PER_CLASS", n.Message, []),
        EngineFailedException e => Build("ENGINE_FAILED", e.Message, []),
        NoClassLargeEnoughException n => Build("NO_CLASS_LARGE_ENOUGH", n.Message, []),
        MechanismMismatchException m => Build("BUDGET_KIND_MISMATCH", m.Message, [("allowed", "MECHANISM_DISCRETE_LAPLACE")]),
        _ => Build(Reasons.Bug, $"the server failed; report incident {incident}.", [("incident", incident)]),
    };

    internal static bool IsBug(RpcStatus status) => Reason(status) == Reasons.Bug;

    internal static string Reason(RpcStatus status) =>
        status.Details.Count > 0 && status.Details[0].TryUnpack(out ErrorInfo info) ? info.Reason : "";

    /// <summary>
    /// A status travels in headers, of which clients take 64 KiB at most, and texts may quote what was sent: long ones are
    /// cut.
    /// </summary>
    internal static RpcStatus Build(string reason, string message, IReadOnlyList<(string Key, string Value)> metadata)
    {
        message = Cut(message, MostMessage);
        var info = new ErrorInfo { Reason = reason, Domain = Reasons.Domain };
        foreach ((string key, string value) in metadata) info.Metadata[key] = Cut(value, MostValue);
        var status = new RpcStatus { Code = (int)Reasons.Codes[reason], Message = message, Details = { Any.Pack(info) } };
        if (Detail(reason, message, info.Metadata) is { } detail) status.Details.Add(Any.Pack(detail));
        return status;
    }

    static RpcStatus OutOfDomain(OutOfDomainException failure)
    {
        DomainViolation v = failure.Violation;
        List<(string, string)> metadata = [("field", "points.values"), ("row", Text(v.Row))];
        if (v.Column is { } column) metadata.Add(("column", Text(column)));
        if (v.Rule == DomainRule.Finite) return Build("NON_FINITE_VALUE", failure.Message, metadata);
        metadata.Add(("bound", v.Rule switch { DomainRule.Lower => "lower", DomainRule.Upper => "upper", _ => "max_norm" }));
        return Build("OUT_OF_DOMAIN", failure.Message, metadata);
    }

    /// <summary>What remains of a budget as epsilon at the account's delta.</summary>
    static string EpsilonOf(IReadOnlyDictionary<string, string> budget)
    {
        double delta = double.Parse(budget["delta"], CultureInfo.InvariantCulture);
        long remaining = long.Parse(budget["remaining"], CultureInfo.InvariantCulture);
        return Losses.Display(delta == 0 ? CostUnit.Epsilon : CostUnit.MuSquared, remaining, delta)
            .Epsilon.ToString("R", CultureInfo.InvariantCulture);
    }

    /// <summary>"dataset", "release", ... : the last collection of the name, in the singular.</summary>
    static string ResourceType(string name) => name.Split('/') is [.., var collection, _] ? collection.TrimEnd('s') : "";

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    static IMessage? Detail(string reason, string message, MapField<string, string> metadata)
    {
        string Of(string key) => metadata.TryGetValue(key, out string? value) ? value : "";
        if (Reasons.IsTransient(reason)) return new RetryInfo { RetryDelay = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)) };
        return Reasons.Codes[reason] switch
        {
            StatusCode.InvalidArgument when reason != "INVALID_PAGE_TOKEN" => new BadRequest
            {
                FieldViolations = { new BadRequest.Types.FieldViolation { Field = Of("field"), Description = message } },
            },
            StatusCode.NotFound or StatusCode.AlreadyExists when metadata.ContainsKey("resource") => new ResourceInfo
            {
                ResourceType = ResourceType(Of("resource")),
                ResourceName = Of("resource"),
                Description = message,
            },
            StatusCode.ResourceExhausted when reason is "BUDGET_EXHAUSTED" or "LIMIT_EXCEEDED" => new QuotaFailure
            {
                Violations = { new QuotaFailure.Types.Violation { Subject = Of("limit"), Description = message } },
            },
            StatusCode.FailedPrecondition => new PreconditionFailure
            {
                Violations = { new PreconditionFailure.Types.Violation { Type = reason, Subject = Of("field"), Description = message } },
            },
            _ => null,
        };
    }

    static IEnumerable<string> Nearest(string name) =>
        Catalog.Functions.Select(static e => e.Name).OrderBy(known => Distance(known, Shorten(name))).Take(3);

    static string Cut(string text, int most) => text.Length <= most ? text : $"{text[..most]}...";

    static string Shorten(string name) => name.Length <= 64 ? name : name[..64];

    /// <summary>Edits (insert, delete, replace) between two short names.</summary>
    static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            (int diagonal, row[0]) = (row[0], i);
            for (int j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }
        return row[b.Length];
    }
}
