using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>
/// Structured Fourier features for P = 4096 and 8192: as <see cref="StructuredPrograms"/>, but one record at a time and
/// several octets per thread, so values stay in shared memory and every thread adds to its cells after each record.
/// </summary>
public static class LargeStructuredPrograms
{
    public const int Threads = 256, LargestLog = 13;

    /// <summary>Adds the integer features of all records to Cells. One group per (block, slice).</summary>
    public static void AddLargeStructured(StructuredArguments arguments)
    {
        var values = SharedMemory.Allocate<float>(1 << LargestLog);
        int slice = Grid.IdxX % arguments.Slices, block = Grid.IdxX / arguments.Slices;
        int padded = 1 << arguments.LogPadded;
        long origin = (long)slice * 2 * arguments.Frequencies + block * padded;
        for (int record = slice; record < arguments.Records; record += arguments.Slices)
        {
            Rotate(arguments, values, record, block);
            for (int from = 0; from < padded; from += Threads)
            {
                int i = from + Group.IdxX;
                ScaledPair pair = DevicePhase.Scaled(
                    arguments.Radii[block * padded + i] * values[StructuredPrograms.Skew(i)]);
                arguments.Cells[origin + i] += (int)pair.Cos;
                arguments.Cells[origin + arguments.Frequencies + i] += (int)pair.Sin;
            }
            Group.Barrier();
        }
    }

    /// <summary>Writes the features of all records, A cos and A sin in fp32. One group per (block, slice).</summary>
    public static void WriteLargeStructured(StructuredArguments arguments) => Write<PairForm>(arguments);

    /// <summary>Writes the phases of all records. One group per (block, slice).</summary>
    public static void MultiplyLargeStructured(StructuredArguments arguments) => Write<TurnsForm>(arguments);

    static void Write<TForm>(StructuredArguments arguments)
        where TForm : struct, IPhaseForm
    {
        var values = SharedMemory.Allocate<float>(1 << LargestLog);
        int slice = Grid.IdxX % arguments.Slices, block = Grid.IdxX / arguments.Slices;
        int padded = 1 << arguments.LogPadded;
        for (int record = slice; record < arguments.Records; record += arguments.Slices)
        {
            Rotate(arguments, values, record, block);
            for (int from = 0; from < padded; from += Threads)
            {
                int i = from + Group.IdxX;
                float turns = arguments.Radii[block * padded + i] * values[StructuredPrograms.Skew(i)];
                StructuredPrograms.Write<TForm>(arguments, turns, record, block * padded + i);
            }
            Group.Barrier();
        }
    }

    static void Rotate(StructuredArguments arguments, ArrayView<float> values, int record, int block)
    {
        int log = arguments.LogPadded, octets = 1 << (log - 3);
        for (int round = 0; round < 3; round++)
        {
            for (int from = 0; from < octets; from += Threads)
            {
                int place = from + Group.IdxX;
                Octet v = round == 0
                    ? StructuredPrograms.Load(arguments.Points, record * arguments.Stride, arguments.Stride, place)
                    : StructuredPrograms.Fetch(values, 8 * place, 1);
                uint signs = arguments.Flips[block * octets + place] >> (8 * round);
                StructuredPrograms.Store(values, 8 * place, 1, StructuredPrograms.First(v.Flip(signs), log));
            }
            Group.Barrier();
            for (int log1 = (log - 1) % 3 + 1; log1 < log; log1 += 3)
            {
                int stride = 1 << log1;
                for (int from = 0; from < octets; from += Threads)
                {
                    int place = from + Group.IdxX;
                    int at = ((place >> log1) << (log1 + 3)) + (place & (stride - 1));
                    Octet v = StructuredPrograms.Fetch(values, at, stride).Stage1().Stage2().Stage4();
                    StructuredPrograms.Store(values, at, stride, v);
                }
                Group.Barrier();
            }
        }
    }
}
