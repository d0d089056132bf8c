namespace PrivateKernels;

/// <summary>
/// A public linear map: cells = sum over records of phi(x), phi(x) an integer vector of bounded norm for EVERY x; an
/// answer is the inner product of the (noisy) cells with psi(y).
/// </summary>
public interface ISketch
{
    PairFunction Function { get; }

    Domain Domain { get; }

    SketchMethod Method { get; }

    /// <summary>Queries outside the domain's lower and upper are refused: the map says nothing about them.</summary>
    bool AnswersInsideBoxOnly => Function.Entry.NeedsBox;

    /// <summary>Number of random features, grid cells per coordinate or the like; 0 where the method has none.</summary>
    int Features { get; }

    /// <summary>Seed of the public randomness; 0 where the method uses none.</summary>
    ulong Seed { get; }

    /// <summary>Cells of one block (one class, or the whole data set).</summary>
    int CellCount { get; }

    /// <summary>max |phi_int| over all cells: bounds how far int64 cells can grow.</summary>
    long LargestCell { get; }

    /// <summary>Arithmetic of adding one record, in fp32 operations; predicts build times.</summary>
    double OperationsPerRecord { get; }

    /// <summary>
    /// Bytes of the random map in memory once it has been drawn, an engine's own arrangement of it included: often far more than
    /// those of the recipe, which keeps its seed. 0 where the map is negligible.
    /// </summary>
    long MapBytes => 0;

    /// <summary>
    /// Distance between neighbouring data sets, for units of one record. Holds for a single block and for several blocks
    /// (classes) side by side of which a record touches one, also when a record changes its block.
    /// </summary>
    Sensitivity Sensitivity(Adjacency adjacency);

    /// <summary>
    /// Cells of weighted points are so many times those of the same points without weights: sketches that multiply weights as
    /// integers need room for their digits. See <see cref="WeightedSketch"/>.
    /// </summary>
    int WeightUnits => 1;

    /// <summary>
    /// Adds the contributions of canonical points to one block of cells; those of weighted points times their weight, but a
    /// count of records, which is no part of the features, as it is.
    /// </summary>
    void Add(IEngine engine, Points points, Span<long> cells);

    /// <summary>
    /// Turns the sums of one block, all records added and no noise yet, into the cells that are released: the rest of the
    /// linear map, where a sketch does it once for all records. <see cref="Sensitivity"/> speaks of the cells after this.
    /// </summary>
    void Complete(Span<long> block)
    {
    }

    /// <summary>
    /// Brings <paramref name="columns"/> blocks of noisy cells side by side into the form that <see cref="Estimate"/>
    /// reads fastest: the cells as they are, unless a sketch does better. Done once per release.
    /// </summary>
    double[] Prepare(ReadOnlySpan<long> cells, int columns)
    {
        var values = new double[cells.Length];
        for (int i = 0; i < values.Length; i++) values[i] = cells[i];
        return values;
    }

    /// <summary>Answers canonical queries from prepared cells, one answer per column.</summary>
    void Estimate(IEngine engine, Points queries, ReadOnlySpan<double> prepared, RawAnswers answers);

    /// <summary>Reads the number of records off a block; null if this sketch holds no count.</summary>
    CountReading? Count(ReadOnlySpan<long> block);

    /// <summary>
    /// Weights w of the cells with sum_x sum_y f(x, y) = sum_j w_j a_j b_j for the exact cells a of points x and b of points
    /// y, up to the approximation of f; 0 for cells beside the features. Null where f has no feature space.
    /// </summary>
    double[]? FeatureWeights => null;

    /// <summary>The feature that is the same for every record, and so counts them: a cell of a block; null if none is.</summary>
    int? ConstantFeature => null;

    /// <summary>Predicted accuracy from public parameters, for cells of noise variance <paramref name="noiseVariance"/>.</summary>
    (double NoiseStd, double ApproximationStdPerRecord) Predict(double noiseVariance);

    /// <summary>Bytes that <see cref="Write"/> will write.</summary>
    int RecipeBytes { get; }

    /// <summary>Writes what <see cref="Method"/>'s reader needs to rebuild the same map bit for bit.</summary>
    void Write(RecipeWriter writer);
}

/// <summary>A count read off noisy cells: value = weight times a cell; its noise has std |weight| times the cell's.</summary>
public readonly record struct CountReading(double Value, double NoiseFactor);

/// <summary>What a sketch says about queries before noise is priced in; filled by <see cref="ISketch.Estimate"/>.</summary>
/// <param name="queries">Query points.</param>
/// <param name="records">Of each column, about how many records it is made of; 0 where the sketch holds no count.</param>
public sealed class RawAnswers(int queries, double[] records)
{
    public int Queries { get; } = queries;

    public int Columns { get; } = records.Length;

    /// <summary>[column] records that a bound on the error speaks of; never negative.</summary>
    public double[] Records { get; } = records;

    /// <summary>[query][column] answers.</summary>
    public double[] Values { get; } = new double[queries * records.Length];

    /// <summary>Answers are differences between data sets: cells do not show where the records of either lie.</summary>
    public bool AreDifferences { get; set; }

    /// <summary>[query] squared norm of psi: noise variance of an answer over noise variance of a cell.</summary>
    public double[] SquaredPsi { get; } = new double[queries];

    /// <summary>[query] the part of <see cref="SquaredPsi"/> over cells that all groups share, whose noise no group shows.</summary>
    public double[] CommonSquaredPsi { get; } = new double[queries];

    /// <summary>
    /// [query][column] unbiased estimate of the variance of the answer, noise and approximation together, from groups, but
    /// for the noise of <see cref="CommonSquaredPsi"/>; meaningful if <see cref="DegreesOfFreedom"/> is above 0.
    /// </summary>
    public double[] Variance { get; } = new double[queries * records.Length];

    /// <summary>[query][column] bound on the discretisation error, for sketches without groups.</summary>
    public double[] Bound { get; } = new double[queries * records.Length];

    /// <summary>Groups minus one; 0 if <see cref="Variance"/> is not an estimate.</summary>
    public int DegreesOfFreedom { get; set; }

    /// <summary>
    /// Sets answer <paramref name="at"/>, query times columns plus column, from what each group of features gives, in units of
    /// <paramref name="unit"/>: their sum, and from their spread its variance.
    /// </summary>
    internal void SetFromGroups(int at, ReadOnlySpan<double> parts, double unit = 1)
    {
        int groups = parts.Length;
        double total = 0, spread = 0;
        foreach (double part in parts) total += part;
        foreach (double part in parts) spread += (part * groups - total) * (part * groups - total);
        Values[at] = total * unit;
        Variance[at] = spread * unit * unit / (groups * (groups - 1.0));
    }

    /// <summary>
    /// Sets the answers of a query to psi . cells, column by column, for sketches that are exact but for
    /// <paramref name="unitsLost"/> units in each cell of each record.
    /// </summary>
    internal void SetFromCells(int query, ReadOnlySpan<double> psi, ReadOnlySpan<double> prepared, double unitsLost)
    {
        double squared = 0, absolute = 0;
        foreach (double weight in psi)
        {
            squared += weight * weight;
            absolute += Math.Abs(weight);
        }
        SquaredPsi[query] = squared;
        for (int c = 0; c < Columns; c++)
        {
            ReadOnlySpan<double> block = prepared.Slice(c * psi.Length, psi.Length);
            double value = 0;
            for (int j = 0; j < psi.Length; j++) value += psi[j] * block[j];
            Values[query * Columns + c] = value;
            Bound[query * Columns + c] = Records[c] * unitsLost * absolute;
        }
    }
}
