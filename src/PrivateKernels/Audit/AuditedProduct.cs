namespace PrivateKernels;

/// <summary>
/// The functions that the product's privacy rests on, as the audit calls them: by default the product's own. Tests put
/// broken variants in their place and demand that a check sees each of them.
/// </summary>
/// <param name="Engine">Where cells are summed.</param>
sealed record AuditedProduct(IEngine Engine)
{
    /// <summary>From a request to what would be invoked.</summary>
    public Func<ReleaseRequest, DatasetFacts, Measurement> Plan { get; init; } =
        static (request, facts) => Planner.Plan(request, facts, new()).Measurement;

    /// <summary>The distance between neighbours that noise is calibrated to.</summary>
    public Func<Measurement, Sensitivity> Sensitivity { get; init; } = static measurement => measurement.Sensitivity;

    /// <summary>Exact cells of private rows.</summary>
    public Func<Measurement, IReadOnlyList<Records>, long[]> Sum { get; init; } = (measurement, batches) =>
    {
        var cells = new long[measurement.CellCount];
        measurement.Sum(batches, Engine, cells);
        return cells;
    };

    /// <summary>The same on an engine of the audit's own, which listens to what is called.</summary>
    public Action<Measurement, IReadOnlyList<Records>, IEngine> SumOn { get; init; } =
        static (measurement, batches, engine) => measurement.Sum(batches, engine, new long[measurement.CellCount]);

    /// <summary>The crossing itself.</summary>
    public Func<Measurement, Receipt, IReadOnlyList<Records>, Release> Invoke { get; init; } =
        (measurement, receipt, batches) => measurement.Invoke(receipt, batches, Engine, static () => { });

    /// <summary>Adds noise to cells in place.</summary>
    public Action<Measurement, long[]> AddNoise { get; init; } =
        static (measurement, cells) => measurement.Noise.AddTo(cells);

    /// <summary>Bytes that leave.</summary>
    public Func<Release, byte[]> Write { get; init; } = ReleaseFile.Write;

    /// <summary>Answers of a release.</summary>
    public Func<Release, Points, Answers> Answer { get; init; } =
        (release, queries) => release.Estimate(queries, Engine);

    /// <summary>Units of a request for (epsilon, delta).</summary>
    public Func<PrivacyLoss, long> UnitsOfLoss { get; init; } = Units.OfLoss;

    /// <summary>Units of mu^2 that a pure release of so many units of epsilon costs.</summary>
    public Func<long, long> UnitsOfPure { get; init; } = Units.OfPureInGaussian;

    /// <summary>Epsilon shown for units of mu^2, delta and a group size.</summary>
    public Func<long, double, int, double> EpsilonShown { get; init; } = Accountant.EpsilonAtMost;

    /// <summary>Epsilon shown for units of epsilon and a group size.</summary>
    public Func<long, int, double> PureEpsilonShown { get; init; } = Accountant.PureEpsilonAtMost;

    /// <summary>A receipt for a made-up reservation, with the same bytes each time.</summary>
    public static Receipt ReceiptFor(Measurement measurement, byte reservation = 1)
    {
        bool pure = measurement.Strength.Mechanism == MechanismKind.DiscreteLaplace;
        CostUnit unit = pure ? CostUnit.Epsilon : CostUnit.MuSquared;
        var position = new LedgerPosition(new byte[16], 1, 1, new byte[32]);
        byte[] id = [.. Enumerable.Repeat(reservation, 16)];
        return new(id, new byte[32], 1, position, measurement.Cost(unit), measurement.Fingerprint);
    }
}
