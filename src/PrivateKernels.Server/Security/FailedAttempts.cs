using System.Net;
using System.Net.Sockets;

namespace PrivateKernels.Server;

/// <summary>
/// Counts calls without valid credentials: so many per minute and address, then RATE_LIMITED. Valid credentials always
/// pass, so that one bad client behind a shared address shuts nobody out; guessing 256 bits needs no other hindrance.
/// </summary>
sealed class FailedAttempts(TimeProvider clock)
{
    internal const int PerMinute = 10;
    const int MostAddresses = 10_000;
    static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    readonly Dictionary<IPAddress, (long Began, int Count)> _byAddress = [];

    /// <summary>Counts one; false beyond the limit.</summary>
    internal bool Count(IPAddress? address)
    {
        IPAddress source = Source(address);
        lock (_byAddress)
        {
            if (!_byAddress.TryGetValue(source, out var seen) || clock.GetElapsedTime(seen.Began) >= Window)
            {
                if (_byAddress.Count >= MostAddresses) _byAddress.Clear();
                seen = (clock.GetTimestamp(), 0);
            }
            _byAddress[source] = (seen.Began, seen.Count + 1);
            return seen.Count < PerMinute;
        }
    }

    /// <summary>Of IPv6 the network of 64 bits: one customer has all addresses in it.</summary>
    static IPAddress Source(IPAddress? address)
    {
        if (address is null) return IPAddress.None;
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address;
        byte[] bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }
}
