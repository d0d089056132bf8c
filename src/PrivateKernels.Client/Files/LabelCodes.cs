using System.Globalization;

namespace PrivateKernels.Client;

/// <summary>
/// Turns labels as files hold them into class indices. A text is the name of a class. A number is a name too if any
/// class
/// is named by a number, and otherwise the index of a class, from 0.
/// </summary>
public sealed class LabelCodes
{
    readonly Dictionary<string, uint> _names = new(StringComparer.Ordinal);
    readonly Dictionary<string, uint>.AlternateLookup<ReadOnlySpan<char>> _spans;
    readonly Dictionary<long, uint> _numbers = [];

    public LabelCodes(IReadOnlyList<string> classes)
    {
        for (int c = 0; c < classes.Count; c++)
        {
            _names[classes[c]] = (uint)c;
            if (TryNumber(classes[c], out long number)) _numbers[number] = (uint)c;
        }
        _spans = _names.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public bool TryFind(ReadOnlySpan<char> text, out uint code)
    {
        text = text.Trim();
        return _spans.TryGetValue(text, out code) || (TryNumber(text, out long number) && TryFind(number, out code));
    }

    public bool TryFind(long number, out uint code)
    {
        if (_numbers.Count > 0) return _numbers.TryGetValue(number, out code);
        code = (uint)number;
        return number >= 0 && number < _names.Count;
    }

    static bool TryNumber(ReadOnlySpan<char> text, out long number) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
}
