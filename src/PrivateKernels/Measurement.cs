using System.Security.Cryptography;

namespace PrivateKernels;

/// <summary>
/// A sketch and a mechanism: what is done to private rows to make a release. <see cref="Invoke"/> is the one line that
/// private data crosses to become public.
/// </summary>
/// <remarks>
/// Guarantee: for every two neighbouring data sets the cells differ by at most <see cref="Sensitivity"/>, because each
/// record adds an integer vector whose norm the sketch bounds for every input (rows that are not finite add nothing), and
/// int64 sums cannot overflow below the bound on the number of records that <see cref="LargestRecordCount"/> states. The noise is calibrated
/// to that sensitivity from the integer price, so the release satisfies mu^2 (or epsilon) of at most price 2^-40.
/// </remarks>
public sealed class Measurement
{
    readonly Lazy<byte[]> _recipe;

    public Measurement(
        ISketch sketch, IReadOnlyList<string> classes, Adjacency adjacency, int maxRecordsPerUnit, PrivacyStrength strength)
    {
        if (maxRecordsPerUnit < 1)
            throw new InvalidFieldException("max_records_per_unit", maxRecordsPerUnit, "must be at least 1");
        (Sketch, Classes, Adjacency, MaxRecordsPerUnit, Strength) = (sketch, classes, adjacency, maxRecordsPerUnit, strength);
        Sensitivity one = sketch.Sensitivity(adjacency);
        // Blocks side by side: squared distances add up.
        if (Moments?.Sensitivity(adjacency) is { } more) one = new(one.SquaredL2 + more.SquaredL2, one.L1 + more.L1);
        Sensitivity = one.ForUnit(maxRecordsPerUnit);
        Noise = Mechanisms.Calibrate(strength, Sensitivity);
        _recipe = new(() =>
        {
            var writer = new RecipeWriter();
            Recipe.Write(writer, this);
            return writer.Written.ToArray();
        });
    }

    public ISketch Sketch { get; }

    /// <summary>Classes of a per-class measurement, one block of cells each; empty for a single block.</summary>
    public IReadOnlyList<string> Classes { get; }

    public Adjacency Adjacency { get; }

    public int MaxRecordsPerUnit { get; }

    public PrivacyStrength Strength { get; }

    /// <summary>Distance between neighbours at the level of the unit.</summary>
    public Sensitivity Sensitivity { get; }

    public INoise Noise { get; }

    public int Blocks => Math.Max(1, Classes.Count);

    /// <summary>Second moments of all classes, in cells behind those of the blocks; null without.</summary>
    internal SecondMoments? Moments => (Sketch as FourierSketch)?.Moments;

    /// <summary>Cells of the blocks.</summary>
    internal int BlockCells => checked(Blocks * Sketch.CellCount);

    public long CellCount => (long)Blocks * Sketch.CellCount + (Moments?.CellCount ?? 0);

    /// <summary>Most records that int64 cells hold without overflow: n max|phi| stays below 2^62.</summary>
    public long LargestRecordCount => (1L << 62) / Sketch.LargestCell;

    /// <summary>The public description in bytes, as a release file holds it.</summary>
    internal ReadOnlySpan<byte> RecipeBytes => _recipe.Value;

    /// <summary>SHA-256 of the recipe, 32 bytes: what a receipt is bound to.</summary>
    public ReadOnlyMemory<byte> Fingerprint => SHA256.HashData(_recipe.Value);

    /// <summary>The price in the unit of the account that pays.</summary>
    public PrivacyCost Cost(CostUnit account) => (Strength.Mechanism, account) switch
    {
        (MechanismKind.RoundedNormal, CostUnit.MuSquared) => new(account, Strength.Strength),
        (MechanismKind.DiscreteLaplace, CostUnit.Epsilon) => new(account, Strength.Strength),
        (MechanismKind.DiscreteLaplace, CostUnit.MuSquared) => new(account, Units.OfPureInGaussian(Strength.Strength)),
        _ => throw new MechanismMismatchException(),
    };

    /// <summary>Sums the cells of <paramref name="batches"/>, adds noise, and returns what may leave.</summary>
    /// <param name="receipt">Proof of the charge; redeemed here, before noise is drawn.</param>
    /// <param name="batches">The private rows. Memory use does not depend on how many there are.</param>
    /// <param name="engine">Where the cells are summed; it cannot change them.</param>
    /// <param name="enterReleasing">Called when the sums are complete, before noise is drawn; may throw to give up.</param>
    public Release Invoke(Receipt receipt, IEnumerable<Records> batches, IEngine engine, Action enterReleasing)
    {
        var cells = new long[CellCount];
        return Release(receipt, cells, () => Sum(batches, engine, cells), enterReleasing);
    }

    /// <summary>
    /// Adds noise to sums that were accumulated over rows which are gone, and returns what may leave; clears
    /// <paramref name="accumulated"/>. A receipt is redeemed for every release, whatever was made of the same sums before.
    /// </summary>
    public Release Invoke(Receipt receipt, ExactCells accumulated, Action enterReleasing)
    {
        long[] cells = accumulated.Sums;
        if (cells.Length != CellCount) throw new InvalidDataException("the accumulated cells are those of another map");
        return Release(receipt, cells, () => Complete(cells), enterReleasing);
    }

    Release Release(Receipt receipt, long[] cells, Action sum, Action enterReleasing)
    {
        try
        {
            sum();
            enterReleasing();
            receipt.Redeem(this);
            Noise.AddTo(cells);
            return new Release(this, new Provenance(receipt), [.. cells]);
        }
        finally
        {
            // Exact sums were in here until the noise went in: leave none behind if that was not reached.
            Array.Clear(cells);
        }
    }

    /// <summary>Ends the sums: afterwards the cells are those that the sensitivity speaks of. Called once, after all batches.</summary>
    internal void Complete(long[] cells)
    {
        int size = Sketch.CellCount;
        for (int block = 0; block < Blocks; block++) Sketch.Complete(cells.AsSpan(block * size, size));
    }

    /// <summary>The exact cells, private: for <see cref="Invoke"/>, and for an audit of made-up rows.</summary>
    internal void Sum(IEnumerable<Records> batches, IEngine engine, long[] cells)
    {
        var aggregation = new Aggregation(this, engine, cells);
        foreach (Records batch in batches) aggregation.Add(batch);
        Complete(cells);
    }
}

/// <summary>The account counts epsilon, so only discrete Laplace noise can be paid from it.</summary>
public sealed class MechanismMismatchException() : InvalidOperationException(
    "a pure account (delta = 0) pays for discrete Laplace noise only; ask for mechanism laplace, or give the budget a delta above 0.");
