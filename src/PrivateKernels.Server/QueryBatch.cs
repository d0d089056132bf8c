using Google.Protobuf;

namespace PrivateKernels.Server;

/// <summary>
/// One batch of query points, checked, and how it is answered: whole or not at all, in slices so that a deadline is
/// noticed soon. An answer does not depend on the slice it is in.
/// </summary>
sealed class QueryBatch
{
    /// <summary>Every response stays below 4 MiB, what common clients take.</summary>
    const int MostResponseBytes = (4 << 20) - (64 << 10);

    /// <summary>Cells times points of one slice: well below a second on any machine.</summary>
    const double SliceWork = 1L << 31;

    readonly Points _points;
    readonly string _className;
    readonly bool _allClasses;

    internal QueryBatch(V1.Points? points, string className, bool allClasses, LimitsOptions limits)
    {
        if (points is null) throw Refusal.Field("points", "must be set");
        if (points.Dimension is 0 or > Domain.LargestDimension)
            throw Refusal.Field("points.dimension", $"must be between 1 and {Domain.LargestDimension}");
        if (allClasses && className.Length > 0) throw Refusal.Field("class_name", "must be empty with all_classes");
        int dimension = (int)points.Dimension;
        _points = new(FieldMemory<float>.Of(points.Values), dimension);
        if (_points.Count > limits.QueryPoints)
            throw Refusal.Limit("Limits:QueryPoints", limits.QueryPoints, "query points in one message");
        if (new Domain(dimension).Check(_points.Values.Span) is { } violation) throw new OutOfDomainException(violation);
        (_className, _allClasses) = (className, allClasses);
    }

    /// <summary>Query points.</summary>
    internal int Count => _points.Count;

    /// <summary>Answers for all records or one class, or for every class.</summary>
    internal (V1.Answers? Answers, IReadOnlyList<V1.ClassAnswers> Classes) Answer(
        Release release, IEngine engine, CancellationToken cancellation)
    {
        IReadOnlyList<string> classes = release.Classes;
        if (!_allClasses && _className.Length == 0)
        {
            var sums = new V1.Answers();
            ForEachSlice(release, slice => Append(sums, release.Estimate(slice, engine)), cancellation);
            return (sums, []);
        }
        if (classes.Count == 0) throw new NotPerClassException();
        if (!_allClasses)
        {
            int only = IndexOf(classes, _className);
            var own = new V1.Answers();
            ForEachSlice(release, slice => Append(own, release.EstimateClass(slice, only, engine)), cancellation);
            return (own, []);
        }
        CheckResponse(4L * sizeof(double) * classes.Count);
        V1.ClassAnswers[] byClass = [.. classes.Select(static (_, c) => new V1.ClassAnswers { ClassIndex = (uint)c, Answers = new() })];
        ForEachSlice(release, slice =>
        {
            foreach (ClassAnswers answers in release.EstimateByClass(slice, engine))
            {
                V1.ClassAnswers wire = byClass[answers.ClassIndex];
                (wire.Count, wire.CountNoiseStd) = (answers.Count, answers.CountNoiseStd);
                Append(wire.Answers, answers.Answers);
            }
        }, cancellation);
        return (null, byClass);
    }

    /// <summary>The class of every point.</summary>
    internal V1.ClassifyResponse Classify(
        Release release, ClassScore? score, bool includeScores, IEngine engine, CancellationToken cancellation)
    {
        int classes = release.Classes.Count;
        if (includeScores) CheckResponse(sizeof(double) * (classes + 3L));
        var response = new V1.ClassifyResponse();
        ForEachSlice(release, slice =>
        {
            Classification found = release.Classify(slice, score, engine);
            response.Score = (V1.ClassScore)found.Score;
            if (response.ExcludedClasses.Count == 0) response.ExcludedClasses.Add(found.Excluded.Select(static c => (uint)c));
            for (int i = 0; i < slice.Count; i++)
            {
                var prediction = new V1.Prediction { ClassIndex = (uint)found.Labels[i], Margin = found.Margins[i] };
                if (includeScores) prediction.Scores.AddRange(found.Scores.AsSpan(i * classes, classes));
                response.Predictions.Add(prediction);
            }
        }, cancellation);
        return response;
    }

    /// <summary>
    /// Goes through the points in order; an empty batch is one empty slice, so that it is checked like any other.
    /// </summary>
    void ForEachSlice(Release release, Action<Points> answer, CancellationToken cancellation)
    {
        int most = (int)Math.Clamp(SliceWork / release.Measurement.CellCount, 16, 4096);
        int first = 0;
        do
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(most, _points.Count - first);
            try
            {
                answer(_points.Slice(first, count));
            }
            catch (OutOfDomainException outside)
            {
                throw new OutOfDomainException(outside.Violation with { Row = outside.Violation.Row + first });
            }
            first += count;
        }
        while (first < _points.Count);
    }

    void CheckResponse(long bytesPerPoint)
    {
        long most = MostResponseBytes / bytesPerPoint;
        if (_points.Count > most) throw Refusal.Limit("response bytes", most, "query points in one message with so many classes");
    }

    static int IndexOf(IReadOnlyList<string> classes, string name)
    {
        for (int c = 0; c < classes.Count; c++)
            if (classes[c] == name) return c;
        throw Refusal.Field("class_name", "must be a class of the release");
    }

    static void Append(V1.Answers wire, Answers answers)
    {
        wire.Values.AddRange(answers.Values);
        wire.NoiseStd.AddRange(answers.NoiseStd);
        wire.ApproximationStd.AddRange(answers.ApproximationStd);
        wire.HalfWidth95.AddRange(answers.HalfWidth95);
        wire.ApproximationDegreesOfFreedom = (uint)answers.DegreesOfFreedom;
    }
}
