using System.Globalization;
using PrivateKernels.Client;

namespace PrivateKernels.Benchmarks;

/// <summary>Images in [0, 1]^784: MNIST in idx files of a folder, or the bundled ones.</summary>
static class ImageFolder
{
    const int Queries = 200;

    /// <summary>Private rows and public images.</summary>
    /// <param name="args">
    /// Folder with train-images* and t10k-images*, or the two files; none = the bundled images. --rows N: the first N private ones.
    /// </param>
    public static async Task<(Points Rows, Points Public)> ReadAsync(string[] args)
    {
        string? most = Option(args, "--rows");
        args = [.. args.TakeWhile(static a => !a.StartsWith("--", StringComparison.Ordinal))];
        string samples = Path.Combine(AppContext.BaseDirectory, "Samples");
        bool isFolder = args.Length > 0 && Directory.Exists(args[0]);
        string images = isFolder ? Directory.GetFiles(args[0], "train-images*")[0]
            : args.ElementAtOrDefault(0) ?? Path.Combine(samples, "private-images.idx.gz");
        string queries = isFolder ? Directory.GetFiles(args[0], "t10k-images*")[0]
            : args.ElementAtOrDefault(1) ?? Path.Combine(samples, "public-images.idx.gz");
        Points rows = await RowFile.ReadAllAsync(images);
        if (most is not null) rows = rows.Slice(0, Math.Min(rows.Count, int.Parse(most, CultureInfo.InvariantCulture)));
        return (rows, await RowFile.ReadAllAsync(queries));
    }

    public static string? Option(string[] args, string name) =>
        Array.IndexOf(args, name) is var at && at >= 0 ? args.ElementAtOrDefault(at + 1) : null;

    /// <summary>The first 200 public images as queries, on the box [0, 1]^784 in the ball about it.</summary>
    public static EvaluationSet Whole(Points rows, Points publicImages, SimdEngine engine) => new(
        "images, d = 784", rows, publicImages.Slice(0, Math.Min(Queries, publicImages.Count)),
        new Domain(rows.Dimension, 0, 1, Math.Sqrt(rows.Dimension)), engine);

    /// <summary>
    /// Projections onto <paramref name="dimension"/> fixed Gaussian vectors, divided by 60 about 1/2 and clipped to [0, 1]: a public
    /// map, chosen without a look at the rows.
    /// </summary>
    public static EvaluationSet Projected(Points rows, Points publicImages, int dimension, SimdEngine engine)
    {
        var random = new PublicRandom(1234);
        float[] directions = [.. Enumerable.Range(0, 3 * rows.Dimension).Select(_ => (float)random.NextNormal())];
        FourierMap map = FourierMap.Dense(rows.Dimension, directions[..(dimension * rows.Dimension)], 1);
        return new(
            $"projected images, d = {dimension}", Project(rows), Project(publicImages.Slice(0, Math.Min(Queries, publicImages.Count))),
            new Domain(dimension, 0, 1, Math.Sqrt(dimension)), engine);

        Points Project(Points points)
        {
            var values = new float[points.Count * dimension];
            engine.MultiplyRows(map, points, values);
            foreach (ref float value in values.AsSpan()) value = Math.Clamp(value / 60 + 0.5f, 0f, 1f);
            Canonical.Flush(values);
            return new(values, dimension);
        }
    }

    /// <summary>A function with the bandwidth by which it distinguishes such images; unit vectors and distances take none.</summary>
    public static PairFunction Function(PairFunctionEntry entry, double exponent = 0) => Catalog.Create(
        entry.Name,
        !entry.UsesBandwidth ? 0 : entry.Name is "laplacian" or "inverse_l1" ? 100 : entry.Name == "gaussian" ? 7 : 10,
        exponent);

    public static ReleaseRequest Request(PairFunction function) => new()
    {
        Function = function.Entry.Name,
        Bandwidth = function.Bandwidth,
        Exponent = function.Entry.UsesExponent ? function.Exponent : 0,
    };
}
