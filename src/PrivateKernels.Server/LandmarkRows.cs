using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Reads the landmarks that a release asks for from a PUBLIC dataset.</summary>
/// <param name="directory">Where the dataset is.</param>
/// <param name="reservedRows">
/// Rows that it had when the release was reserved: a build takes its landmarks from those, even if more have come since.
/// 0 = all that it has.
/// </param>
sealed class LandmarkRows(DataDirectory directory, long reservedRows = 0)
{
    /// <summary>Rows of the dataset at the last <see cref="Read"/>; 0 if there was none.</summary>
    internal long Rows { get; private set; }

    /// <summary>
    /// Up to <see cref="LandmarkSketch.MostLandmarks"/> rows, evenly spread over the dataset; null if
    /// <paramref name="name"/> is empty. RESOURCE_NOT_FOUND, DATASET_DELETED, NOT_PUBLIC.
    /// </summary>
    internal Points? Read(string name, string field)
    {
        if (name.Length == 0) return null;
        string id = Names.Dataset(name, field);
        DatasetRow dataset = directory.Datasets.Get(id);
        // A private dataset's number of rows is private: refuse before it is looked at.
        IEnumerable<Records> batches = directory.Datasets.ReadPublic(id);
        Rows = reservedRows > 0 ? reservedRows : dataset.RecordCount;
        int d = dataset.Definition.Domain.Dimension, count = (int)Math.Min(Rows, LandmarkSketch.MostLandmarks), taken = 0;
        var values = new float[(long)count * d];
        long first = 0;
        foreach (Records batch in batches)
        {
            long end = first + batch.Values.Length / d;
            // The i-th landmark is row i Rows / count.
            for (; taken < count && taken * Rows / count is var row && row < end; taken++)
                batch.Values.Span.Slice((int)(row - first) * d, d).CopyTo(values.AsSpan(taken * d, d));
            first = end;
            if (taken == count) break;
        }
        return taken == count
            ? new Points(values, d)
            : throw new StorageException(Storage.Reasons.FileCorrupt, "The public dataset has fewer rows than were reserved.");
    }
}
