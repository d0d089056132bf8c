using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the structured programs.</summary>
public struct StructuredArguments
{
    /// <summary>[record][Stride] coordinates, padded with zeros to a multiple of eight.</summary>
    public ArrayView<F4> Points;

    /// <summary>[block][P / 8] signs of eight consecutive values: bit 8 r + k is that of value k in round r.</summary>
    public ArrayView<uint> Flips;

    /// <summary>[block][P] radii in turns.</summary>
    public ArrayView<float> Radii;

    /// <summary>[slice][2 m] sums; unused by the programs that write features.</summary>
    public ArrayView<long> Cells;

    /// <summary>[record][2 m] features, or [record][m] phases; unused by the programs that sum.</summary>
    public ArrayView<float> Features;

    /// <summary>Records in Points.</summary>
    public int Records;

    /// <summary>Groups of four coordinates per row.</summary>
    public int Stride;

    /// <summary>log2 P.</summary>
    public int LogPadded;

    /// <summary>m.</summary>
    public int Frequencies;

    /// <summary>Groups that share the records of one block of P frequencies.</summary>
    public int Slices;
}

/// <summary>
/// Structured Fourier features for P from 8 to 2048: a group of 256 threads turns 2048 / P records at once, eight
/// values per thread. Eight values in registers go through three strides of the transform between two barriers; the
/// butterflies and their order (strides 1, 2, 4, ...) are those of the definition.
/// </summary>
public static class StructuredPrograms
{
    public const int Threads = 256, Values = 8 * Threads, SmallestLog = 3, LargestLog = 11;

    // Records times 2^20 that stay inside an int32.
    const int RecordsPerFlush = 2047;

    /// <summary>Adds the integer features of all records to Cells. One group per (block, slice).</summary>
    public static void AddStructured(StructuredArguments arguments)
    {
        var values = SharedMemory.Allocate<float>(Values);
        var sums = SharedMemory.Allocate<int>(2 * Values);
        int slice = Grid.IdxX % arguments.Slices, block = Grid.IdxX / arguments.Slices;
        int log = arguments.LogPadded, together = Values >> log;
        Octet radii = Radii(arguments, block);
        uint signs = arguments.Flips[(block << (log - 3)) + Place(log)];
        PairSum a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        int waiting = 0;
        for (int first = slice * together; first < arguments.Records; first += arguments.Slices * together)
        {
            int record = first + (Group.IdxX >> (log - 3));
            bool counts = record < arguments.Records;
            Octet v = Rotate(arguments, values, record, signs);
            a = a.Add(counts ? radii.A * v.A : DevicePhase.None);
            b = b.Add(counts ? radii.B * v.B : DevicePhase.None);
            c = c.Add(counts ? radii.C * v.C : DevicePhase.None);
            d = d.Add(counts ? radii.D * v.D : DevicePhase.None);
            e = e.Add(counts ? radii.E * v.E : DevicePhase.None);
            f = f.Add(counts ? radii.F * v.F : DevicePhase.None);
            g = g.Add(counts ? radii.G * v.G : DevicePhase.None);
            h = h.Add(counts ? radii.H * v.H : DevicePhase.None);
            waiting += together;
            if (waiting + together > RecordsPerFlush || first + arguments.Slices * together >= arguments.Records)
            {
                Clear(sums, log);
                int at = Place(log), step = 1 << (log - 3);
                AddPair(sums, log, at, a);
                AddPair(sums, log, at + step, b);
                AddPair(sums, log, at + 2 * step, c);
                AddPair(sums, log, at + 3 * step, d);
                AddPair(sums, log, at + 4 * step, e);
                AddPair(sums, log, at + 5 * step, f);
                AddPair(sums, log, at + 6 * step, g);
                AddPair(sums, log, at + 7 * step, h);
                Flush(arguments, sums, slice, block);
                a = default;
                b = default;
                c = default;
                d = default;
                e = default;
                f = default;
                g = default;
                h = default;
                waiting = 0;
            }
        }
    }

    /// <summary>Writes the features of all records, A cos and A sin in fp32. One group per (block, slice).</summary>
    public static void WriteStructured(StructuredArguments arguments) => Write<PairForm>(arguments);

    /// <summary>Writes the phases of all records. One group per (block, slice).</summary>
    public static void MultiplyStructured(StructuredArguments arguments) => Write<TurnsForm>(arguments);

    static void Write<TForm>(StructuredArguments arguments)
        where TForm : struct, IPhaseForm
    {
        var values = SharedMemory.Allocate<float>(Values);
        int slice = Grid.IdxX % arguments.Slices, block = Grid.IdxX / arguments.Slices;
        int log = arguments.LogPadded, together = Values >> log, step = 1 << (log - 3);
        Octet radii = Radii(arguments, block);
        uint signs = arguments.Flips[(block << (log - 3)) + Place(log)];
        int frequency = (block << log) + Place(log);
        for (int first = slice * together; first < arguments.Records; first += arguments.Slices * together)
        {
            int record = first + (Group.IdxX >> (log - 3));
            Octet v = Rotate(arguments, values, record, signs);
            if (record < arguments.Records)
            {
                Write<TForm>(arguments, radii.A * v.A, record, frequency);
                Write<TForm>(arguments, radii.B * v.B, record, frequency + step);
                Write<TForm>(arguments, radii.C * v.C, record, frequency + 2 * step);
                Write<TForm>(arguments, radii.D * v.D, record, frequency + 3 * step);
                Write<TForm>(arguments, radii.E * v.E, record, frequency + 4 * step);
                Write<TForm>(arguments, radii.F * v.F, record, frequency + 5 * step);
                Write<TForm>(arguments, radii.G * v.G, record, frequency + 6 * step);
                Write<TForm>(arguments, radii.H * v.H, record, frequency + 7 * step);
            }
        }
    }

