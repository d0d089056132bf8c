namespace PrivateKernels.Client;

/// <summary>
/// A downloaded release: answers without a server and without budget, bit for bit as the server would.
/// </summary>
public sealed class OfflineRelease : IDisposable
{
    const int SlicePoints = 4096;

    readonly SimdEngine _engine;

    OfflineRelease(ReleasedSums release, int threads) => (Release, _engine) = (release, new SimdEngine(threads));

    /// <summary>A <see cref="PrivateKernels.Release"/> with its privacy and provenance, or a
    /// <see cref="CombinedRelease"/>.</summary>
    public ReleasedSums Release { get; }

    /// <summary>Names of the classes; empty unless the release is per class.</summary>
    public IReadOnlyList<string> Classes => Release.Classes;

    /// <summary>Reads and checks a file.</summary>
    /// <param name="path">As downloaded.</param>
    /// <param name="threads">Threads of the engine; 0 = one per core.</param>
    /// <exception cref="InvalidDataException">It is torn, altered or of another version.</exception>
    public static OfflineRelease Open(string path, int threads = 0) => Read(File.ReadAllBytes(path), threads);

    /// <summary>Reads and checks the bytes of a file, of a release or of a combination.</summary>
    public static OfflineRelease Read(ReadOnlyMemory<byte> file, int threads = 0) =>
        new(CombinedFile.Recognizes(file.Span) ? CombinedFile.Read(file) : ReleaseFile.Read(file), threads);

    /// <summary>Sums over the records of several releases of disjoint data; post-processing, free.</summary>
    /// <exception cref="MapMismatchException">Names every field in which the maps differ.</exception>
    /// <exception cref="SharedParentException">A release occurs twice.</exception>
    public static OfflineRelease Add(params IReadOnlyList<OfflineRelease> releases) =>
        new(ReleaseAlgebra.Add([.. releases.Select(static r => r.Release)]), 0);

    /// <summary>Sums over the records of the first less those over the records of the second.</summary>
    /// <exception cref="MapMismatchException">Names every field in which the maps differ.</exception>
    /// <exception cref="SharedParentException">A release occurs in both.</exception>
    public static OfflineRelease Subtract(OfflineRelease from, OfflineRelease subtrahend) =>
        new(ReleaseAlgebra.Subtract(from.Release, subtrahend.Release), 0);

    /// <summary>One per-class release with the classes of all; a class that several have is added up.</summary>
    /// <exception cref="NotPerClassException">One of them has no classes.</exception>
    /// <exception cref="MapMismatchException">Names every field in which the maps differ.</exception>
    /// <exception cref="SharedParentException">A release occurs twice.</exception>
    public static OfflineRelease Merge(params IReadOnlyList<OfflineRelease> releases) =>
        new(ReleaseAlgebra.Merge([.. releases.Select(static r => r.Release)]), 0);

    /// <summary>Writes the file that <see cref="Open"/> reads; the path holds the whole file or what it held
    /// before.</summary>
    public void Save(string path)
    {
        string part = path + ".part";
        File.WriteAllBytes(
            part, Release is CombinedRelease combined ? CombinedFile.Write(combined) : ReleaseFile.Write((Release)Release));
        File.Move(part, path, overwrite: true);
    }

    /// <summary>Kernel mean of the records, or of those of one class.</summary>
    /// <param name="className">A class; null = all records.</param>
    /// <param name="records">Their number, if it is public; null = the noisy count of the release.</param>
    public KernelMean Mean(string? className = null, double? records = null) =>
        KernelMean.Of(Release, className, records);

    /// <summary>
    /// Kernel mean of public points, such as synthetic data, under the map of this release: compare it by
    /// <see cref="KernelMean.Discrepancy"/>.
    /// </summary>
    public KernelMean MeanOf(Points publicPoints) => KernelMean.Of(Release.Sketch, publicPoints, _engine);

    /// <summary>Sums over all records.</summary>
    public Answers Query(Points points) => Gathering.Join(Slices(points, slice => Release.Estimate(slice, _engine)));

    /// <summary>Sums over the records of each class of a per-class release.</summary>
    public IReadOnlyList<ClassAnswers> QueryByClass(Points points) =>
        Gathering.Join(Slices(points, slice => Release.EstimateByClass(slice, _engine)));

    /// <summary>Classifies by a per-class release; null = the best score that it allows.</summary>
    public Classification Classify(Points points, ClassScore? score = null) =>
        Gathering.Join(Slices(points, slice => Release.Classify(slice, score, _engine)));

    public void Dispose() => _engine.Dispose();

    static T[] Slices<T>(Points points, Func<Points, T> answer)
    {
        IReadOnlyList<Points> slices = Gathering.Split(points, SlicePoints);
        var replies = new T[slices.Count];
        for (int i = 0; i < replies.Length; i++)
        {
            try
            {
                replies[i] = answer(slices[i]);
            }
            catch (OutOfDomainException e)
            {
                throw new OutOfDomainException(e.Violation with { Row = e.Violation.Row + i * SlicePoints });
            }
        }
        return replies;
    }
}
