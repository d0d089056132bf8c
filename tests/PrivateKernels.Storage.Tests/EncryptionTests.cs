using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PrivateKernels.Tests;

public sealed class EncryptionTests : IDisposable
{
    static readonly string UploadId = Guid.NewGuid().ToString();

    readonly Scratch _scratch = new();
    readonly EncryptionKey _key = NewKey(), _other = NewKey();

    StorageOptions Encrypted => _scratch.Options with { EncryptionKey = _key };

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Rows_at_rest_are_ciphertext_and_builds_read_them_bit_for_bit()
    {
        float[][] batches = [Scratch.Rows(50, 1), Scratch.Rows(1, 2), Scratch.Rows(20, 3)];
        using DataDirectory directory = _scratch.Open(Encrypted with { SegmentBytes = 500 });
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Ingest(directory, "people", batches);
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        Assert.Equal(batches.SelectMany(static b => b), Scratch.ReadAll(build));
        byte[] stored = [.. Segments().SelectMany(File.ReadAllBytes)];
        foreach (float[] batch in batches)
        {
            byte[] row = [.. MemoryMarshal.AsBytes<float>(batch.AsSpan(0, Scratch.Dimension))];
            Assert.Equal(-1, stored.AsSpan().IndexOf(row));
            // A checksum in the clear would tell a single row.
            Assert.Equal(-1, stored.AsSpan().IndexOf(BitConverter.GetBytes(Scratch.Batch(1, batch).Crc32C)));
        }
        Assert.Empty(directory.DatasetsInClear());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Values_of_rows_are_read_back_also_after_a_restart_in_the_middle(bool encrypted)
    {
        StorageOptions options = (encrypted ? Encrypted : _scratch.Options) with { SegmentBytes = 300 };
        DatasetDefinition definition = new(
            DatasetKind.Private, new Domain(Scratch.Dimension), Adjacency.AddOrRemoveOne, 1, 0, ["a", "b"],
            OutOfDomainPolicy.Refuse, maxAbsValue: 3);
        float[] values = [.. Enumerable.Range(0, 40).Select(static i => (i % 13 - 6) / 2f)];
        IngestBatch batch(int i) => Scratch.Batch(
            (ulong)i + 1, Scratch.Rows(5, (ulong)i), [0, 1, 0, 1, 1], rowValues: values[(5 * i)..(5 * i + 5)]);
        using (DataDirectory first = _scratch.Open(options))
        {
            await Scratch.Create(first, "spending", Scratch.Gaussian, definition: definition);
            using Upload upload = await first.Datasets.OpenUploadAsync("spending", UploadId);
            for (int i = 0; i < 5; i++) upload.Append(batch(i));
            upload.Flush();
        }
        using DataDirectory again = _scratch.Open(options);
        using Upload rest = await again.Datasets.OpenUploadAsync("spending", UploadId);
        Assert.Equal(6ul, rest.NextSequence);
        for (int i = 5; i < 8; i++) rest.Append(batch(i));
        Assert.Equal(40, await rest.FinishAsync(40, 8));
        Build build = (await again.Ledger.ReserveAsync(Scratch.Request("spending", "r", Scratch.Measurement()))).Build!;
        (float[] Rows, uint[] Labels, float[] Values)[] read =
            [.. build.Read().Select(static r => (r.Values.ToArray(), r.Labels.ToArray(), r.RowValues.ToArray()))];
        Assert.Equal(Enumerable.Range(0, 8).SelectMany(static i => Scratch.Rows(5, (ulong)i)), read.SelectMany(static r => r.Rows));
        Assert.Equal(values, read.SelectMany(static r => r.Values));
        Assert.Equal(Enumerable.Range(0, 8).SelectMany(static _ => (uint[])[0, 1, 0, 1, 1]), read.SelectMany(static r => r.Labels));
    }

    [Fact]
    public async Task A_directory_does_not_open_with_another_key_or_with_none()
    {
        using (DataDirectory directory = _scratch.Open(Encrypted)) await Scratch.Create(directory, "people", Scratch.Gaussian);
        foreach (EncryptionKey? wrong in (EncryptionKey?[])[_other, null])
        {
            StorageException error = Assert.Throws<StorageException>(() => _scratch.Open(Encrypted with { EncryptionKey = wrong }));
            Assert.Equal(Reasons.EncryptionKeyWrong, error.Reason);
            Assert.Equal(78, Reasons.ExitCode(error.Reason));
        }
        using DataDirectory again = _scratch.Open(Encrypted);
    }

    [Fact]
    public async Task Rows_from_before_the_key_stay_readable_and_are_named_and_later_ones_are_encrypted()
    {
        using (DataDirectory clear = _scratch.Open())
        {
            await Scratch.Create(clear, "people", Scratch.Gaussian);
            await Scratch.Ingest(clear, "people", Scratch.Rows(4, 1));
            using Upload half = await clear.Datasets.OpenUploadAsync("people", UploadId);
            half.Append(Scratch.Batch(1, Scratch.Rows(4, 2)));
            half.Flush();
        }
        using DataDirectory directory = _scratch.Open(Encrypted);
        using (Upload rest = await directory.Datasets.OpenUploadAsync("people", UploadId))
        {
            rest.Append(Scratch.Batch(2, Scratch.Rows(4, 3)));
            await rest.FinishAsync(8, 2);
        }
        Assert.Equal(["people"], directory.DatasetsInClear());
        Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
        float[][] rows = [Scratch.Rows(4, 1), Scratch.Rows(4, 2), Scratch.Rows(4, 3)];
        Assert.Equal(rows.SelectMany(static r => r), Scratch.ReadAll(build));
        byte[] stored = [.. Segments().SelectMany(File.ReadAllBytes)];
        Assert.NotEqual(-1, stored.AsSpan().IndexOf(MemoryMarshal.AsBytes<float>(rows[1])));
        Assert.Equal(-1, stored.AsSpan().IndexOf(MemoryMarshal.AsBytes<float>(rows[2])));
    }

    /// <summary>The file's own SHA-256 is made to fit each time: what refuses it is the tag of a block.</summary>
    [Fact]
    public async Task A_flipped_cut_or_moved_block_is_refused_even_where_the_hash_of_the_file_fits()
    {
        using DataDirectory directory = _scratch.Open(Encrypted);
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Create(directory, "others", Scratch.Gaussian, "others");
        await Scratch.Ingest(directory, "people", Scratch.Rows(2, 1), Scratch.Rows(2, 2), Scratch.Rows(2, 3));
        await Scratch.Ingest(directory, "people", Scratch.Rows(2, 4), Scratch.Rows(2, 5), Scratch.Rows(2, 6));
        await Scratch.Ingest(directory, "others", Scratch.Rows(2, 7));
        string uid = directory.Datasets.Get("people").Uid;
        List<SegmentRow> segments = directory.Read(d => DatasetTable.Segments(d, uid));
        string folder = directory.DatasetPath(uid), path = Path.Combine(folder, segments[0].File);
        byte[] whole = File.ReadAllBytes(path), sibling = File.ReadAllBytes(Path.Combine(folder, segments[1].File));
        const int Header = SegmentFormat.HeaderBytes;
        int block = (whole.Length - Header) / 3;
        Assert.Equal(6, Read(directory, uid, folder, segments[0]));

        byte[] Swapped(int a, int b) => [.. whole[..Header], .. Block(whole, a), .. Block(whole, b), .. Block(whole, 3 - a - b)];
        byte[] Block(byte[] file, int index) => file[(Header + index * block)..(Header + (index + 1) * block)];
        byte[] first = Block(whole, 0);
        byte[][] altered =
        [
            .. Enumerable.Range(0, whole.Length).Select(i => { byte[] f = [.. whole]; f[i] ^= 16; return f; }),
            Swapped(1, 0), Swapped(0, 2), Swapped(2, 1),
            [.. whole[..Header], .. Block(sibling, 0), .. whole[(Header + block)..]],
            [.. whole[..Header], .. whole[(Header + block)..]],
            [.. whole, .. first], [.. whole[..Header], .. first, .. whole[Header..]],
        ];
        foreach (byte[] file in altered)
        {
            File.WriteAllBytes(path, file);
            SegmentRow row = segments[0] with { Bytes = file.Length, Sha256 = SHA256.HashData(file) };
            StorageException error = Assert.Throws<StorageException>(() => Read(directory, uid, folder, row));
            Assert.Equal(Reasons.FileCorrupt, error.Reason);
        }
        // Whole blocks cut off the end leave whole blocks: there the committed size and hash decide.
        File.WriteAllBytes(path, whole[..^block]);
        Assert.Throws<StorageException>(() => Read(directory, uid, folder, segments[0]));
        // The file of one dataset under the key of another.
        File.WriteAllBytes(path, whole);
        string stranger = directory.Datasets.Get("others").Uid;
        Assert.Throws<StorageException>(() => Read(directory, stranger, folder, segments[0]));
    }

    [Fact]
    public async Task A_torn_tail_is_cut_and_goes_on_in_another_file_so_that_no_nonce_repeats()
    {
        using (DataDirectory directory = _scratch.Open(Encrypted))
        {
            await Scratch.Create(directory, "people", Scratch.Gaussian);
            using Upload upload = await directory.Datasets.OpenUploadAsync("people", UploadId);
            for (ulong i = 1; i <= 3; i++) upload.Append(Scratch.Batch(i, Scratch.Rows(2, i)));
            upload.Flush();
        }
        string file = Assert.Single(Segments());
        byte[] whole = File.ReadAllBytes(file);
        int block = (whole.Length - SegmentFormat.HeaderBytes) / 3;
        for (int length = whole.Length; length >= 0; length -= 27)
        {
            File.WriteAllBytes(file, whole[..length]);
            ulong blocks = (ulong)Math.Max(0, (length - SegmentFormat.HeaderBytes) / block);
            using DataDirectory directory = _scratch.Open(Encrypted);
            using (Upload upload = await directory.Datasets.OpenUploadAsync("people", UploadId))
            {
                Assert.Equal(blocks + 1, upload.NextSequence);
                upload.Append(Scratch.Batch(blocks + 1, Scratch.Rows(2, 9)));
                upload.Flush();
            }
            string[] files = [.. Segments().Order(StringComparer.Ordinal)];
            Assert.Equal(blocks > 0 ? 2 : 1, files.Length);
            if (blocks > 0) Assert.Equal(whole[..(SegmentFormat.HeaderBytes + (int)blocks * block)], File.ReadAllBytes(file));
            else Assert.NotEqual(whole[8..24], File.ReadAllBytes(file)[8..24]);
            foreach (string made in files[1..]) File.Delete(made);
        }
    }

    [Fact]
    public async Task Deleting_a_dataset_destroys_its_data_key()
    {
        using DataDirectory directory = _scratch.Open(Encrypted);
        await Scratch.Create(directory, "people", Scratch.Gaussian);
        await Scratch.Create(directory, "others", Scratch.Gaussian);
        string uid = directory.Datasets.Get("people").Uid;
        byte[] wrapped = directory.Read(d => KeyTable.Find(d, uid))!;
        Assert.Contains(Files(), f => f.AsSpan().IndexOf(wrapped) >= 0);
        await directory.Datasets.DeleteAsync(Scratch.Call("DeleteDataset", "datasets/people"), "people", "", true, static _ => []);
        Assert.Null(directory.Read(d => KeyTable.Find(d, uid)));
        Assert.NotNull(directory.Read(d => KeyTable.Find(d, directory.Datasets.Get("others").Uid)));
        Assert.All(Files(), f => Assert.Equal(-1, f.AsSpan().IndexOf(wrapped)));

        IEnumerable<byte[]> Files() => Directory.GetFiles(_scratch.Path, "pk.db*").Select(ReadShared);
    }

    [Theory]
    [InlineData("rotate.before_commit", false)]
    [InlineData("rotate.after_commit", true)]
    public async Task A_rotation_that_is_cut_off_leaves_one_key_that_opens_everything(string failpoint, bool isDone)
    {
        float[] rows = Scratch.Rows(5, 1);
        using var copy = new Scratch();
        using (DataDirectory directory = _scratch.Open(Encrypted))
        {
            foreach (string id in (string[])["people", "others"])
            {
                await Scratch.Create(directory, id, Scratch.Gaussian);
                await Scratch.Ingest(directory, id, rows);
            }
            Failpoint.Action = name =>
            {
                // What a kill at this instant would leave on the disk.
                if (name == failpoint) CopyTo(copy.Path);
            };
            Assert.Equal(2, await directory.RotateKeyAsync(_other));
            Failpoint.Action = null;
        }
        foreach (Scratch at in (Scratch[])[copy, _scratch])
        {
            bool isRotated = at == _scratch || isDone;
            (EncryptionKey right, EncryptionKey wrong) = isRotated ? (_other, _key) : (_key, _other);
            Assert.Throws<StorageException>(() => at.Open(at.Options with { EncryptionKey = wrong }));
            using DataDirectory directory = at.Open(at.Options with { EncryptionKey = right });
            Build build = (await directory.Ledger.ReserveAsync(Scratch.Request("people", "r", Scratch.Measurement()))).Build!;
            Assert.Equal(rows, Scratch.ReadAll(build));
        }
    }

    static long Read(DataDirectory directory, string datasetUid, string folder, SegmentRow segment)
    {
        long rows = 0;
        foreach (Records batch in SegmentReader.Read(
            folder, [segment], RowShape.Of(Scratch.Definition), () => directory.OpenKey(datasetUid), static _ => { }))
            rows += batch.Values.Length / Scratch.Dimension;
        return rows;
    }

    string[] Segments() => Directory.GetFiles(_scratch.FileOf("datasets"), "*.seg", SearchOption.AllDirectories);

    void CopyTo(string target)
    {
        foreach (string file in Directory.GetFiles(_scratch.Path, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(_scratch.Path, file);
            if (name is "lock") continue;
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(target, name))!);
            File.WriteAllBytes(Path.Combine(target, name), ReadShared(file));
        }
    }

    static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    internal static EncryptionKey NewKey()
    {
        string file = Path.Combine(Path.GetTempPath(), $"pk-key-{Guid.NewGuid()}");
        try
        {
            EncryptionKey.CreateFile(file);
            return EncryptionKey.FromFile(file, "key");
        }
        finally
        {
            File.Delete(file);
        }
    }
}
