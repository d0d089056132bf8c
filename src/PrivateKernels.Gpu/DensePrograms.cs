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

    /// <summary>[record][2 m] features; unused by the program that sums.</summary>
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
    public const int TileSize = 128, Threads = 256;

    // Eight coordinates of 128 rows, one coordinate per line; the four words between lines keep stores free of conflicts.
    const int LineF4 = (TileSize + 4) / 4, PanelF4 = 8 * LineF4;

    // Two panels of points, then two of frequencies.
    const int Right = 2 * PanelF4, RightWords = 4 * Right;

    // 15 tiles of 128 records times 2^20 stay inside an int32.
    const int TilesPerFlush = 15;

    /// <summary>
    /// Adds the integer features of all records to Cells. One group per (column tile, slice); thread t owns cell t of the
    /// tile: first the cosines, then the sines.
    /// </summary>
    public static void AddDense(DenseArguments arguments)
    {
        var panels = SharedMemory.Allocate<F4>(4 * PanelF4);
        var sums = SharedMemory.Allocate<int>(2 * TileSize);
        int thread = Group.IdxX, slice = Grid.IdxX % arguments.Slices, column = Grid.IdxX / arguments.Slices * TileSize;
        sums[thread] = 0;
        int step = arguments.Slices * TileSize;
        for (int start = slice * TileSize; start < arguments.Records; start += TilesPerFlush * step)
        {
            int end = IntrinsicMath.Min(arguments.Records, start + TilesPerFlush * step);
            for (int row = start; row < end; row += step)
            {
                Tile phases = Multiply(arguments, panels, row, column);
                if (arguments.Records - row < TileSize) phases = Hide(phases, arguments.Records - row);
                AddTile(sums, phases);
            }
            Flush(arguments, sums, slice, column);
        }
    }

    /// <summary>Writes the features of all records, A cos and A sin in fp32. One group per (column tile, row tile).</summary>
    public static void WriteDense(DenseArguments arguments)
    {
        var panels = SharedMemory.Allocate<F4>(4 * PanelF4);
        int tiles = (arguments.Records + TileSize - 1) / TileSize;
        int row = Grid.IdxX % tiles * TileSize, column = Grid.IdxX / tiles * TileSize;
        Tile phases = Multiply(arguments, panels, row, column);
        int first = row + Group.IdxX / 16 * 4, from = column + Group.IdxX % 16 * 4;
        WriteRow(arguments, phases.R0, first, from);
        WriteRow(arguments, phases.R1, first + 1, from);
        WriteRow(arguments, phases.R2, first + 2, from);
        WriteRow(arguments, phases.R3, first + 3, from);
        WriteRow(arguments, phases.R4, first + 64, from);
        WriteRow(arguments, phases.R5, first + 65, from);
        WriteRow(arguments, phases.R6, first + 66, from);
        WriteRow(arguments, phases.R7, first + 67, from);
    }

    static Tile Multiply(DenseArguments arguments, ArrayView<F4> panels, int row, int column)
    {
        int thread = Group.IdxX, ty = thread / 16, tx = thread % 16, half = thread % 2;
        int source = (row + thread / 2) * arguments.Stride + half, target = (column + thread / 2) * arguments.Stride + half;
        int steps = arguments.Stride / 2, place = half * 4 * LineF4 * 4 + thread / 2;
        ArrayView<float> words = panels.Cast<float>();
        F4 x = arguments.Points[source], w = arguments.Rows[target];
        Transpose(words, place, x);
        Transpose(words, place + RightWords, w);
        Group.Barrier();
        Row8 r0 = default, r1 = default, r2 = default, r3 = default, r4 = default, r5 = default, r6 = default, r7 = default;
        for (int step = 1; step <= steps; step++)
        {
            if (step < steps)
            {
                x = arguments.Points[source + 2 * step];
                w = arguments.Rows[target + 2 * step];
            }
            int panel = (step & 1) == 0 ? PanelF4 : 0;
            for (int k = 0; k < 8; k++)
            {
                int line = panel + k * LineF4;
                F4 high = panels[line + ty], low = panels[line + 16 + ty];
                F4 near = panels[line + Right + tx], far = panels[line + Right + 16 + tx];
                r0 = r0.Add(high.X, near, far);
                r1 = r1.Add(high.Y, near, far);
                r2 = r2.Add(high.Z, near, far);
                r3 = r3.Add(high.W, near, far);
                r4 = r4.Add(low.X, near, far);
                r5 = r5.Add(low.Y, near, far);
                r6 = r6.Add(low.Z, near, far);
                r7 = r7.Add(low.W, near, far);
            }
            if (step < steps)
            {
                int other = place + (PanelF4 - panel) * 4;
                Transpose(words, other, x);
                Transpose(words, other + RightWords, w);
            }
            Group.Barrier();
        }
        return new Tile { R0 = r0, R1 = r1, R2 = r2, R3 = r3, R4 = r4, R5 = r5, R6 = r6, R7 = r7 };
    }

    static void Transpose(ArrayView<float> panel, int place, F4 value)
    {
        panel[place] = value.X;
        panel[place + LineF4 * 4] = value.Y;
        panel[place + LineF4 * 8] = value.Z;
        panel[place + LineF4 * 12] = value.W;
    }

    /// <summary>Hides the rows of a tile that are no records.</summary>
    static Tile Hide(Tile t, int records)
    {
        int left = records - Group.IdxX / 16 * 4;
        return new Tile
        {
            R0 = t.R0.If(left > 0), R1 = t.R1.If(left > 1), R2 = t.R2.If(left > 2), R3 = t.R3.If(left > 3),
            R4 = t.R4.If(left > 64), R5 = t.R5.If(left > 65), R6 = t.R6.If(left > 66), R7 = t.R7.If(left > 67),
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

    static void WriteRow(DenseArguments arguments, Row8 row, int record, int column)
    {
        if (record >= arguments.Records) return;
        Write(arguments, row.A, record, column);
        Write(arguments, row.B, record, column + 1);
        Write(arguments, row.C, record, column + 2);
        Write(arguments, row.D, record, column + 3);
        Write(arguments, row.E, record, column + 64);
        Write(arguments, row.F, record, column + 65);
        Write(arguments, row.G, record, column + 66);
        Write(arguments, row.H, record, column + 67);
    }

    static void Write(DenseArguments arguments, float turns, int record, int frequency)
    {
        if (frequency >= arguments.Frequencies) return;
        ScaledPair pair = DevicePhase.Scaled(turns);
        long cell = (long)record * 2 * arguments.Frequencies + frequency;
        arguments.Features[cell] = pair.Cos;
        arguments.Features[cell + arguments.Frequencies] = pair.Sin;
    }
}
