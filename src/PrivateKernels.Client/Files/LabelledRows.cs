namespace PrivateKernels.Client;

/// <summary>Rows of one file with the labels of another, row by row.</summary>
sealed class LabelledRows(IRowReader rows, IRowReader labels, string labelsPath) : IRowReader
{
    long _row;

    public int Dimension => rows.Dimension;

    public bool HasLabels => true;

    public bool HasValues => rows.HasValues;

    public double Fraction => rows.Fraction;

    public async ValueTask<int> ReadAsync(RowBlock block, CancellationToken cancellation = default)
    {
        int count = await rows.ReadAsync(block with { Labels = default }, cancellation);
        // At the end one more is asked for, to notice labels left over.
        int wanted = Math.Max(count, 1), read = 0;
        for (int more = 1; read < wanted && more > 0; read += more)
            more = await labels.ReadAsync(new(default, block.Labels[read..], wanted - read), cancellation);
        if (read != count)
        {
            string rule = read < count ? "there are more rows than labels" : "there are more labels than rows";
            throw new RowFormatException(labelsPath, _row + Math.Min(read, count), null, rule);
        }
        _row += count;
        return count;
    }

    public async ValueTask DisposeAsync()
    {
        await rows.DisposeAsync();
        await labels.DisposeAsync();
    }
}
