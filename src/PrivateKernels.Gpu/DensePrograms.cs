using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the dense programs; buffers of points and rows hold whole tiles of 128.</summary>
public struct DenseArguments
{
    /// <summary>[record][Stride] coordinates, padded with zeros to a multiple of eight.</summary>
    public ArrayView<F4> Points;

    /// <summary>[frequency][Stride] frequencies in turns, padded likewise.</summary>
    public ArrayView<F4> Rows;

    /// <summary>[slice][2 m] sums; unused by the program that writes features.</summary>
    public ArrayView<long> Cells;

    /// <summary>[record][2 m] features, or [record][m] phases; unused by the program that sums.</summary>
    public ArrayView<float> Features;

    /// <summary>Records in Points.</summary>
    public int Records;

    /// <summary>Groups of four coordinates per row.</summary>
    public int Stride;

    /// <summary>m.</summary>
    public int Frequencies;

    /// <summary>Groups that share the records of one column tile.</summary>
    public int Slices;
}

/// <summary>
/// Dense Fourier features: a matrix product in tiles of 128 records x 128 frequencies, eight coordinates at a time
/// through double-buffered shared memory, 256 threads with 8 x 8 accumulators each. Phases never leave the registers.
/// </summary>
public static class DensePrograms
{
    public const int TileSize = TileProduct.Size, Threads = TileProduct.Threads;

    // 15 tiles of 128 records times 2^20 stay inside an int32.
    const int TilesPerFlush = 15;

    /// <summary>
    /// Adds the integer features of all records to Cells. One group per (column tile, slice); thread t owns cell t of
    /// the tile: first the cosines, then the sines.
    /// </summary>
    public static void AddDense(DenseArguments arguments)
    {
        var panels = SharedMemory.Allocate<F4>(TileProduct.SharedF4);
        var sums = SharedMemory.Allocate<int>(2 * TileSize);
        int thread = Group.IdxX, slice = Grid.IdxX % arguments.Slices, column = Grid.IdxX / arguments.Slices * TileSize;
        sums[thread] = 0;
        int step = arguments.Slices * TileSize;
        for (int start = slice * TileSize; start < arguments.Records; start += TilesPerFlush * step)
        {
            int end = IntrinsicMath.Min(arguments.Records, start + TilesPerFlush * step);
            for (int row = start; row < end; row += step)
            {
                Tile phases = TileProduct.Of<ProductStep>(
                    arguments.Points, arguments.Rows, arguments.Stride, panels, row, column);
                if (arguments.Records - row < TileSize) phases = Hide(phases, arguments.Records - row);
                AddTile(sums, phases);
            }
            Flush(arguments, sums, slice, column);
        }
    }

    /// <summary>
    /// Writes the features of all records, A cos and A sin in fp32. One group per (column tile, row tile).
    /// </summary>
    public static void WriteDense(DenseArguments arguments) => Write<PairForm>(arguments);

    /// <summary>Writes the phases of all records. One group per (column tile, row tile).</summary>
    public static void MultiplyDense(DenseArguments arguments) => Write<TurnsForm>(arguments);

    static void Write<TForm>(DenseArguments arguments)
        where TForm : struct, IPhaseForm
    {
        var panels = SharedMemory.Allocate<F4>(TileProduct.SharedF4);
        int tiles = (arguments.Records + TileSize - 1) / TileSize;
        int row = Grid.IdxX % tiles * TileSize, column = Grid.IdxX / tiles * TileSize;
        Tile phases = TileProduct.Of<ProductStep>(
            arguments.Points, arguments.Rows, arguments.Stride, panels, row, column);
        int first = row + Group.IdxX / 16 * 4, from = column + Group.IdxX % 16 * 4;
        WriteRow<TForm>(arguments, phases.R0, first, from);
        WriteRow<TForm>(arguments, phases.R1, first + 1, from);
        WriteRow<TForm>(arguments, phases.R2, first + 2, from);
        WriteRow<TForm>(arguments, phases.R3, first + 3, from);
        WriteRow<TForm>(arguments, phases.R4, first + 64, from);
        WriteRow<TForm>(arguments, phases.R5, first + 65, from);
        WriteRow<TForm>(arguments, phases.R6, first + 66, from);
        WriteRow<TForm>(arguments, phases.R7, first + 67, from);
    }

