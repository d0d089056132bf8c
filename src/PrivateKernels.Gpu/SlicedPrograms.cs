using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the sliced programs.</summary>
public struct SlicedArguments
{
    /// <summary>[record][k] bits of phases, then positions with the side as top bit.</summary>
    public ArrayView<int> Positions;

    /// <summary>[record] weights; empty where every record counts 1.</summary>
    public ArrayView<float> Weights;

    /// <summary>[slice][k 512] packed cells.</summary>
    public ArrayView<long> Cells;

    /// <summary>[group of threads][Groups] sums of group terms.</summary>
    public ArrayView<long> Terms;

    public int Records;

    /// <summary>k, directions.</summary>
    public int Directions;

    /// <summary>Groups of k / Groups consecutive directions, at most 16.</summary>
    public int Groups;

    /// <summary>Groups of threads that share the records of eight directions.</summary>
    public int Slices;

    public int Multiplier;

    public int Shift;

    public long LargestNorm;
}

/// <summary>Position histograms along directions; see <see cref="SlicedMap"/> for the recipe.</summary>
public static class SlicedPrograms
{
    public const int Threads = 256, MostGroups = 16, DirectionsPerGroup = 8;

    /// <summary>Records per launch whose places within a cell, or weights, an int32 can sum.</summary>
    public const int LargestBatch = 1 << 18;

    const int SideBit = int.MinValue, SizeBits = int.MaxValue, Lanes = Threads / MostGroups;

    const long Whole = -1;

    /// <summary>Phases become positions, a record at a time by all threads of a group; group terms are added up.</summary>
    public static void PlaceSliced(SlicedArguments arguments)
    {
        var partial = SharedMemory.Allocate<long>(MostGroups * Threads);
        var sums = SharedMemory.Allocate<long>(MostGroups);
        long own = 0, bound = arguments.LargestNorm * arguments.LargestNorm;
        for (int record = Grid.IdxX; record < arguments.Records; record += Grid.DimX)
        {
            Place(arguments, partial, sums, record, Whole);
            long norm = Norm(arguments, sums);
            if (norm > bound)
            {
                long factor = ((arguments.LargestNorm - 4) << 30) / DeviceIntegers.CeilingSquareRoot(norm);
                Place(arguments, partial, sums, record, factor);
                // By the proof of the map this cannot be above the bound: a record for which it were adds nothing.
                if (Norm(arguments, sums) > bound) Place(arguments, partial, sums, record, 0);
            }
            if (Group.IdxX < arguments.Groups)
                own += DeviceIntegers.Scale(Term(arguments, sums[Group.IdxX]), Weight(arguments, record));
        }
        if (Group.IdxX < arguments.Groups) arguments.Terms[Grid.IdxX * arguments.Groups + Group.IdxX] += own;
    }

    /// <summary>
    /// Adds positions to histograms: one group per (eight directions, slice), its cells in shared memory until the end.
    /// </summary>
    public static void AddSliced(SlicedArguments arguments)
    {
        var counts = SharedMemory.Allocate<int>(DirectionsPerGroup * SlicedMap.CellsPerRow);
        var places = SharedMemory.Allocate<int>(DirectionsPerGroup * SlicedMap.CellsPerRow);
        int slice = Grid.IdxX % arguments.Slices, first = Grid.IdxX / arguments.Slices * DirectionsPerGroup;
        bool isWeighted = arguments.Weights.Length > 0;
        long unit = isWeighted ? SlicedMap.WeightedRecord : SlicedMap.Record;
        const int Size = DirectionsPerGroup * SlicedMap.CellsPerRow, RecordsTogether = Threads / DirectionsPerGroup;
        for (int from = 0; from < Size; from += Threads)
        {
            counts[from + Group.IdxX] = 0;
            places[from + Group.IdxX] = 0;
        }
        Group.Barrier();
        int j = first + Group.IdxX % DirectionsPerGroup, row = Group.IdxX % DirectionsPerGroup * SlicedMap.CellsPerRow;
        int step = arguments.Slices * RecordsTogether;
        for (int from = slice * RecordsTogether; from < arguments.Records; from += step)
        {
            int record = from + Group.IdxX / DirectionsPerGroup;
            if (record >= arguments.Records || j >= arguments.Directions) continue;
            int q = arguments.Positions[(long)record * arguments.Directions + j], size = q & SizeBits;
            int cell = row + (q < 0 ? SlicedMap.CellsPerSide : 0) + (size >> SlicedMap.CellShift);
            int weight = Weight(arguments, record);
            Atomic.Add(ref counts[cell], isWeighted ? weight : 1);
            Atomic.Add(ref places[cell], (int)DeviceIntegers.Scale(size & (SlicedMap.CellSize - 1), weight));
        }
        Group.Barrier();
        long origin = ((long)slice * arguments.Directions + first) * SlicedMap.CellsPerRow;
        for (int from = 0; from < Size; from += Threads)
        {
            int cell = from + Group.IdxX;
            if (first + cell / SlicedMap.CellsPerRow >= arguments.Directions) continue;
            arguments.Cells[origin + cell] += counts[cell] * unit + places[cell];
        }
    }

