using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>What somebody may do with the datasets that are granted; a set of roles where several may.</summary>
[Flags]
public enum Role
{
    None = 0,

    /// <summary>Brings rows in, spends the budget, and sees everything about a dataset.</summary>
    Owner = 1,

    /// <summary>Hostile by assumption: sees releases, answers and what was spent, and nothing that depends on rows otherwise.</summary>
    Analyst = 2,

    /// <summary>Reads budgets and the ledger, holds and times included.</summary>
    Auditor = 4,
}

/// <summary>Who makes a call.</summary>
/// <param name="Id">Key id: in logs, in the rows of what was made, and the account of every limit per key.</param>
/// <param name="Role">What the caller may do.</param>
/// <param name="Datasets">Ids of the datasets granted; null = all.</param>
sealed record Caller(string Id, Role Role, IReadOnlySet<string>? Datasets)
{
    /// <summary>When the token ends; null for keys, whose file says so.</summary>
    internal DateTimeOffset? Expires { get; init; }

    /// <summary>Without keys whoever reaches the loopback port is the owner of everything.</summary>
    internal static Caller Local { get; } = new("owner", Role.Owner, null);

    /// <summary>Whoever asks for the server's health, which is nobody's secret.</summary>
    internal static Caller Nobody { get; } = new("", Role.None, new HashSet<string>());

    internal bool IsOwner => Role.HasFlag(Role.Owner);

    /// <summary>
    /// Whether budget that is held for a build under way may be seen: an analyst who saw it would know when the build began,
    /// and so about how many rows there are.
    /// </summary>
    internal bool SeesHolds => (Role & (Role.Owner | Role.Auditor)) != 0;

    internal bool HasAll => Datasets is null;

    internal bool May(string dataset) => Datasets?.Contains(dataset) ?? true;

    internal static Caller Of(ServerCallContext context) =>
        context.GetHttpContext().Features.Get<Caller>() ?? throw new InvalidOperationException("the call was not let in");
}
