using Google.Protobuf;
using PrivateKernels.Storage;

namespace PrivateKernels.Server;

/// <summary>Release specs, estimates and releases between the wire, the planner and storage.</summary>
static class ReleaseWire
{
    const string Later = "is not in this version";

    /// <summary>What is asked, with everything that this version lacks refused by name.</summary>
    internal static ReleaseRequest Parse(V1.ReleaseSpec? spec, string field, LandmarkRows landmarks)
    {
        if (spec is null) throw Refusal.Field(field, "must be set");
        if (spec.Accumulator.Length > 0)
            throw new Refusal("NOT_ONE_PASS", "the dataset stores its rows: name a sketch, not an accumulator.",
                ("field", $"{field}.accumulator"));
        V1.SketchSpec sketch = spec.Sketch ?? throw Refusal.Field($"{field}.sketch", "must be set");
        V1.PairFunction function = sketch.Function ?? throw Refusal.Field($"{field}.sketch.function", "must be set");
        if (!Enum.IsDefined(sketch.Weighting)) throw Refusal.Field($"{field}.sketch.weighting", "is not a known value");
        var request = new ReleaseRequest
        {
            Function = function.Name,
            Bandwidth = function.Bandwidth,
            Exponent = function.Exponent,
            Method = sketch.Method == V1.SketchMethod.Unspecified
                ? null : Known<SketchMethod>((int)sketch.Method, $"{field}.sketch.method"),
            Features = sketch.Features <= int.MaxValue ? (int)sketch.Features : int.MaxValue,
            ProjectedDimension = sketch.ProjectedDimension <= int.MaxValue ? (int)sketch.ProjectedDimension : int.MaxValue,
            Seed = sketch.HasSeed ? sketch.Seed : null,
            PerClass = sketch.PerClass,
            Weighted = sketch.Weighting == V1.Weighting.Value,
            ClassLeastSquares = sketch.ClassLeastSquares,
            PublicDataset = sketch.PublicDataset,
            Landmarks = landmarks.Read(sketch.PublicDataset, $"{field}.sketch.public_dataset"),
        };
        return ParseStrength(request, spec.Privacy, field);
    }

    /// <summary>A request with mechanism and strength as they are asked.</summary>
    internal static ReleaseRequest ParseStrength(ReleaseRequest request, V1.PrivacySpec? privacy, string field)
    {
        if (privacy is null) throw Refusal.Field($"{field}.privacy", "must be set");
        return request with
        {
            Mechanism = privacy.Mechanism == V1.Mechanism.Unspecified
                ? null : Known<MechanismKind>((int)privacy.Mechanism, $"{field}.privacy.mechanism"),
            Loss = privacy.StrengthCase == V1.PrivacySpec.StrengthOneofCase.Loss
                ? DatasetWire.Loss(privacy.Loss, $"{field}.privacy.loss") : null,
            Mu = privacy.StrengthCase == V1.PrivacySpec.StrengthOneofCase.Mu ? privacy.Mu : null,
        };
    }

    /// <summary>A plan as the spec that asks for exactly it; the seed stays unset until it is drawn.</summary>
    internal static V1.ReleaseSpec ToSpec(ReleasePlan plan)
    {
        ReleaseRequest request = plan.Request;
        PairFunction function = plan.Measurement.Sketch.Function;
        var sketch = new V1.SketchSpec
        {
            Function = new() { Name = request.Function, Bandwidth = function.Bandwidth, Exponent = function.Exponent },
            Features = (uint)request.Features,
            ProjectedDimension = (uint)request.ProjectedDimension,
            Weighting = request.Weighted ? V1.Weighting.Value : V1.Weighting.One,
            PerClass = request.PerClass,
            ClassLeastSquares = request.ClassLeastSquares,
            Method = (V1.SketchMethod)plan.Measurement.Sketch.Method,
            PublicDataset = request.PublicDataset,
        };
        if (request.Seed is { } seed) sketch.Seed = seed;
        var privacy = new V1.PrivacySpec { Mechanism = (V1.Mechanism)plan.Measurement.Strength.Mechanism };
        if (request.Mu is { } mu) privacy.Mu = mu;
        else privacy.Loss = new() { Epsilon = request.Loss!.Value.Epsilon, Delta = request.Loss.Value.Delta };
        return new() { Sketch = sketch, Accumulator = request.Accumulator, Privacy = privacy };
    }

