using System.Security.Cryptography;
using Google.Protobuf;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Request ids: which calls are the same call.</summary>
static class Requests
{
    /// <summary>
    /// Identity of a changing call in the scope (method, parent): its id and the SHA-256 of the request without it,
    /// unknown fields included.
    /// </summary>
    internal static Call Identify<T>(T request, string parent, bool validateOnly = false)
        where T : class, IMessage<T>, IDeepCloneable<T>
    {
        var field = request.Descriptor.FindFieldByName("request_id");
        string id = (string)field.Accessor.GetValue(request);
        if (!Guid.TryParseExact(id, "D", out Guid uuid))
            throw new Refusal("REQUEST_ID_MISSING", "request_id must be a UUID that is new for every new request.",
                ("field", "request_id"));
        T hashed = request.Clone();
        field.Accessor.Clear(hashed);
        string method = typeof(T).Name[..^"Request".Length];
        return new Call(method, parent, uuid.ToString("D"), SHA256.HashData(hashed.ToByteArray()), validateOnly);
    }

    internal static string CheckedText(string text, int most, string field) =>
        text.Length <= most ? text : throw Refusal.Field(field, $"may have at most {most} characters");
}
