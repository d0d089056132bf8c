namespace PrivateKernels.Storage;

/// <summary>Ids in resource names: 1 to 63 lower-case letters, digits and '-', starting with a letter.</summary>
public static class ResourceId
{
    const int MaxLength = 63;

    /// <summary>Throws <see cref="InvalidFieldException"/> unless <paramref name="id"/> is an id.</summary>
    public static void Check(string field, string id)
    {
        bool valid = id.Length is > 0 and <= MaxLength && char.IsAsciiLetterLower(id[0])
            && id.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
        if (!valid)
            throw new InvalidFieldException(field, id, "must be 1 to 63 lower-case letters, digits and '-', starting with a letter");
    }
}