    internal static V1.PrivacyCost ToWire(PrivacyCost cost, double displayDelta) => new()
    {
        Unit = (V1.CostUnit)cost.Unit,
        Units = cost.Units,
        Loss = Losses.Display(cost.Unit, cost.Units, displayDelta),
    };

    internal static V1.AccuracyEstimate ToWire(AccuracyEstimate accuracy) => new()
    {
        NoiseStd = accuracy.NoiseStd,
        ApproximationStdPerRecord = accuracy.ApproximationStdPerRecord,
        Cells = accuracy.Cells,
        FileBytes = accuracy.FileBytes,
        TotalStdAtMaxRecords = accuracy.TotalStdAtMaxRecords,
    };

    /// <summary>Everything about a release that is settled when it is reserved.</summary>
    internal static V1.Release Describe(ReleasePlan plan, DatasetDefinition definition, double displayDelta)
    {
        Measurement measurement = plan.Measurement;
        return new V1.Release
        {
            Spec = ToSpec(plan),
            Classes = { measurement.Classes },
            Adjacency = (V1.Adjacency)definition.Adjacency,
            MaxRecordsPerUnit = (uint)definition.MaxRecordsPerUnit,
            Cost = ToWire(plan.Cost, displayDelta),
            NoiseScale = measurement.Noise.Scale,
            Sensitivity = SensitivityNorm(measurement),
            Accuracy = ToWire(plan.Accuracy),
        };
    }

    /// <summary>What a file says of itself: for a release that came as one.</summary>
    internal static V1.Release Describe(Release release)
    {
        Measurement measurement = release.Measurement;
        ISketch sketch = measurement.Sketch;
        PairFunction function = sketch.Function;
        PrivacyCost cost = release.Provenance.Cost;
        double strength = Math.ScaleB((double)measurement.Strength.Strength, -40);
        (double noise, double approximation) = sketch.Predict(measurement.Noise.Variance);
        var privacy = new V1.PrivacySpec { Mechanism = (V1.Mechanism)measurement.Strength.Mechanism };
        if (measurement.Strength.Mechanism == MechanismKind.RoundedNormal) privacy.Mu = Math.Sqrt(strength);
        else privacy.Loss = new() { Epsilon = strength };
        return new V1.Release
        {
            Spec = new()
            {
                Sketch = new()
                {
                    Function = new() { Name = function.Entry.Name, Bandwidth = function.Bandwidth, Exponent = function.Exponent },
                    Features = (uint)sketch.Features,
                    Seed = sketch.Seed,
                    Method = (V1.SketchMethod)sketch.Method,
                    PerClass = measurement.Classes.Count > 0,
                    Weighting = sketch is WeightedSketch ? V1.Weighting.Value : V1.Weighting.One,
                },
                Privacy = privacy,
            },
            Classes = { measurement.Classes },
            Adjacency = (V1.Adjacency)measurement.Adjacency,
            MaxRecordsPerUnit = (uint)measurement.MaxRecordsPerUnit,
            // The account that paid is elsewhere, and so is its delta.
            Cost = ToWire(cost, cost.Unit == CostUnit.Epsilon ? 0 : 1e-6),
            NoiseScale = measurement.Noise.Scale,
            Sensitivity = SensitivityNorm(measurement),
            Accuracy = new() { NoiseStd = noise, ApproximationStdPerRecord = approximation, Cells = measurement.CellCount },
        };
    }

