using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>
/// Pages of a list. A token names the last position given out and is bound to the other fields of its request by a
/// hash; it is opaque, not secret: a forged one only starts the caller's own list elsewhere.
/// </summary>
static class Paging
{
    /// <summary>Bytes of items after which a page is cut: every response stays below 4 MiB.</summary>
    const int MostBytes = 3 << 20;
    const int BindingBytes = 8;

    /// <summary>
    /// Items asked for: 0 = <paramref name="standard"/>, above 1000 is read as 1000, negative is refused.
    /// </summary>
    internal static int Size(int asked, int standard = 50) => asked switch
    {
        < 0 => throw Refusal.Field("page_size", "must not be negative"),
        0 => standard,
        _ => Math.Min(asked, 1000),
    };

    /// <summary>Position after which to go on; null = from the beginning.</summary>
    internal static string? Position(string token, params object[] binding)
    {
        if (token.Length == 0) return null;
        if (token.Length > 512 || !Base64Url.IsValid(token)) throw Invalid();
        byte[] bytes = Base64Url.DecodeFromChars(token);
        if (bytes.Length <= BindingBytes || !bytes.AsSpan(0, BindingBytes).SequenceEqual(Bind(binding))) throw Invalid();
        return Encoding.UTF8.GetString(bytes.AsSpan(BindingBytes));
    }

    internal static Refusal Invalid() =>
        new("INVALID_PAGE_TOKEN", "page_token is not one that this list gave out; start the list again.");

    /// <summary>The place that a position stands for; INVALID_PAGE_TOKEN.</summary>
    internal static ListPlace ReadPlace(string position) =>
        position.Split('/') is [string seconds, string uid]
            && long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out long created)
            && Guid.TryParseExact(uid, "D", out _)
            ? new(created, uid)
            : throw Invalid();

    internal static string Write(ListPlace place) => FormattableString.Invariant($"{place.CreateSeconds}/{place.Uid}");

    internal static string Token(string position, params object[] binding) =>
        Base64Url.EncodeToString([.. Bind(binding), .. Encoding.UTF8.GetBytes(position)]);

    /// <summary>
    /// Takes the items of one page out of <paramref name="found"/> (one more than the page holds, if there are more)
    /// and returns the token of the next page, empty on the last.
    /// </summary>
    internal static string Fill<TItem, TMessage>(
        IReadOnlyList<TItem> found, int size, ICollection<TMessage> page, Func<TItem, TMessage> convert,
        Func<TItem, string> position, params object[] binding)
        where TMessage : IMessage
    {
        int bytes = 0;
        foreach (TItem item in found)
        {
            TMessage message = convert(item);
            bytes += message.CalculateSize();
            if (page.Count == size || (page.Count > 0 && bytes > MostBytes))
                return Token(position(found[page.Count - 1]), binding);
            page.Add(message);
        }
        return "";
    }

    static byte[] Bind(object[] binding) =>
        SHA256.HashData(Encoding.UTF8.GetBytes("pk-page-1\n" + string.Join('\n', binding)))[..BindingBytes];
}
