using System.Security.Cryptography;

namespace PrivateKernels.Tests;

/// <summary>Release files come from strangers: what a header claims must not be believed.</summary>
public sealed class HostileFileTests
{
    [Fact]
    public void A_header_with_any_number_replaced_is_read_as_a_release_or_refused_as_a_file()
    {
        using var engine = new SimdEngine(1);
        foreach (TheoryDataRow<string> row in SketchCases.Names)
        {
            Measurement measurement = SketchCases.Measurement(row.Data, 3);
            byte[] whole = ReleaseFile.Write(SketchCases.WithoutNoise(measurement, SamplePoints.Points(3), null, engine));
            int end = 16 + BitConverter.ToInt32(whole, 12);
            // Text lengths stand at any offset; behind them come long runs of floats, which are all alike.
            for (int at = 156; at < Math.Min(end - 4, 300); at += 3)
                foreach (int claim in (int[])[int.MaxValue, 70_000])
                {
                    byte[] file = [.. whole];
                    BitConverter.TryWriteBytes(file.AsSpan(at), claim);
                    Read(Signed(file));
                }
        }
    }

    [Theory]
    [InlineData("arc_cosine_0", 28), InlineData("gaussian", 28), InlineData("l2", 20)]
    public void A_map_of_more_groups_than_any_has_is_no_release_file(string name, int tail)
    {
        using var engine = new SimdEngine(1);
        Measurement measurement = SketchCases.Measurement(name, 16);
        byte[] file = ReleaseFile.Write(SketchCases.WithoutNoise(measurement, SamplePoints.Points(16), null, engine));
        // The recipe of the map ends the header: frequencies, groups, P, seed, and what the method has besides.
        int radii = measurement.Sketch is FourierSketch ? 4 * measurement.Sketch.Features : 0;
        int at = 16 + BitConverter.ToInt32(file, 12) - tail - radii;
        Assert.Equal(measurement.Sketch.Features, BitConverter.ToInt32(file, at));
        ReleaseFile.Read(Signed(file));
        // An answer keeps numbers for every group: as many of them as frequencies would overflow the stack.
        BitConverter.TryWriteBytes(file.AsSpan(at + 4), measurement.Sketch.Features);
        Assert.Throws<InvalidDataException>(() => ReleaseFile.Read(Signed(file)));
    }

    [Fact]
    public void Classes_without_a_count_are_no_release_file()
    {
        using var engine = new SimdEngine(1);
        Measurement plain = SketchCases.Measurement("gaussian", 16);
        var measurement = new Measurement(plain.Sketch, ["a", "b"], plain.Adjacency, 1, plain.Strength);
        byte[] file = ReleaseFile.Write(SketchCases.WithoutNoise(measurement, SamplePoints.Points(16), new uint[SamplePoints.Count], engine));
        Assert.Throws<InvalidDataException>(() => ReleaseFile.Read(file));
    }

    static byte[] Signed(byte[] file)
    {
        SHA256.HashData(file.AsSpan(0, file.Length - 32)).CopyTo(file, file.Length - 32);
        return file;
    }

    /// <summary>Any exception but that of a bad file fails the test.</summary>
    static void Read(byte[] file)
    {
        try
        {
            ReleaseFile.Read(file);
        }
        catch (InvalidDataException)
        {
            // As it should be.
        }
    }
}
