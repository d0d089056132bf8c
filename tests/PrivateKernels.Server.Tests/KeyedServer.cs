using Google.LongRunning;
using Grpc.Core;
using Grpc.Core.Interceptors;
using PrivateKernels.Server;

namespace PrivateKernels.Tests;

/// <summary>Clients that show one key.</summary>
sealed record KeyHolder(CallInvoker Calls)
{
    public V1.DatasetService.DatasetServiceClient Datasets { get; } = new(Calls);

    public V1.ReleaseService.ReleaseServiceClient Releases { get; } = new(Calls);

    public V1.QueryService.QueryServiceClient Queries { get; } = new(Calls);

    public Operations.OperationsClient Operations { get; } = new(Calls);

    public static KeyHolder Of(ChannelBase channel, string? key) => new(key is null
        ? channel.CreateCallInvoker()
        : channel.Intercept(headers =>
        {
            headers.Add("authorization", $"Bearer {key}");
            return headers;
        }));
}

/// <summary>A keys file in a temporary folder: keys are made by what they allow.</summary>
sealed class Keys : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-keys-");
    readonly Dictionary<string, string> _keys = [];

    public string Path => System.IO.Path.Combine(_folder.FullName, "keys.json");

    /// <summary>Text of the key of an id.</summary>
    public string this[string id] => _keys[id];

    public string Add(string id, Role role, string dataset, DateTimeOffset? expires = null)
    {
        (_keys[id], KeyEntry entry) = KeyFile.NewKey(new(id, role, [dataset], expires));
        KeyFile.Change(Path, keys => keys.Append(entry));
        return _keys[id];
    }

    public void Revoke(string id) => KeyFile.Change(Path, keys => keys.Where(k => k.Id != id));

    public void Dispose() => _folder.Delete(recursive: true);
}
