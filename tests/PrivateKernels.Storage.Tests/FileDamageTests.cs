namespace PrivateKernels.Tests;

/// <summary>
/// Flipped bits and torn writes in every file: the same state, or a refusal by name; never a spend that is lost in silence.
/// SQLite itself takes a damaged log for a shorter one, and acknowledged commits would be gone without a word.
/// </summary>
public sealed class FileDamageTests
{
    const ulong Seed = 20260111;
    const int SectorBytes = 512;

    static string[] Files(DamagedDirectory directory) =>
        [DamagedDirectory.Database, DamagedDirectory.Log, DamagedDirectory.WitnessFile, directory.Release, directory.Segment];

    [Fact]
    public async Task A_flipped_bit_in_any_file_changes_nothing_or_is_refused_by_name()
    {
        using DamagedDirectory directory = await DamagedDirectory.MakeAsync(pageBytes: Scale.Of(4096, 512));
        var random = new PublicRandom(Scale.Seed(Seed));
        int total = 0, refused = 0;
        foreach ((string file, int few) in Files(directory).Zip((int[])[400, 300, 100, 100, 100]))
        {
            // The long run flips every bit of a database of small pages.
            int bits = 8 * directory.Whole(file).Length, count = Scale.IsLong && file == DamagedDirectory.Database ? bits : few * Scale.Of(1, 40);
            int here = 0;
            for (int i = 0; i < count; i++)
                if (Flip(directory, file, count == bits ? i : random.NextBelow(bits)) == DamagedDirectory.Outcome.Refused) here++;
            Scale.Say($"{file}: {count} bits, {here} refused");
            (total, refused) = (total + count, refused + here);
        }
        Assert.InRange(total, 1_000, int.MaxValue);
        Assert.InRange(refused, total / 4, total);
    }

    /// <summary>SQLite's own check passes over a root page without cells that says it has pages below; a reader does not.</summary>
    [Fact]
    public async Task A_flipped_type_of_the_first_page_of_a_table_is_refused_by_name_at_the_start()
    {
        const int PageBytes = 512, LeafBit = 3;
        using DamagedDirectory directory = await DamagedDirectory.MakeAsync(PageBytes);
        long[] roots = directory.RootPages();
        int refused = roots.Count(root => Flip(directory, DamagedDirectory.Database, (int)(8 * PageBytes * (root - 1)) + LeafBit)
            == DamagedDirectory.Outcome.Refused);
        Assert.InRange(refused, 5, roots.Length);
    }

    [Fact]
    public async Task A_file_cut_anywhere_is_the_same_or_refused_by_name()
    {
        using DamagedDirectory directory = await DamagedDirectory.MakeAsync();
        int total = 0, refused = 0;
        foreach (string file in Files(directory))
        {
            byte[] whole = directory.Whole(file);
            bool isLarge = file is DamagedDirectory.Database or DamagedDirectory.Log;
            (int count, int here) = (0, 0);
            for (int length = 0; length < whole.Length; length += isLarge ? SectorBytes : 1, count++)
                if (Damage(directory, file, whole.AsSpan(0, length)) == DamagedDirectory.Outcome.Refused) here++;
            Scale.Say($"{file}: {count} cuts, {here} refused");
            (total, refused) = (total + count, refused + here);
        }
        Assert.InRange(total, 6_000, int.MaxValue);
        // A witness that is cut behind what it says is whole.
        Assert.InRange(refused, 1_000, total);
    }

    [Fact]
    public async Task A_sector_that_never_came_while_later_ones_did_is_the_same_or_refused_by_name()
    {
        using DamagedDirectory directory = await DamagedDirectory.MakeAsync();
        int total = 0, refused = 0;
        foreach (string file in (string[])[DamagedDirectory.Database, DamagedDirectory.Log])
            for (int at = 0; at + SectorBytes <= directory.Whole(file).Length; at += SectorBytes * Scale.Of(4, 1), total++)
            {
                byte[] torn = [.. directory.Whole(file)];
                torn.AsSpan(at, SectorBytes).Clear();
                if (Damage(directory, file, torn) == DamagedDirectory.Outcome.Refused) refused++;
            }
        // Half of a database is slack that was empty before.
        Assert.InRange(refused, total / 8, total);
    }

    static DamagedDirectory.Outcome Flip(DamagedDirectory directory, string file, int bit)
    {
        byte[] flipped = [.. directory.Whole(file)];
        flipped[bit / 8] ^= (byte)(1 << (bit % 8));
        return Damage(directory, file, flipped);
    }

    /// <summary>Database, log and witness are judged at a start; the others when they are read.</summary>
    static DamagedDirectory.Outcome Damage(DamagedDirectory directory, string file, ReadOnlySpan<byte> damaged) => file switch
    {
        DamagedDirectory.Database or DamagedDirectory.Log => directory.Start(file, damaged),
        DamagedDirectory.WitnessFile => directory.Witnessed(damaged),
        _ => directory.Read(file, damaged),
    };
}