    /// <summary>Norm of one unit's contribution in cell units: L2 for normal noise, L1 for Laplace.</summary>
    internal static double SensitivityNorm(Measurement measurement) =>
        measurement.Strength.Mechanism == MechanismKind.RoundedNormal
            ? Math.Sqrt((double)measurement.Sensitivity.SquaredL2)
            : (double)measurement.Sensitivity.L1;

    /// <param name="row">As stored.</param>
    /// <param name="ledger">Signs its position.</param>
    /// <param name="owner">
    /// Whether the reader may know when it was asked for; with the time of its post that tells how long the build took.
    /// </param>
    internal static V1.Release ToWire(ReleaseRow row, Ledger ledger, bool owner)
    {
        V1.Release release = StoredBuild.Read(row.Spec).Reply.Release;
        release.Name = row.Name;
        release.Uid = row.Uid;
        release.DatasetUid = row.DatasetUid;
        release.State = (V1.ReleaseState)row.State;
        release.CreateTime = DatasetWire.WholeSeconds(owner ? row.CreateTime : row.ReadyTime ?? row.CreateTime);
        release.Imported = row.Imported;
        if (owner) release.Etag = row.Etag;
        if (row.State is ReleaseState.Building or ReleaseState.Failed) return release;
        release.Sha256 = DatasetWire.Bytes(row.Sha256);
        release.SizeBytes = row.SizeBytes;
        if (row.PostedAt is { } posted) release.PostedAt = DatasetWire.ToWire(ledger.Certify(posted));
        return release;
    }

    static T Known<T>(int number, string field)
        where T : struct, Enum =>
        Enum.IsDefined((T)(object)number) ? (T)(object)number : throw Refusal.Field(field, Later);
}

/// <summary>
/// What storage keeps with a reservation: the bound on the records that the plan was made with, how many rows the
/// public dataset of its landmarks had, then the reply to the call that made it. All together make the same measurement again
/// after a restart, whatever the configuration is then.
/// </summary>
readonly record struct StoredBuild(long MaxRecords, long PublicRows, V1.CreateReleaseResponse Reply)
{
    internal static readonly PlannerLimits NoLimits = new(int.MaxValue, long.MaxValue);

    /// <summary>Accumulator that it is made of; empty = the rows.</summary>
    internal string Accumulator => Reply.Release.Spec.Accumulator;

    internal byte[] ToBytes() =>
        [.. BitConverter.GetBytes(MaxRecords), .. BitConverter.GetBytes(PublicRows), .. Reply.ToByteArray()];

    internal static StoredBuild Read(ReadOnlyMemory<byte> bytes) => new(
        BitConverter.ToInt64(bytes.Span), BitConverter.ToInt64(bytes.Span[8..]),
        V1.CreateReleaseResponse.Parser.ParseFrom(bytes.Span[16..]));

    /// <summary>The measurement that was reserved; its receipt would refuse any other.</summary>
    internal Measurement Measurement(DataDirectory directory, DatasetDefinition definition, CostUnit account)
    {
        DatasetFacts facts = Facts(definition, account, MaxRecords);
        if (Accumulator.Length > 0)
        {
            string id = Accumulator;
            ReleasePlan planned =
                StoredAccumulator.Read(definition.Accumulators.First(a => a.Id == id).Spec).Plan(directory, definition);
            return Planner.PlanAccumulated(
                ReleaseWire.ParseStrength(planned.Request, Reply.Release.Spec.Privacy, "spec"), planned, facts).Measurement;
        }
        ReleaseRequest request = ReleaseWire.Parse(Reply.Release.Spec, "spec", new LandmarkRows(directory, PublicRows));
        return Planner.Plan(request, facts, NoLimits).Measurement;
    }

    internal static DatasetFacts Facts(DatasetDefinition d, CostUnit account, long maxRecords) =>
        new(d.Domain, d.Adjacency, d.MaxRecordsPerUnit, maxRecords, d.Classes, account, d.MaxRecords > 0, d.MaxAbsValue);
}
