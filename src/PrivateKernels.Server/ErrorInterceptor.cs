using System.Diagnostics;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Core.Interceptors;
using RpcStatus = Google.Rpc.Status;

namespace PrivateKernels.Server;

/// <summary>
/// Around every call: checks that the datasets it names are granted, turns what it throws into a status with details
/// (<see cref="Statuses"/>), writes one log line, and counts calls and streams.
/// </summary>
sealed class ErrorInterceptor(JsonLog log, StreamSlots slots, Access access, Telemetry telemetry) : Interceptor
{
    static readonly string[] ResourceFields = ["name", "parent", "release", "dataset", "dataset_id"];

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        Run(context, request as IMessage, () => continuation(request, context));

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        Run(context, request as IMessage, async () =>
        {
            using IDisposable slot = slots.Take(Caller.Of(context).Id);
            await continuation(request, responseStream, context);
            return true;
        });

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation) =>
        Run(context, null, async () =>
        {
            using IDisposable slot = slots.Take(Caller.Of(context).Id);
            using CheckedReader<TRequest> frames = Checked(requestStream, context);
            return await continuation(frames, context);
        });

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        Run(context, null, async () =>
        {
            using IDisposable slot = slots.Take(Caller.Of(context).Id);
            using CheckedReader<TRequest> frames = Checked(requestStream, context);
            await continuation(frames, responseStream, context);
            return true;
        });

    async Task<T> Run<T>(ServerCallContext context, IMessage? request, Func<Task<T>> call)
    {
        long began = Stopwatch.GetTimestamp();
        try
        {
            // Access let the call in, so it has a row and a caller.
            if (request is not null) Roles.Find(context.Method)!.Check(Caller.Of(context), request);
            T result = await call();
            Log(context, request, began, StatusCode.OK, "", "");
            return result;
        }
        catch (Exception failure)
        {
            string incident = Guid.NewGuid().ToString("N");
            RpcException translated = Translate(failure, context, incident, out string reason);
            bool bug = reason == Reasons.Bug;
            if (bug) log.Incident(incident, context.Method, failure);
            Log(context, request, began, translated.StatusCode, reason, bug ? incident : "");
            throw translated;
        }
    }

    CheckedReader<T> Checked<T>(IAsyncStreamReader<T> frames, ServerCallContext context) =>
        new(frames, Roles.Find(context.Method)!, Caller.Of(context), access);

    static RpcException Translate(Exception failure, ServerCallContext context, string incident, out string reason)
    {
        reason = "";
        if (failure is RpcException { StatusCode: StatusCode.Unimplemented } && failure is RpcException { Status.Detail: "" })
            return new RpcException(new Status(StatusCode.Unimplemented, "this version of the server does not have this call yet."));
        // The framework found a frame too large while it read the stream.
        if (failure is RpcException { StatusCode: StatusCode.ResourceExhausted } framework && framework.Trailers.Count == 0)
            failure = new Refusal("MESSAGE_TOO_LARGE", "the message is larger than the server takes; split it.");
        // The same for one that it could not read at all.
        if (failure is RpcException { StatusCode: StatusCode.Internal } unread && unread.Trailers.Count == 0) failure = Refusal.NoMessage();
        if (failure is RpcException known) return known;
        if (context.CancellationToken.IsCancellationRequested && failure is OperationCanceledException or IOException)
            return context.Deadline <= DateTime.UtcNow
                ? new RpcException(new Status(StatusCode.DeadlineExceeded, "the deadline passed; nothing was changed."))
                : new RpcException(new Status(StatusCode.Cancelled, "the call was cancelled."));
        RpcStatus status = Statuses.From(failure, incident);
        reason = Statuses.Reason(status);
        return status.ToRpcException();
    }

    void Log(ServerCallContext context, IMessage? request, long began, StatusCode code, string reason, string incident)
    {
        // Only queries are timed: how long anything else takes may depend on how much private data there is.
        bool timed = context.Method.StartsWith("/privatekernels.v1.QueryService/", StringComparison.Ordinal);
        // Whoever asks for health shows no key and may ask without limit: a line for each would let anybody fill the disk.
        if (Caller.Of(context) != Caller.Nobody)
            log.Write(LogLevel.Information, "call", ("method", context.Method), ("key", Caller.Of(context).Id), ("resource", Resource(request)),
                ("code", code), ("reason", reason), ("incident", incident),
                ("trace", Activity.Current is { ParentId: not null } activity ? activity.TraceId : null),
                ("ms", timed ? Math.Round(Stopwatch.GetElapsedTime(began).TotalMilliseconds, 1) : null));
        telemetry.AddCall(context.Method, code, reason, timed ? Stopwatch.GetElapsedTime(began) : null);
    }

    static string Resource(IMessage? request)
    {
        if (request is null) return "";
        foreach (string field in ResourceFields)
            if (request.Descriptor.FindFieldByName(field) is { FieldType: FieldType.String } found)
                return (string)found.Accessor.GetValue(request) is { Length: <= 200 } name && name.All(IsNameCharacter) ? name : "";
        return "";
    }

    /// <summary>A name that is none may hold anything: it stays out of the log.</summary>
    static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '/' or '-';
}
