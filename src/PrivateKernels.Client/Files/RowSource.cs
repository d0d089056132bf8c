using System.IO.Compression;

namespace PrivateKernels.Client;

/// <summary>The bytes of a file of rows, unpacked if it is gzip, and the errors that name it.</summary>
sealed class RowSource : IAsyncDisposable
{
    readonly FileStream _file;

    RowSource(string path, FileStream file, Stream stream) => (Path, _file, Stream) = (path, file, stream);

    public string Path { get; }

    /// <summary>Unpacked bytes.</summary>
    public Stream Stream { get; }

    public bool IsPacked => Stream != _file;

    /// <summary>Part of the file that has been read, 0 to 1.</summary>
    public double Fraction => _file.Length == 0 ? 1 : (double)_file.Position / _file.Length;

    public static RowSource Open(string path)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 18);
        Span<byte> magic = stackalloc byte[2];
        int read = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false);
        file.Position = 0;
        bool packed = read == 2 && magic is [0x1f, 0x8b];
        return new RowSource(path, file, packed ? new GZipStream(file, CompressionMode.Decompress) : file);
    }

    public RowFormatException Error(string rule, long? row = null, int? column = null, Exception? inner = null) =>
        new(Path, row, column, rule, inner);

    public RowFormatException UnknownLabel(long row, int column) =>
        Error("the label is not a class of the dataset", row, column);

    /// <summary>Reads exactly so many bytes of a header.</summary>
    public void ReadHeader(Span<byte> bytes)
    {
        if (Stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
            throw Error("ends inside its header");
    }

    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync();
        await _file.DisposeAsync();
    }
}