    /// <summary>A thread's number within its record.</summary>
    static int Place(int log) => Group.IdxX & ((1 << (log - 3)) - 1);

    /// <summary>Three rounds of signs and transform; the thread gets values place + k P / 8, k = 0..7.</summary>
    static Octet Rotate(StructuredArguments arguments, ArrayView<float> values, int record, uint signs)
    {
        int log = arguments.LogPadded, place = Place(log), origin = Group.IdxX >> (log - 3) << log;
        int row = record < arguments.Records ? record * arguments.Stride : -1;
        Octet v = Load(arguments.Points, row, arguments.Stride, place);
        Group.Barrier();                                        // the last record's values have all been read
        for (int round = 0; round < 3; round++)
        {
            int at = origin + 8 * place, stride = 1;
            if (round > 0)
            {
                int from = origin + place;
                Store(values, from, 1 << (log - 3), v);
                Group.Barrier();
                v = Fetch(values, at, 1);
            }
            v = First(v.Flip(signs >> (8 * round)), log);
            int log1 = (log - 1) % 3 + 1;                       // strides done: as many as leave a multiple of three
            for (; log1 < log; log1 += 3)
            {
                Store(values, at, stride, v);
                Group.Barrier();
                stride = 1 << log1;
                at = origin + ((place >> log1) << (log1 + 3)) + (place & (stride - 1));
                v = Fetch(values, at, stride).Stage1().Stage2().Stage4();
            }
        }
        return v;
    }

    /// <summary>The first one, two or three strides, so that the others come in threes.</summary>
    internal static Octet First(Octet v, int log)
    {
        int strides = (log - 1) % 3 + 1;
        v = v.Stage1();
        if (strides > 1) v = v.Stage2();
        if (strides > 2) v = v.Stage4();
        return v;
    }

    /// <summary>
    /// Values 8 place .. 8 place + 7 of a row; zeros beyond its end and for <paramref name="row"/> = -1.
    /// </summary>
    internal static Octet Load(ArrayView<F4> points, int row, int stride, int place)
    {
        if (row < 0 || 2 * place >= stride) return default;
        F4 low = points[row + 2 * place], high = points[row + 2 * place + 1];
        return new() { A = low.X, B = low.Y, C = low.Z, D = low.W, E = high.X, F = high.Y, G = high.Z, H = high.W };
    }

    internal static Octet Fetch(ArrayView<float> values, int at, int stride) => new()
    {
        A = values[Skew(at)],
        B = values[Skew(at + stride)],
        C = values[Skew(at + 2 * stride)],
        D = values[Skew(at + 3 * stride)],
        E = values[Skew(at + 4 * stride)],
        F = values[Skew(at + 5 * stride)],
        G = values[Skew(at + 6 * stride)],
        H = values[Skew(at + 7 * stride)],
    };

    internal static void Store(ArrayView<float> values, int at, int stride, Octet v)
    {
        values[Skew(at)] = v.A;
        values[Skew(at + stride)] = v.B;
        values[Skew(at + 2 * stride)] = v.C;
        values[Skew(at + 3 * stride)] = v.D;
        values[Skew(at + 4 * stride)] = v.E;
        values[Skew(at + 5 * stride)] = v.F;
        values[Skew(at + 6 * stride)] = v.G;
        values[Skew(at + 7 * stride)] = v.H;
    }

    /// <summary>
    /// Where value i lies: a permutation within every 32 words under which the 32 threads of a warp hit 32 banks at
    /// stride 1, 8, 16 and from 32 on, and at most two share a bank at strides 2 and 4.
    /// </summary>
    internal static int Skew(int i) => i ^ ((i >> 5) & 7) ^ ((i >> 3) & 0x18);

    static Octet Radii(StructuredArguments arguments, int block)
    {
        int log = arguments.LogPadded, at = (block << log) + Place(log), step = 1 << (log - 3);
        ArrayView<float> radii = arguments.Radii;
        return new()
        {
            A = radii[at],
            B = radii[at + step],
            C = radii[at + 2 * step],
            D = radii[at + 3 * step],
            E = radii[at + 4 * step],
            F = radii[at + 5 * step],
            G = radii[at + 6 * step],
            H = radii[at + 7 * step],
        };
    }

    static void Clear(ArrayView<int> sums, int log)
    {
        Group.Barrier();
        // Loops that a whole group takes alike, with the condition inside: PoCL runs the first turn of others
        // unchecked.
        for (int from = 0; from < 2 << log; from += Threads)
            if (from + Group.IdxX < 2 << log) sums[from + Group.IdxX] = 0;
        Group.Barrier();
    }

    static void AddPair(ArrayView<int> sums, int log, int at, PairSum sum)
    {
        Atomic.Add(ref sums[at], sum.Cos);
        Atomic.Add(ref sums[(1 << log) + at], sum.Sin);
    }

    static void Flush(StructuredArguments arguments, ArrayView<int> sums, int slice, int block)
    {
        Group.Barrier();
        int padded = 1 << arguments.LogPadded, m = arguments.Frequencies;
        long origin = (long)slice * 2 * m + block * padded;
        for (int from = 0; from < padded; from += Threads)
        {
            int i = from + Group.IdxX;
            if (i >= padded) continue;
            arguments.Cells[origin + i] += sums[i];
            arguments.Cells[origin + m + i] += sums[padded + i];
        }
    }

    internal static void Write<TForm>(StructuredArguments arguments, float turns, int record, int frequency)
        where TForm : struct, IPhaseForm
    {
        TForm form = default;
        form.Write(arguments.Features, arguments.Frequencies, record, frequency, turns);
    }
}
