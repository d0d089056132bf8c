namespace PrivateKernels;

/// <summary>A small measurement of a function of the catalog, through which the audit plays rows and noise.</summary>
/// <param name="Function">Catalog name.</param>
/// <param name="Method">Sketch asked for; null = the planner's choice for the parameters.</param>
/// <param name="Exponent">0 = the function's default.</param>
sealed record AuditCase(string Function, SketchMethod? Method = null, double Exponent = 0)
{
    /// <summary>Exponents of functions that take one: each kind of sketch that serves them.</summary>
    static readonly double[] Exponents = [0, 0.5, 1, 1.5, 1.75, 2, 4];

    /// <summary>Sizes tried in turn: the first that the sketch accepts keeps the audit fast.</summary>
    static readonly int[] Sizes = [16, 32, 64, 0];

    /// <summary>Every function with every sketch and kind of exponent that serves it.</summary>
    public static IEnumerable<AuditCase> Of(AuditEffort effort)
    {
        IEnumerable<PairFunctionEntry> entries = effort.Function is { } only
            ? [Catalog.Functions.FirstOrDefault(e => e.Name == only) ?? throw new UnknownPairFunctionException(only)]
            : Catalog.Functions;
        foreach (PairFunctionEntry entry in entries)
            foreach (double exponent in entry.UsesExponent ? Exponents : [0])
                foreach (SketchMethod method in entry.Methods)
                    yield return new(entry.Name, method, exponent);
    }

    /// <summary>The measurement; null if the sketch does not serve the function with these parameters.</summary>
    public Measurement? Plan(AuditedProduct product, AuditSetting setting)
    {
        int d = setting.Dimension;
        PairFunctionEntry entry = Catalog.Functions.First(e => e.Name == Function);
        var facts = new DatasetFacts(
            new Domain(d, -0.5, 0.5, 0.5 * Math.Sqrt(d)), setting.Adjacency, setting.RecordsPerUnit,
            MaxRecords: 1_000_000,
            [.. Enumerable.Range(0, setting.Classes).Select(static c => $"{c}")],
            setting.Mechanism == MechanismKind.DiscreteLaplace ? CostUnit.Epsilon : CostUnit.MuSquared,
            MaxAbsValue: setting.Weighted ? AuditSetting.MaxAbsValue : 0);
        var request = new ReleaseRequest
        {
            Function = Function,
            Bandwidth = entry.UsesBandwidth ? 0.5 * Math.Sqrt(d) : 0,
            Exponent = Exponent,
            Method = Method,
            Seed = 7,
            Landmarks = Method == SketchMethod.Landmark ? PublicPoints(d) : null,
            PerClass = setting.Classes > 0,
            Weighted = setting.Weighted,
            ClassLeastSquares = setting.LeastSquares,
            Mechanism = setting.Mechanism,
            Loss = new(setting.Epsilon, setting.Mechanism == MechanismKind.DiscreteLaplace ? 0 : setting.Delta),
        };
        foreach (int size in Sizes)
        {
            try
            {
                return product.Plan(request with { Features = size }, facts);
            }
            catch (InvalidFieldException)
            {
                // Not with these parameters or this size; a test demands that every sketch of the catalog is reached.
            }
        }
        return null;
    }

    /// <summary>Points on the diagonal, two bandwidths apart; two of them are corners of the box.</summary>
    static Points PublicPoints(int dimension)
    {
        var values = new float[Sizes[0] * dimension];
        for (int i = 0; i < values.Length; i++) values[i] = i / dimension - (Sizes[0] - 1) / 2f;
        return new(values, dimension);
    }
}

/// <summary>What a case is planned for, besides the function.</summary>
sealed record AuditSetting(
    int Dimension, MechanismKind Mechanism, Adjacency Adjacency, int RecordsPerUnit = 1, int Classes = 0,
    double Epsilon = 1, double Delta = 1e-6, bool Weighted = false, bool LeastSquares = false)
{
    /// <summary>V of weighted sums.</summary>
    public const float MaxAbsValue = 2.5f;

    public override string ToString() =>
        $"d = {Dimension}, {Mechanism}, {Adjacency}, {RecordsPerUnit} per unit, {Classes} classes"
        + (Weighted ? ", weighted" : "") + (LeastSquares ? ", least squares" : "");
}
