using System.IO.Compression;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Parquet;
using Parquet.Schema;
using PrivateKernels.Client;

namespace PrivateKernels.Tests;

public sealed class ClientFileTests : IDisposable
{
    static readonly float[] Values = [0.25f, -1f, 3.5f, 1e-3f, 7f, -0f];
    static readonly LabelCodes Digits = new(["0", "1", "2"]);
    static readonly LabelCodes Animals = new(["cat", "dog"]);

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pk-files-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(100)]
    public async Task An_npy_file_reads_back_what_was_written_whatever_the_block(int block)
    {
        string path = At("x.npy");
        NpyFile.Write<float>(path, Values, 3);
        AssertRows(3, Values, await ReadAll(await Open(path), block));
    }

    [Fact]
    public async Task Npy_files_of_doubles_and_integers_are_narrowed_and_a_vector_is_one_column()
    {
        NpyFile.Write<double>(At("d.npy"), [0.1, 2], 1);
        NpyFile.Write<long>(At("l.npy"), [-3, 5], 2);
        AssertRows(1, [0.1f, 2f], await ReadAll(await Open(At("d.npy"))));
        AssertRows(2, [-3f, 5f], await ReadAll(await Open(At("l.npy"))));
    }

    [Fact]
    public async Task Npy_files_written_by_numpy_are_understood_also_big_endian_and_version_2()
    {
        byte[] body = [0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0];
        WriteNpy("b.npy", 1, "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1, 2), }", body);
        WriteNpy("v2.npy", 2, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }", [1, 2, 3, 255]);
        WriteNpy("f.npy", 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", body);
        AssertRows(2, [1f, -2f], await ReadAll(await Open(At("b.npy"))));
        AssertRows(2, [1f, 2f, 3f, 255f], await ReadAll(await Open(At("v2.npy"))));
        RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(() => Open(At("f.npy")));
        Assert.Contains("Fortran order", error.Message);
    }

    [Fact]
    public async Task A_file_shorter_than_its_header_says_is_refused_at_the_row_where_it_ends()
    {
        WriteNpy("short.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (9, 1), }", new byte[10]);
        await using IRowReader rows = await Open(At("short.npy"));
        RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(() => ReadAll(rows));
        Assert.Equal(2, error.Row);
        Assert.Contains("9 rows", error.Message);
    }

    [Fact]
    public async Task Idx_bytes_become_the_unit_interval_packed_or_not_and_labels_come_from_a_second_file()
    {
        byte[] images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102];
        byte[] labels = [0, 0, 8, 1, 0, 0, 0, 2, 2, 0];
        File.WriteAllBytes(At("i.idx"), images);
        await using (var packed = new GZipStream(File.Create(At("i-idx3-ubyte.gz")), CompressionLevel.Fastest))
            packed.Write(images);
        File.WriteAllBytes(At("l.idx"), labels);
        float[] expected = [0f, 1f, 51 * (1f / 255), 102 * (1f / 255)];
        AssertRows(2, expected, await ReadAll(await Open(At("i.idx"))));
        AssertRows(2, expected, await ReadAll(await Open(At("i-idx3-ubyte.gz"))));
        Assert.Equal(new uint[] { 2, 0 }, await ReadLabels(await Open(At("i.idx"), At("l.idx"), Digits)));
    }

    [Fact]
    public async Task Idx_files_of_other_types_are_taken_as_they_are()
    {
        File.WriteAllBytes(At("s.idx"), [0, 0, 0x0b, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 1, 0]);
        AssertRows(2, [-2f, 256f], await ReadAll(await Open(At("s.idx"))));
    }

    [Theory]
    [InlineData("a,label,b\n1,dog,2\n3,cat,4\n", 2)]
    [InlineData("a;label;b\r\n1;dog;2\r\n3;cat;4", 2)]
    [InlineData("a\tb\tLabel\n1\t2\t dog\n3\t4\t\"cat\"\n", 2)]
    public async Task A_csv_column_named_label_is_the_label_and_no_coordinate(string text, int dimension)
    {
        File.WriteAllText(At("x.csv"), text);
        AssertRows(dimension, [1f, 2f, 3f, 4f], await ReadAll(await Open(At("x.csv"))));
        Assert.Equal(new uint[] { 1, 0 }, await ReadLabels(await Open(At("x.csv"), Animals)));
    }

    [Fact]
    public async Task A_csv_without_header_starts_with_its_first_line()
    {
        File.WriteAllText(At("x.csv"), "1e-3,2\n-0.5,nan\n");
        (int dimension, float[] values) = await ReadAll(await Open(At("x.csv")));
        Assert.Equal(2, dimension);
        Assert.Equal([1e-3f, 2f, -0.5f, float.NaN], values);
    }

    [Theory]
    [InlineData("a,b\n1,2\n3,x\n", 1, 1, "is no number")]
    [InlineData("a,b\n1,2\n3,\n", 1, 1, "is no number")]
    [InlineData("a,b\n1,2\n3,4,5\n", 1, null, "has 3 fields; the first line has 2")]
    [InlineData("a,label\n1,dog\n2,cow\n", 1, 1, "the label is not a class of the dataset")]
    public async Task A_bad_csv_row_is_named_by_row_and_column_but_not_by_value(
        string text, int row, int? column, string rule)
    {
        File.WriteAllText(At("x.csv"), text);
        RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(
            async () => await ReadAll(await Open(At("x.csv"), Animals)));
        Assert.Equal((row, column, rule), (error.Row, error.Column, error.Rule));
        Assert.DoesNotContain("cow", error.Message);
    }

    [Fact]
    public void A_csv_file_of_numbers_reads_back_to_the_same_bits()
    {
        double[] numbers = [0.1, -1e-300, Math.PI, 1e17];
        CsvFile.Write(At("o.csv"), ["value", "other"], numbers.Chunk(2).Select(static r => r.Cast<object>().ToArray()));
        string[] lines = File.ReadAllLines(At("o.csv"));
        Assert.Equal("value,other", lines[0]);
        Assert.Equal(numbers, lines.Skip(1).SelectMany(static l => l.Split(',')).Select(double.Parse));
    }

    [Fact]
    public async Task Parquet_columns_are_coordinates_over_all_row_groups_and_labels_may_be_text()
    {
        var schema =
            new ParquetSchema(new DataField<float>("a"), new DataField<double?>("b"), new DataField<string>("label"));
        await WriteParquet("x.parquet", schema, static async group =>
        {
            await group.WriteAsync<float>(group.Field(0), new float[] { 1, 3 });
            await group.WriteAsync<double>(group.Field(1), new double?[] { 2, 4 });
            await group.WriteTextAsync(group.Field(2), ["dog", "cat"]);
        }, groups: 2);
        AssertRows(2, [1f, 2f, 3f, 4f, 1f, 2f, 3f, 4f], await ReadAll(await Open(At("x.parquet")), 3));
        Assert.Equal(new uint[] { 1, 0, 1, 0 }, await ReadLabels(await Open(At("x.parquet"), Animals)));
    }

    [Fact]
    public async Task A_parquet_list_column_gives_the_dimension_and_a_list_of_other_length_is_refused()
    {
        var schema =
            new ParquetSchema(new ListField("v", new DataField<float>("element")), new DataField<int>("label"));
        Func<ParquetGroup, Task> write(int[] repetition) => async group =>
        {
            await group.WriteListAsync<float>(group.Field(0), new float[] { 1, 2, 3, 4, 5, 6 }, repetition);
            await group.WriteAsync<int>(group.Field(1), repetition.Count(static r => r == 0) is 2
                ? new[] { 2, 0 }
                : new[] { 1 });
        };
        await WriteParquet("x.parquet", schema, write([0, 1, 1, 0, 1, 1]), groups: 1);
        AssertRows(3, [1f, 2f, 3f, 4f, 5f, 6f], await ReadAll(await Open(At("x.parquet"))));
        Assert.Equal(new uint[] { 2, 0 }, await ReadLabels(await Open(At("x.parquet"), Digits)));
        await WriteParquet("bad.parquet", schema, write([0, 1, 0, 1, 1, 1]), groups: 1);
        RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(() => Open(At("bad.parquet")));
        Assert.Equal((1L, 0), (error.Row, error.Column));
    }

    [Fact]
    public async Task A_missing_parquet_value_is_named_by_row_and_column()
    {
        var schema = new ParquetSchema(new DataField<float>("a"), new DataField<double?>("b"));
        await WriteParquet("x.parquet", schema, static async group =>
        {
            await group.WriteAsync<float>(group.Field(0), new float[] { 1, 3, 5 });
            await group.WriteAsync<double>(group.Field(1), new double?[] { 2, 4, null });
        }, groups: 1);
        RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(
            async () => await ReadAll(await Open(At("x.parquet"))));
        Assert.Equal((2L, 1), (error.Row, error.Column));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Arrow_files_and_streams_are_read_with_labels(bool file)
    {
        RecordBatch batch = new RecordBatch.Builder()
            .Append("a", false, new FloatArray.Builder().Append(1).Append(3).Build())
            .Append("b", false, new Int32Array.Builder().Append(2).Append(4).Build())
            .Append("label", false, new StringArray.Builder().Append("dog").Append("cat").Build())
            .Build();
        WriteArrow("x.arrow", file, batch, batch);
        AssertRows(2, [1f, 2f, 3f, 4f, 1f, 2f, 3f, 4f], await ReadAll(await Open(At("x.arrow")), 3));
        Assert.Equal(new uint[] { 1, 0, 1, 0 }, await ReadLabels(await Open(At("x.arrow"), Animals)));
    }

    [Fact]
    public async Task Arrow_lists_of_fixed_and_free_length_are_rows_and_a_missing_row_is_named()
    {
        var fixedSize = new FixedSizeListArray.Builder(Apache.Arrow.Types.FloatType.Default, 2);
        var free = new ListArray.Builder(Apache.Arrow.Types.FloatType.Default);
        foreach (float first in new[] { 1f, 3f })
        {
            fixedSize.Append();
            ((FloatArray.Builder)fixedSize.ValueBuilder).Append(first).Append(first + 1);
            free.Append();
            ((FloatArray.Builder)free.ValueBuilder).Append(first).Append(first + 1);
        }
        WriteArrow("fixed.arrow", true, new RecordBatch.Builder().Append("v", false, fixedSize.Build()).Build());
        WriteArrow("free.arrow", false, new RecordBatch.Builder().Append("v", true, free.AppendNull().Build()).Build());
        AssertRows(2, [1f, 2f, 3f, 4f], await ReadAll(await Open(At("fixed.arrow"))));
        RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(
            async () => await ReadAll(await Open(At("free.arrow"))));
        Assert.Equal((2L, 0), (error.Row, error.Column));
    }

    [Theory]
    [InlineData("x.csv", "Weight")]
    [InlineData("x.csv", "1")]
    [InlineData("x.npy", "1")]
    [InlineData("x.parquet", "weight")]
    [InlineData("list.parquet", "weight")]
    [InlineData("x.arrow", "weight")]
    public async Task A_column_of_values_is_taken_by_name_or_number_and_is_no_coordinate(string file, string column)
    {
        float[] rows = [1, 2, -0.5f, 3, 4, 7], coordinates = [1, 2, 3, 4], weights = [-0.5f, 7];
        await WriteValued(file, coordinates, weights);
        foreach (int block in (int[])[1, 5])
        {
            await using IRowReader reader = await RowFile.OpenAsync(At(file), null, column, Now);
            Assert.Equal((2, true, false), (reader.Dimension, reader.HasValues, reader.HasLabels));
            var read = (Rows: new List<float>(), Values: new List<float>());
            RowBlock memory = RowBlock.For(reader, block);
            for (int count; (count = await reader.ReadAsync(memory, Now)) > 0;)
            {
                read.Rows.AddRange(memory.Values.Span[..(2 * count)]);
                read.Values.AddRange(memory.RowValues.Span[..count]);
            }
            Assert.Equal(coordinates, read.Rows);
            Assert.Equal(weights, read.Values);
        }
        RowFormatException missing = await Assert.ThrowsAsync<RowFormatException>(
            () => RowFile.OpenAsync(At(file), null, "weights", Now));
        Assert.Contains("no column 'weights'", missing.Message);
    }

    /// <summary>Two rows of two coordinates with a value, "weight", between them or behind a list of them.</summary>
    async Task WriteValued(string file, float[] coordinates, float[] weights)
    {
        float[] rows = [coordinates[0], weights[0], coordinates[1], coordinates[2], weights[1], coordinates[3]];
        float[] a = [rows[0], rows[3]], b = [rows[2], rows[5]];
        NpyFile.Write<float>(At("x.npy"), rows, 3);
        CsvFile.Write(At("x.csv"), ["a", "weight", "b"], rows.Chunk(3).Select(static r => r.Cast<object>().ToArray()));
        WriteArrow("x.arrow", file: true, new RecordBatch.Builder()
            .Append("a", false, new FloatArray.Builder().AppendRange(a).Build())
            .Append("weight", false, new FloatArray.Builder().AppendRange(weights).Build())
            .Append("b", false, new FloatArray.Builder().AppendRange(b).Build()).Build());
        bool list = file.StartsWith("list", StringComparison.Ordinal);
        var weight = new DataField<float>("weight");
        ParquetSchema schema = list
            ? new(new ListField("v", new DataField<float>("element")), weight)
            : new(new DataField<float>("a"), weight, new DataField<float>("b"));
        if (!file.EndsWith(".parquet", StringComparison.Ordinal)) return;
        await WriteParquet(file, schema, async group =>
        {
            if (list) await group.WriteListAsync<float>(group.Field(0), coordinates, [0, 1, 0, 1]);
            else await group.WriteAsync<float>(group.Field(0), a);
            await group.WriteAsync<float>(group.Field(1), weights);
            if (!list) await group.WriteAsync<float>(group.Field(2), b);
        }, groups: 1);
    }

    [Fact]
    public async Task More_labels_than_rows_and_fewer_are_both_refused()
    {
        NpyFile.Write<float>(At("x.npy"), [1, 2, 3], 1);
        NpyFile.Write<int>(At("more.npy"), [0, 1, 2, 0], 1);
        NpyFile.Write<int>(At("fewer.npy"), [0, 1], 1);
        NpyFile.Write<int>(At("unknown.npy"), [0, 1, 7], 1);
        await AssertRefused("more.npy", "more labels than rows");
        await AssertRefused("fewer.npy", "more rows than labels");
        await AssertRefused("unknown.npy", "not a class");

        async Task AssertRefused(string labels, string reason)
        {
            RowFormatException error = await Assert.ThrowsAsync<RowFormatException>(
                async () => await ReadLabels(await Open(At("x.npy"), At(labels), Digits)));
            Assert.Contains(reason, error.Message);
        }
    }

    [Fact]
    public async Task A_file_of_no_known_kind_and_an_empty_one_are_refused()
    {
        File.WriteAllBytes(At("x.bin"), [1, 2, 3, 4]);
        File.WriteAllBytes(At("empty.csv"), []);
        await Assert.ThrowsAsync<RowFormatException>(() => Open(At("x.bin")));
        await Assert.ThrowsAsync<RowFormatException>(() => Open(At("empty.csv")));
    }

    [Fact]
    public void A_number_is_a_class_name_if_classes_are_numbers_and_an_index_otherwise()
    {
        var odd = new LabelCodes(["1", "3"]);
        Assert.True(odd.TryFind(3, out uint three));
        Assert.Equal(1u, three);
        Assert.False(odd.TryFind(0, out _));
        Assert.True(Animals.TryFind("1", out uint dog));
        Assert.Equal(1u, dog);
        Assert.False(Animals.TryFind(2, out _));
    }

    static CancellationToken Now => TestContext.Current.CancellationToken;

    static Task<IRowReader> Open(string path, LabelCodes? labels = null) => RowFile.OpenAsync(path, labels, null, Now);

    static Task<IRowReader> Open(string path, string labelsPath, LabelCodes labels) =>
        RowFile.OpenAsync(path, labelsPath, labels, null, Now);

    string At(string name) => Path.Combine(_folder.FullName, name);

    void WriteNpy(string name, byte version, string literal, byte[] body)
    {
        byte[] text = Encoding.ASCII.GetBytes(literal + "\n");
        byte[] length = version == 1 ? [(byte)text.Length, 0] : [(byte)text.Length, 0, 0, 0];
        File.WriteAllBytes(At(name), [0x93, .. "NUMPY"u8, version, 0, .. length, .. text, .. body]);
    }

    void WriteArrow(string name, bool file, params RecordBatch[] batches)
    {
        using FileStream stream = File.Create(At(name));
        using ArrowStreamWriter writer = file
            ? new ArrowFileWriter(stream, batches[0].Schema)
            : new ArrowStreamWriter(stream, batches[0].Schema);
        foreach (RecordBatch batch in batches) writer.WriteRecordBatch(batch);
        writer.WriteEnd();
    }

    async Task WriteParquet(string name, ParquetSchema schema, Func<ParquetGroup, Task> write, int groups)
    {
        await using FileStream stream = File.Create(At(name));
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(schema, stream, null, false, Now);
        for (int g = 0; g < groups; g++)
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await write(new(schema, group));
        }
    }

    static void AssertRows(int dimension, float[] values, (int Dimension, float[] Values) read)
    {
        Assert.Equal(dimension, read.Dimension);
        Assert.Equal(values, read.Values);
    }

    static async Task<(int Dimension, float[] Values)> ReadAll(IRowReader reader, int block = 2)
    {
        await using (reader)
        {
            var values = new List<float>();
            RowBlock memory = RowBlock.For(reader, block);
            for (int rows; (rows = await reader.ReadAsync(memory, Now)) > 0;)
                values.AddRange(memory.Values.Span[..(rows * reader.Dimension)]);
            return (reader.Dimension, [.. values]);
        }
    }

    static async Task<uint[]> ReadLabels(IRowReader reader)
    {
        await using (reader)
        {
            Assert.True(reader.HasLabels);
            var labels = new List<uint>();
            RowBlock memory = RowBlock.For(reader, 2);
            for (int rows; (rows = await reader.ReadAsync(memory, Now)) > 0;)
                labels.AddRange(memory.Labels.Span[..rows]);
            return [.. labels];
        }
    }

    sealed record ParquetGroup(ParquetSchema Schema, ParquetRowGroupWriter Writer)
    {
        public DataField Field(int column) => Schema.DataFields[column];

        public Task WriteAsync<T>(DataField field, ReadOnlyMemory<T> values)
            where T : struct
            => Writer.WriteAsync(field, values, null);

        public Task WriteListAsync<T>(DataField field, ReadOnlyMemory<T> values, int[] repetition)
            where T : struct
        {
            int[] definition = [.. Enumerable.Repeat(field.MaxDefinitionLevel, repetition.Length)];
            return Writer.WriteAllPartsAsync(field, values, definition.AsMemory(), repetition.AsMemory(), Now);
        }

        public Task WriteAsync<T>(DataField field, T?[] values)
            where T : struct
            => Writer.WriteAsync<T>(field, values.AsMemory(), null);

        public Task WriteTextAsync(DataField field, string[] values) => Writer.WriteAsync(field, values, null);
    }
}