    /// <summary>The weight of a record in units of 1 / 4096; 4096, which changes nothing, where there are none.</summary>
    static int Weight(SlicedArguments arguments, int record) => arguments.Weights.Length > 0
        ? DeviceIntegers.Nearest(arguments.Weights[record] * SlicedMap.CellSize) : SlicedMap.CellSize;

    /// <summary>trunc(min(|t|, 2^20 - 1)) with the side as top bit; -0 lies on the upper side.</summary>
    static int Position(float t)
    {
        float size = Interop.IntAsFloat(Interop.FloatAsInt(t) & 0x7FFFFFFFu);
        int position = (int)(size > SlicedMap.LargestPosition ? SlicedMap.LargestPosition : size);
        return position | (t < 0f ? SideBit : 0);
    }

    /// <summary>The position times factor 2^-30; one of 0 lies on the upper side when a record adds nothing.</summary>
    static int Shorten(int position, long factor) => factor == 0
        ? 0 : (position & SideBit) | (int)(((position & SizeBits) * factor) >> 30);

    /// <summary>
    /// Phases become positions (factor <see cref="Whole"/>), or positions shorter ones, and sums[g] the sum over group g;
    /// the threads work on it together, each on places that no other one touches.
    /// </summary>
    static void Place(SlicedArguments arguments, ArrayView<long> partial, ArrayView<long> sums, int record, long factor)
    {
        int perGroup = arguments.Directions / arguments.Groups;
        for (int g = 0; g < arguments.Groups; g++)
        {
            long sum = 0;
            for (int from = 0; from < perGroup; from += Threads)
            {
                int j = from + Group.IdxX;
                if (j >= perGroup) continue;
                long at = (long)record * arguments.Directions + g * perGroup + j;
                int bits = arguments.Positions[at];
                int q = factor == Whole ? Position(Interop.IntAsFloat((uint)bits)) : Shorten(bits, factor);
                arguments.Positions[at] = q;
                sum += q & SizeBits;
            }
            partial[g * Threads + Group.IdxX] = sum;
        }
        Group.Barrier();
        // Sixteen threads a group bring 256 numbers down to sixteen, then one of them to the sum.
        int team = Group.IdxX / Lanes, lane = Group.IdxX % Lanes;
        if (team < arguments.Groups)
        {
            long sum = 0;
            for (int i = lane; i < Threads; i += Lanes) sum += partial[team * Threads + i];
            partial[team * Threads + lane] = sum;
        }
        Group.Barrier();
        if (Group.IdxX < arguments.Groups)
        {
            long sum = 0;
            for (int i = 0; i < Lanes; i++) sum += partial[Group.IdxX * Threads + i];
            sums[Group.IdxX] = sum;
        }
        Group.Barrier();
    }

    static long Norm(SlicedArguments arguments, ArrayView<long> sums)
    {
        long norm = 0;
        for (int g = 0; g < arguments.Groups; g++)
        {
            long term = Term(arguments, sums[g]);
            norm += term * term;
        }
        return norm;
    }

    static long Term(SlicedArguments arguments, long sum) => (sum * arguments.Multiplier) >> arguments.Shift;
}
