namespace PrivateKernels.Client;

/// <summary>
/// A downloaded release: answers without a server and without budget, bit for bit as the server would.
/// </summary>
public sealed class OfflineRelease : IDisposable
{
    const int SlicePoints = 4096;

    readonly SimdEngine _engine;

    OfflineRelease(Release release, int threads) => (Release, _engine) = (release, new SimdEngine(threads));

    /// <summary>Recipe, privacy and provenance.</summary>
    public Release Release { get; }

    /// <summary>Names of the classes; empty unless the release is per class.</summary>
    public IReadOnlyList<string> Classes => Release.Classes;

    /// <summary>Reads and checks a file.</summary>
    /// <param name="path">As downloaded.</param>
    /// <param name="threads">Threads of the engine; 0 = one per core.</param>
    /// <exception cref="InvalidDataException">It is torn, altered or of another version.</exception>
    public static OfflineRelease Open(string path, int threads = 0) => Read(File.ReadAllBytes(path), threads);

    /// <summary>Reads and checks the bytes of a file.</summary>
    public static OfflineRelease Read(ReadOnlyMemory<byte> file, int threads = 0) =>
        new(ReleaseFile.Read(file), threads);

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
