namespace PrivateKernels.Tests;

public sealed class BatchCheckTests
{
    static readonly Domain Box = new(2, lower: -1, upper: 1, maxNorm: 1.2);

    [Theory]
    [InlineData(float.NaN, Reasons.NonFiniteValue)]
    [InlineData(float.PositiveInfinity, Reasons.NonFiniteValue)]
    [InlineData(float.NegativeInfinity, Reasons.NonFiniteValue)]
    [InlineData(3e38f, Reasons.NonFiniteValue)]
    [InlineData(1.5f, Reasons.OutOfDomain)]
    public void A_bad_row_is_named_by_row_and_column_and_never_by_value(float bad, string reason)
    {
        StorageException error = Refused(Of(OutOfDomainPolicy.Refuse), Scratch.Batch(1, [0, 0, 0, bad], dimension: 2));
        Assert.Equal((reason, "1", "1"), (error.Reason, error.Metadata["row"], error.Metadata["column"]));
        Assert.DoesNotContain(bad.ToString("R", System.Globalization.CultureInfo.InvariantCulture), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_row_beyond_the_norm_is_refused_or_moved_as_the_dataset_says()
    {
        float[] rows = [0.9f, 0.9f, 0.1f, -5f];
        StorageException error = Refused(Of(OutOfDomainPolicy.Refuse), Scratch.Batch(1, rows, dimension: 2));
        Assert.Equal((Reasons.OutOfDomain, "max_norm", "0"), (error.Reason, error.Metadata["bound"], error.Metadata["row"]));
        BatchCheck.Apply(Of(OutOfDomainPolicy.Clamp), Scratch.Batch(1, rows, dimension: 2));
        Assert.Null(Box.Check(rows));
        Assert.Equal((0.1f, -1f), (rows[2], rows[3]));
    }

    [Fact]
    public void A_row_that_cannot_be_moved_counts_under_replace_one_and_is_refused_under_add_or_remove()
    {
        float[] rows = [0.5f, float.NaN, 0.25f, 0.25f];
        StorageException error = Refused(Of(OutOfDomainPolicy.Clamp), Scratch.Batch(1, rows, dimension: 2));
        Assert.Equal((Reasons.NonFiniteValue, "0", "1"), (error.Reason, error.Metadata["row"], error.Metadata["column"]));
        BatchCheck.Apply(Of(OutOfDomainPolicy.Clamp, Adjacency.ReplaceOne), Scratch.Batch(1, rows, dimension: 2));
        Assert.Equal([float.NaN, float.NaN, 0.25f, 0.25f], rows);
    }

    [Fact]
    public void Shapes_labels_and_checksums_are_checked()
    {
        DatasetDefinition plain = Of(OutOfDomainPolicy.Refuse), labelled = Of(OutOfDomainPolicy.Refuse, classes: ["a", "b"]);
        Assert.Equal(Reasons.DimensionMismatch, Refused(plain, Scratch.Batch(1, [0, 0, 0], dimension: 3)).Reason);
        Assert.Equal(Reasons.ColumnMismatch, Refused(plain, Scratch.Batch(1, [0, 0], [0], dimension: 2)).Reason);
        Assert.Equal(Reasons.ColumnMismatch, Refused(labelled, Scratch.Batch(1, [0, 0], dimension: 2)).Reason);
        StorageException label = Refused(labelled, Scratch.Batch(1, [0, 0, 0, 0], [1, 2], dimension: 2));
        Assert.Equal((Reasons.LabelOutOfRange, "1", "2"), (label.Reason, label.Metadata["row"], label.Metadata["classes"]));
        IngestBatch damaged = Scratch.Batch(1, [0, 0], dimension: 2);
        Assert.Equal(Reasons.ChecksumMismatch, Refused(plain, damaged with { Crc32C = damaged.Crc32C ^ 1 }).Reason);
        Assert.Throws<InvalidFieldException>(() => BatchCheck.Apply(plain, Scratch.Batch(1, [0, 0, 0], dimension: 2)));
        Assert.Throws<InvalidFieldException>(() => BatchCheck.Apply(plain, Scratch.Batch(1, [], dimension: 2)));
        BatchCheck.Apply(labelled, Scratch.Batch(1, [0, 0, 0, 0], [1, 0], dimension: 2));
    }

    [Fact]
    public void Values_are_clipped_or_refused_by_row_and_counted_as_the_adjacency_wants()
    {
        DatasetDefinition refuse = Valued(OutOfDomainPolicy.Refuse), clamp = Valued(OutOfDomainPolicy.Clamp);
        IngestBatch beyond = Scratch.Batch(1, [0, 0, 0, 0], dimension: 2, rowValues: [2.5f, -2.6f]);
        StorageException error = Refused(refuse, beyond);
        Assert.Equal((Reasons.OutOfDomain, "1", "max_abs_value"), (error.Reason, error.Metadata["row"], error.Metadata["bound"]));
        BatchCheck.Apply(clamp, beyond);
        Assert.Equal([2.5f, -2.5f], beyond.RowValues.ToArray());
        foreach (float value in (float[])[float.NaN, float.PositiveInfinity])
        {
            IngestBatch bad = Scratch.Batch(1, [0.5f, 0, 0.25f, 0], dimension: 2, rowValues: [value, 1]);
            foreach (DatasetDefinition definition in (DatasetDefinition[])[refuse, clamp])
            {
                error = Refused(definition, bad);
                Assert.Equal((Reasons.NonFiniteValue, "0", "values"), (error.Reason, error.Metadata["row"], error.Metadata["column"]));
            }
            BatchCheck.Apply(Valued(OutOfDomainPolicy.Clamp, Adjacency.ReplaceOne), bad);
            Assert.Equal([float.NaN, float.NaN, 0.25f, 0], bad.Values.ToArray());
            Assert.Equal([0, 1], bad.RowValues.ToArray());
        }
        Assert.Equal(Reasons.ColumnMismatch, Refused(refuse, Scratch.Batch(1, [0, 0], dimension: 2)).Reason);
        IngestBatch unexpected = Scratch.Batch(1, [0, 0], dimension: 2, rowValues: [1]);
        Assert.Equal(Reasons.ColumnMismatch, Refused(Of(OutOfDomainPolicy.Refuse), unexpected).Reason);
        IngestBatch damaged = Scratch.Batch(1, [0, 0], dimension: 2, rowValues: [1]);
        damaged.RowValues.Span[0] = 2;
        Assert.Equal(Reasons.ChecksumMismatch, Refused(refuse, damaged).Reason);
        Assert.Equal(refuse.ToBytes(), DatasetDefinition.FromBytes(refuse.ToBytes()).ToBytes());
        Assert.Equal(2.5, DatasetDefinition.FromBytes(refuse.ToBytes()).MaxAbsValue);
        foreach (double bound in (double[])[-1, double.NaN, double.PositiveInfinity, 1e-13, 2e12])
            Assert.Throws<InvalidFieldException>(() => Valued(OutOfDomainPolicy.Refuse, maxAbsValue: bound));
    }

    [Fact]
    public void A_definition_reads_back_as_it_was_and_bad_ones_are_refused()
    {
        DatasetDefinition definition = new(
            DatasetKind.Private, new Domain(2, lower: -1, upper: 1, maxNorm: 3, center: [0.5f, 0.25f]), Adjacency.ReplaceOne, 7, 12345,
            ["α", "b"], OutOfDomainPolicy.Clamp);
        Assert.Equal(definition.ToBytes(), DatasetDefinition.FromBytes(definition.ToBytes()).ToBytes());
        Assert.Throws<InvalidFieldException>(() => Of(OutOfDomainPolicy.Refuse, Adjacency.ReplaceOne));
        Assert.Throws<InvalidFieldException>(() => Of(OutOfDomainPolicy.Refuse, classes: ["a", "a"]));
        Assert.Throws<InvalidFieldException>(() => ResourceId.Check("dataset_id", "1a"));
        Assert.Throws<InvalidFieldException>(() => ResourceId.Check("dataset_id", "a/b"));
        Assert.Throws<InvalidFieldException>(() => ResourceId.Check("dataset_id", new string('a', 64)));
    }

    [Fact]
    public void The_checksum_is_that_of_RFC_3720()
    {
        Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));
        Assert.Equal(0xE3069283u, Crc32C.Compute("6789"u8, Crc32C.Compute("12345"u8)));
        Assert.Equal(0x8A9136AAu, Crc32C.Compute(new byte[32]));
    }

    static DatasetDefinition Of(OutOfDomainPolicy policy, Adjacency adjacency = Adjacency.AddOrRemoveOne, string[]? classes = null) =>
        new(DatasetKind.Private, Box, adjacency, 1, 0, classes ?? [], policy);

    static DatasetDefinition Valued(
        OutOfDomainPolicy policy, Adjacency adjacency = Adjacency.AddOrRemoveOne, double maxAbsValue = 2.5) =>
        new(DatasetKind.Private, Box, adjacency, 1, 0, [], policy, maxAbsValue);

    static StorageException Refused(DatasetDefinition definition, IngestBatch batch) =>
        Assert.Throws<StorageException>(() => BatchCheck.Apply(definition, batch));
}
