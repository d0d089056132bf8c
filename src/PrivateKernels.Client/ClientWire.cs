using Google.Protobuf;
using Google.Protobuf.Collections;

namespace PrivateKernels.Client;

/// <summary>Between the core's types and the wire.</summary>
static class ClientWire
{
    public static V1.Dataset Describe(DatasetOptions options)
    {
        Domain domain = options.Domain;
        var wire = new V1.Domain { Dimension = (uint)domain.Dimension };
        if (domain.Lower is { } lower) wire.Lower = lower;
        if (domain.Upper is { } upper) wire.Upper = upper;
        if (domain.MaxNorm is { } radius) wire.MaxNorm = radius;
        wire.Center.AddRange(domain.Center);
        return new()
        {
            DisplayName = options.DisplayName,
            Description = options.Description,
            Kind = options.IsPublic ? V1.DatasetKind.Public
                : options.IsImported ? V1.DatasetKind.Imported
                : V1.DatasetKind.Private,
            Domain = wire,
            Population = options.Population,
            Adjacency = (V1.Adjacency)options.Adjacency,
            MaxRecordsPerUnit = (uint)options.MaxRecordsPerUnit,
            MaxRecords = options.MaxRecords,
            OutOfDomain = options.Clamp ? V1.OutOfDomainPolicy.Clamp : V1.OutOfDomainPolicy.Refuse,
            Classes = { options.Classes },
            MaxAbsValue = options.MaxAbsValue,
            Retention = options.Accumulators.Count > 0 ? V1.Retention.OnePass : V1.Retention.Stored,
            Accumulators =
            {
                options.Accumulators.Select(static a => new V1.Accumulator { Id = a.Key, Sketch = ToWire(a.Value).Sketch }),
            },
        };
    }

    public static V1.PrivacyLoss ToWire(PrivacyLoss loss) => new() { Epsilon = loss.Epsilon, Delta = loss.Delta };

    public static V1.ReleaseSpec ToWire(ReleaseRequest request)
    {
        var sketch = new V1.SketchSpec
        {
            Function = new() { Name = request.Function, Bandwidth = request.Bandwidth, Exponent = request.Exponent },
            Features = (uint)request.Features,
            ProjectedDimension = (uint)request.ProjectedDimension,
            PerClass = request.PerClass,
            ClassLeastSquares = request.ClassLeastSquares,
            Weighting = request.Weighted ? V1.Weighting.Value : V1.Weighting.One,
            Method = (V1.SketchMethod)(request.Method ?? 0),
            PublicDataset = request.PublicDataset,
        };
        if (request.Seed is { } seed) sketch.Seed = seed;
        var privacy = new V1.PrivacySpec { Mechanism = (V1.Mechanism)(request.Mechanism ?? 0) };
        if (request.Loss is { } loss) privacy.Loss = ToWire(loss);
        if (request.Mu is { } mu) privacy.Mu = mu;
        return request.Accumulator.Length > 0
            ? new() { Accumulator = request.Accumulator, Privacy = privacy }
            : new() { Sketch = sketch, Privacy = privacy };
    }

    public static V1.Points ToWire(Points points)
    {
        var wire = new V1.Points { Dimension = (uint)points.Dimension };
        Fill(wire.Values, points.Values.Span);
        return wire;
    }

    /// <summary>Copies at once: a packed field holds its elements as an array.</summary>
    public static void Fill<T>(RepeatedField<T> field, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        UnsafeCollectionOperations.SetCount(field, values.Length);
        values.CopyTo(UnsafeCollectionOperations.AsSpan(field));
    }

    public static Answers FromWire(V1.Answers answers) => new(
        [.. answers.Values], [.. answers.NoiseStd], [.. answers.ApproximationStd], [.. answers.HalfWidth95],
        (int)answers.ApproximationDegreesOfFreedom);

    public static ClassAnswers FromWire(V1.ClassAnswers answers) =>
        new((int)answers.ClassIndex, answers.Count, answers.CountNoiseStd, FromWire(answers.Answers));

    public static Classification FromWire(V1.ClassifyResponse response) => new(
        (ClassScore)response.Score,
        [.. response.Predictions.Select(static p => (int)p.ClassIndex)],
        [.. response.Predictions.Select(static p => p.Margin)],
        [.. response.Predictions.SelectMany(static p => p.Scores)],
        [.. response.ExcludedClasses.Select(static c => (int)c)]);
}
