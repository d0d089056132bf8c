using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace PrivateKernels.Tests;

/// <summary>Calls by bare HTTP/2: any bytes as messages, and the status that comes back.</summary>
sealed class RawCall(Uri address) : IDisposable
{
    readonly HttpClient _http = new(
        new SocketsHttpHandler { EnableMultipleHttp2Connections = true, PooledConnectionLifetime = Timeout.InfiniteTimeSpan })
    {
        BaseAddress = address,
    };

    /// <summary>Sends messages to a method, ends the stream, and reads everything; the canonical code and its details.</summary>
    internal async Task<(int Code, string Message, byte[] Details)> SendAsync(
        string method, IReadOnlyList<byte[]> messages, CancellationToken cancellation, byte compressed = 0,
        string encoding = "")
    {
        using HttpRequestMessage request = Request(method, new ByteArrayContent(Frames(messages, compressed)));
        if (encoding.Length > 0) request.Headers.Add("grpc-encoding", encoding);
        using HttpResponseMessage response = await _http.SendAsync(request, cancellation);
        await response.Content.ReadAsByteArrayAsync(cancellation);
        HttpResponseHeaders headers = response.Headers.Contains("grpc-status") ? response.Headers : response.TrailingHeaders;
        string Of(string name) => headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : "";
        string details = Of("grpc-status-details-bin");
        return (
            int.Parse(Of("grpc-status"), CultureInfo.InvariantCulture), Uri.UnescapeDataString(Of("grpc-message")),
            Convert.FromBase64String(details.PadRight((details.Length + 3) / 4 * 4, '=')));
    }

    /// <summary>Starts a call with a body of one's own, and returns once the server has answered with headers.</summary>
    internal Task<HttpResponseMessage> StartAsync(string method, HttpContent content, CancellationToken cancellation) =>
        _http.SendAsync(Request(method, content), HttpCompletionOption.ResponseHeadersRead, cancellation);

    internal static byte[] Frames(IReadOnlyList<byte[]> messages, byte compressed = 0)
    {
        using var body = new MemoryStream();
        Span<byte> header = stackalloc byte[5];
        foreach (byte[] message in messages)
        {
            header[0] = compressed;
            BinaryPrimitives.WriteInt32BigEndian(header[1..], message.Length);
            body.Write(header);
            body.Write(message);
        }
        return body.ToArray();
    }

    public void Dispose() => _http.Dispose();

    static HttpRequestMessage Request(string method, HttpContent content)
    {
        content.Headers.ContentType = new("application/grpc");
        var request = new HttpRequestMessage(HttpMethod.Post, method)
        {
            Content = content,
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.TE.Add(new("trailers"));
        return request;
    }
}
