using ILGPU;

namespace PrivateKernels.Gpu;

/// <summary>Arguments of the landmark programs; all rows come in whole tiles of 128.</summary>
public struct LandmarkArguments
{
    /// <summary>[record][Stride] coordinates, padded with zeros to a multiple of eight.</summary>
    public ArrayView<F4> Points;

    /// <summary>[landmark][Stride] likewise.</summary>
    public ArrayView<F4> Landmarks;

    /// <summary>[record] weights; empty where every record counts 1.</summary>
    public ArrayView<float> Weights;

    /// <summary>[record][Width] distances, then kernel values.</summary>
    public ArrayView<float> Kernel;

    /// <summary>[i][Width] entries M[i, j], zeros right of the diagonal.</summary>
    public ArrayView<float> Triangle;

    /// <summary>[record][Count] phi; for the program that writes it.</summary>
    public ArrayView<float> Phi;

    /// <summary>[record][Count] cells before the norm clamp; for the program that writes them.</summary>
    public ArrayView<int> Features;

    public int Records;

    /// <summary>Groups of four coordinates per row.</summary>
    public int Stride;

    /// <summary>D.</summary>
    public int Count;

    /// <summary>D rounded up to a multiple of eight.</summary>
    public int Width;

    /// <summary>Profile of the kernel, a <see cref="ProfileKind"/>.</summary>
    public int Profile;

    /// <summary>Constant of the profile.</summary>
    public float Scale;
}

/// <summary>
/// Landmark features as two products of tiles, distances and triangle, with the profile of the kernel between them; see
/// <see cref="LandmarkMap"/> for the recipe. One group per (column tile, row tile).
/// </summary>
public static class LandmarkPrograms
{
    const int Size = TileProduct.Size;

    /// <summary>Squared l2 distances to all landmarks.</summary>
    public static void MeasureSquaredL2(LandmarkArguments arguments) => Measure<SquareStep>(arguments);

    /// <summary>l1 distances to all landmarks.</summary>
    public static void MeasureL1(LandmarkArguments arguments) => Measure<AbsoluteStep>(arguments);

    /// <summary>Writes phi, limited.</summary>
    public static void WriteLandmarks(LandmarkArguments arguments) => Combine<PhiForm>(arguments);

    /// <summary>Writes cells before the norm clamp.</summary>
    public static void WriteLandmarkCells(LandmarkArguments arguments) => Combine<CellForm>(arguments);

    static void Measure<TStep>(LandmarkArguments arguments)
        where TStep : struct, ITileStep
    {
        var panels = SharedMemory.Allocate<F4>(TileProduct.SharedF4);
        int tiles = (arguments.Records + Size - 1) / Size;
        int row = Grid.IdxX % tiles * Size, column = Grid.IdxX / tiles * Size;
        Tile t = TileProduct.Of<TStep>(arguments.Points, arguments.Landmarks, arguments.Stride, panels, row, column);
        Write<DistanceForm>(arguments, t, row, column, arguments.Width);
    }

    static void Combine<TForm>(LandmarkArguments arguments)
        where TForm : struct, ILandmarkForm
    {
        var panels = SharedMemory.Allocate<F4>(TileProduct.SharedF4);
        int tiles = (arguments.Records + Size - 1) / Size;
        int row = Grid.IdxX % tiles * Size, column = Grid.IdxX / tiles * Size;
        // Right of the diagonal there are only zeros, which change no sum.
        int depth = IntrinsicMath.Min(arguments.Width, column + Size) / 4;
        Tile t = TileProduct.Of<ProductStep>(
            arguments.Kernel.Cast<F4>(), arguments.Triangle.Cast<F4>(), arguments.Width / 4, depth, panels, row,
            column);
        Write<TForm>(arguments, t, row, column, arguments.Count);
    }

    static void Write<TForm>(LandmarkArguments arguments, Tile t, int row, int column, int columns)
        where TForm : struct, ILandmarkForm
    {
        int first = row + Group.IdxX / 16 * 4, from = column + Group.IdxX % 16 * 4;
        WriteRow<TForm>(arguments, t.R0, first, from, columns);
        WriteRow<TForm>(arguments, t.R1, first + 1, from, columns);
        WriteRow<TForm>(arguments, t.R2, first + 2, from, columns);
        WriteRow<TForm>(arguments, t.R3, first + 3, from, columns);
        WriteRow<TForm>(arguments, t.R4, first + 64, from, columns);
        WriteRow<TForm>(arguments, t.R5, first + 65, from, columns);
        WriteRow<TForm>(arguments, t.R6, first + 66, from, columns);
        WriteRow<TForm>(arguments, t.R7, first + 67, from, columns);
    }

    static void WriteRow<TForm>(LandmarkArguments arguments, Row8 row, int record, int column, int columns)
        where TForm : struct, ILandmarkForm
    {
        if (record >= arguments.Records) return;
        Write<TForm>(arguments, row.A, record, column, columns);
        Write<TForm>(arguments, row.B, record, column + 1, columns);
        Write<TForm>(arguments, row.C, record, column + 2, columns);
        Write<TForm>(arguments, row.D, record, column + 3, columns);
        Write<TForm>(arguments, row.E, record, column + 64, columns);
        Write<TForm>(arguments, row.F, record, column + 65, columns);
        Write<TForm>(arguments, row.G, record, column + 66, columns);
        Write<TForm>(arguments, row.H, record, column + 67, columns);
    }

    static void Write<TForm>(LandmarkArguments arguments, float value, int record, int column, int columns)
        where TForm : struct, ILandmarkForm
    {
        if (column >= columns) return;
        TForm form = default;
        form.Write(arguments, record, (long)record * columns + column, value);
    }
}

/// <summary>Where the values of a tile go.</summary>
public interface ILandmarkForm
{
    void Write(LandmarkArguments arguments, int record, long at, float value);
}

/// <summary>Distances, as they are.</summary>
public struct DistanceForm : ILandmarkForm
{
    public readonly void Write(LandmarkArguments arguments, int record, long at, float value) =>
        arguments.Kernel[at] = value;
}

/// <summary>phi, limited.</summary>
public struct PhiForm : ILandmarkForm
{
    public readonly void Write(LandmarkArguments arguments, int record, long at, float value) =>
        arguments.Phi[at] = Limited(value);

    internal static float Limited(float value) =>
        value < -LandmarkMap.Limit ? -LandmarkMap.Limit : value > LandmarkMap.Limit ? LandmarkMap.Limit : value;
}

/// <summary>trunc(phi (2^20 - 1)), times the weight.</summary>
public struct CellForm : ILandmarkForm
{
    public readonly void Write(LandmarkArguments arguments, int record, long at, float value) =>
        arguments.Features[at] = (int)(
            PhiForm.Limited(value) * LandmarkMap.Scale * DeviceIntegers.WeightOf(arguments.Weights, record));
}

/// <summary>Kernel values of distances, one thread each.</summary>
public static class ProfilePrograms
{
    public const int Threads = 256;

    /// <summary>Replaces the distances of all records by kernel values.</summary>
    public static void ApplyProfile(LandmarkArguments arguments)
    {
        long values = (long)arguments.Records * arguments.Width;
        for (long from = (long)Grid.IdxX * Threads; from < values; from += (long)Grid.DimX * Threads)
        {
            long at = from + Group.IdxX;
            if (at >= values) continue;
            arguments.Kernel[at] = DeviceProfiles.Of(arguments.Profile, arguments.Kernel[at], arguments.Scale);
        }
    }
}
