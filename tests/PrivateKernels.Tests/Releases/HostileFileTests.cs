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
                    SHA256.HashData(file.AsSpan(0, file.Length - 32)).CopyTo(file, file.Length - 32);
                    Read(file);
                }
        }
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