    /// <summary>Hides the rows of a tile that are no records.</summary>
    static Tile Hide(Tile t, int records)
    {
        int left = records - Group.IdxX / 16 * 4;
        return new Tile
        {
            R0 = t.R0.If(left > 0),
            R1 = t.R1.If(left > 1),
            R2 = t.R2.If(left > 2),
            R3 = t.R3.If(left > 3),
            R4 = t.R4.If(left > 64),
            R5 = t.R5.If(left > 65),
            R6 = t.R6.If(left > 66),
            R7 = t.R7.If(left > 67),
        };
    }

    static void AddTile(ArrayView<int> sums, Tile t)
    {
        int column = Group.IdxX % 16 * 4;
        AddColumn(sums, column, t.R0.A, t.R1.A, t.R2.A, t.R3.A, t.R4.A, t.R5.A, t.R6.A, t.R7.A);
        AddColumn(sums, column + 1, t.R0.B, t.R1.B, t.R2.B, t.R3.B, t.R4.B, t.R5.B, t.R6.B, t.R7.B);
        AddColumn(sums, column + 2, t.R0.C, t.R1.C, t.R2.C, t.R3.C, t.R4.C, t.R5.C, t.R6.C, t.R7.C);
        AddColumn(sums, column + 3, t.R0.D, t.R1.D, t.R2.D, t.R3.D, t.R4.D, t.R5.D, t.R6.D, t.R7.D);
        AddColumn(sums, column + 64, t.R0.E, t.R1.E, t.R2.E, t.R3.E, t.R4.E, t.R5.E, t.R6.E, t.R7.E);
        AddColumn(sums, column + 65, t.R0.F, t.R1.F, t.R2.F, t.R3.F, t.R4.F, t.R5.F, t.R6.F, t.R7.F);
        AddColumn(sums, column + 66, t.R0.G, t.R1.G, t.R2.G, t.R3.G, t.R4.G, t.R5.G, t.R6.G, t.R7.G);
        AddColumn(sums, column + 67, t.R0.H, t.R1.H, t.R2.H, t.R3.H, t.R4.H, t.R5.H, t.R6.H, t.R7.H);
    }

    static void AddColumn(
        ArrayView<int> sums, int column, float t0, float t1, float t2, float t3, float t4, float t5, float t6, float t7)
    {
        PairSum sum = new PairSum().Add(t0).Add(t1).Add(t2).Add(t3).Add(t4).Add(t5).Add(t6).Add(t7);
        Atomic.Add(ref sums[column], sum.Cos);
        Atomic.Add(ref sums[column + TileSize], sum.Sin);
    }

    static void Flush(DenseArguments arguments, ArrayView<int> sums, int slice, int column)
    {
        Group.Barrier();
        int thread = Group.IdxX, frequency = column + thread % TileSize;
        if (frequency < arguments.Frequencies)
        {
            long cell = (long)slice * 2 * arguments.Frequencies + thread / TileSize * arguments.Frequencies + frequency;
            arguments.Cells[cell] += sums[thread];
        }
        sums[thread] = 0;
        Group.Barrier();
    }

    static void WriteRow<TForm>(DenseArguments arguments, Row8 row, int record, int column)
        where TForm : struct, IPhaseForm
    {
        if (record >= arguments.Records) return;
        Write<TForm>(arguments, row.A, record, column);
        Write<TForm>(arguments, row.B, record, column + 1);
        Write<TForm>(arguments, row.C, record, column + 2);
        Write<TForm>(arguments, row.D, record, column + 3);
        Write<TForm>(arguments, row.E, record, column + 64);
        Write<TForm>(arguments, row.F, record, column + 65);
        Write<TForm>(arguments, row.G, record, column + 66);
        Write<TForm>(arguments, row.H, record, column + 67);
    }

    static void Write<TForm>(DenseArguments arguments, float turns, int record, int frequency)
        where TForm : struct, IPhaseForm
    {
        if (frequency >= arguments.Frequencies) return;
        TForm form = default;
        form.Write(arguments.Features, arguments.Frequencies, record, frequency, turns);
    }
}
