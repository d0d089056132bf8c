using System.Collections.Frozen;
using Grpc.Core;

namespace PrivateKernels.Server;

/// <summary>Every reason that a status of this server may carry, with its canonical code.</summary>
static class Reasons
{
    internal const string Domain = "privatekernels";
    internal const string Bug = "BUG";
    internal const string Cancelled = "CANCELLED";

    internal static FrozenDictionary<string, StatusCode> Codes { get; } = new Dictionary<string, StatusCode>
    {
        ["INVALID_FIELD"] = StatusCode.InvalidArgument,
        ["REQUEST_ID_MISSING"] = StatusCode.InvalidArgument,
        ["DIMENSION_MISMATCH"] = StatusCode.InvalidArgument,
        ["NON_FINITE_VALUE"] = StatusCode.InvalidArgument,
        ["OUT_OF_DOMAIN"] = StatusCode.InvalidArgument,
        ["LABEL_OUT_OF_RANGE"] = StatusCode.InvalidArgument,
        ["COLUMN_MISMATCH"] = StatusCode.InvalidArgument,
        ["CHECKSUM_MISMATCH"] = StatusCode.InvalidArgument,
        ["ROW_COUNT_MISMATCH"] = StatusCode.InvalidArgument,
        ["UNKNOWN_PAIR_FUNCTION"] = StatusCode.InvalidArgument,
        ["INVALID_PAGE_TOKEN"] = StatusCode.InvalidArgument,
        ["CREDENTIALS_INVALID"] = StatusCode.Unauthenticated,
        ["ROLE_REQUIRED"] = StatusCode.PermissionDenied,
        ["RESOURCE_NOT_FOUND"] = StatusCode.NotFound,
        ["DATASET_EXISTS"] = StatusCode.AlreadyExists,
        ["RELEASE_EXISTS"] = StatusCode.AlreadyExists,
        ["JOB_EXISTS"] = StatusCode.AlreadyExists,
        ["REQUEST_ID_REUSED"] = StatusCode.AlreadyExists,
        ["BUDGET_EXHAUSTED"] = StatusCode.ResourceExhausted,
        ["BUDGET_KIND_MISMATCH"] = StatusCode.FailedPrecondition,
        ["ACCOUNT_MISMATCH"] = StatusCode.FailedPrecondition,
        ["LIMIT_BELOW_USED"] = StatusCode.FailedPrecondition,
        ["DOMAIN_NOT_DECLARED"] = StatusCode.FailedPrecondition,
        ["NOT_LABELLED"] = StatusCode.FailedPrecondition,
        ["NOT_PER_CLASS"] = StatusCode.FailedPrecondition,
        ["NOT_PUBLIC"] = StatusCode.FailedPrecondition,
        ["NOT_ONE_PASS"] = StatusCode.FailedPrecondition,
        ["NO_CLASS_LARGE_ENOUGH"] = StatusCode.FailedPrecondition,
        ["ENCRYPTION_REQUIRED"] = StatusCode.FailedPrecondition,
        // The key was changed under a server that shares its ledger with others.
        ["ENCRYPTION_KEY_WRONG"] = StatusCode.FailedPrecondition,
        ["RELEASE_NOT_READY"] = StatusCode.FailedPrecondition,
        ["JOB_NOT_READY"] = StatusCode.FailedPrecondition,
        ["DATASET_DELETED"] = StatusCode.FailedPrecondition,
        ["DATASET_HAS_RELEASES"] = StatusCode.FailedPrecondition,
        ["UPLOAD_FINISHED"] = StatusCode.FailedPrecondition,
        ["RELEASE_UNKNOWN_TO_LEDGER"] = StatusCode.FailedPrecondition,
        ["ETAG_MISMATCH"] = StatusCode.Aborted,
        ["SEQUENCE_CONFLICT"] = StatusCode.Aborted,
        ["UPLOAD_TAKEN_OVER"] = StatusCode.Aborted,
        ["SEQUENCE_GAP"] = StatusCode.OutOfRange,
        ["OFFSET_PAST_END"] = StatusCode.OutOfRange,
        ["MESSAGE_TOO_LARGE"] = StatusCode.ResourceExhausted,
        ["LIMIT_EXCEEDED"] = StatusCode.ResourceExhausted,
        ["RATE_LIMITED"] = StatusCode.ResourceExhausted,
        ["OVERLOADED"] = StatusCode.ResourceExhausted,
        ["TOO_MANY_STREAMS"] = StatusCode.ResourceExhausted,
        ["STORAGE_FULL"] = StatusCode.ResourceExhausted,
        ["STREAM_IDLE"] = StatusCode.DeadlineExceeded,
        ["STREAM_TOO_SLOW"] = StatusCode.DeadlineExceeded,
        ["STREAM_EXPIRED"] = StatusCode.DeadlineExceeded,
        ["SHUTTING_DOWN"] = StatusCode.Unavailable,
        ["LEDGER_NOT_SERVING"] = StatusCode.Unavailable,
        ["LEDGER_BEHIND"] = StatusCode.DataLoss,
        ["FILE_CORRUPT"] = StatusCode.DataLoss,
        // The end of a build that was asked to stop; a call that is cancelled has no reason.
        [Cancelled] = StatusCode.Cancelled,
        ["ENGINE_FAILED"] = StatusCode.Internal,
        [Bug] = StatusCode.Internal,
    }.ToFrozenDictionary();

    /// <summary>Whether the same request may succeed a little later: such a status carries RetryInfo.</summary>
    internal static bool IsTransient(string reason) =>
        reason is "RATE_LIMITED" or "OVERLOADED" or "TOO_MANY_STREAMS" or "SHUTTING_DOWN" or "LEDGER_NOT_SERVING";
}
