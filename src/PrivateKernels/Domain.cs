namespace PrivateKernels;

/// <summary>Public bounds of the vectors, declared before any data: never computed from private rows.</summary>
public sealed class Domain
{
    public const int LargestDimension = 16384;

    const double LeastWidth = 1e-9;

    readonly float[] _center;

    /// <param name="dimension">Coordinates per vector, 1 to 16,384.</param>
    /// <param name="lower">Smallest coordinate, or null.</param>
    /// <param name="upper">Largest coordinate, above lower by at least 1e-9; both or neither.</param>
    /// <param name="maxNorm">Largest Euclidean distance from the center, or null.</param>
    /// <param name="center">Empty = the origin; otherwise one value per coordinate.</param>
    public Domain(int dimension, double? lower = null, double? upper = null, double? maxNorm = null, ReadOnlySpan<float> center = default)
    {
        if (dimension is < 1 or > LargestDimension)
            throw new InvalidFieldException("domain.dimension", dimension, $"must be between 1 and {LargestDimension}");
        if (lower.HasValue != upper.HasValue)
            throw new InvalidFieldException(lower.HasValue ? "domain.upper" : "domain.lower", null, "lower and upper go together");
        if (lower is { } l && !(Math.Abs(l) <= Canonical.Largest))
            throw new InvalidFieldException("domain.lower", l, "must be finite and at most 2^40 in size");
        if (upper is { } u && !(Math.Abs(u) <= Canonical.Largest && (float)u > (float)lower!.Value))
            throw new InvalidFieldException("domain.upper", u, "must be above lower and at most 2^40 in size");
        // Engines divide by the width in fp32: nothing may become infinite there, or no number.
        if (upper is { } end && !((double)(float)end - (float)lower!.Value >= LeastWidth))
            throw new InvalidFieldException("domain.upper", end, "must be at least 1e-9 above lower");
        if (maxNorm is { } r && !(r >= 1e-9 && r <= Canonical.Largest))
            throw new InvalidFieldException("domain.max_norm", r, "must be between 1e-9 and 2^40");
        if (!center.IsEmpty && (center.Length != dimension || !Canonical.IsValid(center)))
            throw new InvalidFieldException("domain.center", center.Length, $"must be empty or {dimension} finite values of size up to 2^40");
        (Dimension, MaxNorm) = (dimension, maxNorm);
        (Lower, Upper) = ((float?)lower, (float?)upper);
        _center = center.ToArray();
    }

    public int Dimension { get; }

    public float? Lower { get; }

    public float? Upper { get; }

    public double? MaxNorm { get; }

    /// <summary>Point that <see cref="MaxNorm"/> is measured from; empty = the origin.</summary>
    public ReadOnlySpan<float> Center => _center;

    /// <summary>First thing wrong with a block of rows, or null. Names row and column, never the value.</summary>
    public DomainViolation? Check(ReadOnlySpan<float> rows)
    {
        for (int row = 0; row * Dimension < rows.Length; row++)
            if (CheckRow(rows.Slice(row * Dimension, Dimension), row) is { } violation)
                return violation;
        return null;
    }

    /// <summary>
    /// Moves every finite row onto the domain, in place: first coordinate by coordinate into the box, then along the line
    /// to the center into the ball. Rows that are not finite are left for the caller.
    /// </summary>
    public void Clamp(Span<float> rows)
    {
        for (int first = 0; first < rows.Length; first += Dimension)
        {
            Span<float> row = rows.Slice(first, Dimension);
            if (Lower is { } lower)
                for (int k = 0; k < row.Length; k++)
                    row[k] = float.IsNaN(row[k]) ? row[k] : Math.Clamp(row[k], lower, Upper!.Value);
            if (MaxNorm is { } radius && Canonical.IsValid(row)) Shrink(row, radius);
        }
    }

    DomainViolation? CheckRow(ReadOnlySpan<float> row, int index)
    {
        for (int k = 0; k < row.Length; k++)
        {
            if (!(Math.Abs(row[k]) <= Canonical.Largest)) return new(index, k, DomainRule.Finite);
            if (row[k] < Lower) return new(index, k, DomainRule.Lower);
            if (row[k] > Upper) return new(index, k, DomainRule.Upper);
        }
        return MaxNorm is { } radius && Distance(row) > radius * (1 + 1e-6) ? new(index, null, DomainRule.MaxNorm) : null;
    }

    void Shrink(Span<float> row, double radius)
    {
        double norm = Distance(row);
        if (norm <= radius) return;
        double factor = radius / norm;
        for (int k = 0; k < row.Length; k++)
        {
            double center = _center.Length == 0 ? 0 : _center[k];
            row[k] = (float)(center + (row[k] - center) * factor);
        }
    }

    double Distance(ReadOnlySpan<float> row)
    {
        double sum = 0;
        for (int k = 0; k < row.Length; k++)
        {
            double z = _center.Length == 0 ? row[k] : (double)row[k] - _center[k];
            sum += z * z;
        }
        return Math.Sqrt(sum);
    }
}

/// <summary>Rule that a row breaks.</summary>
public enum DomainRule
{
    /// <summary>Finite and at most 2^40 in size.</summary>
    Finite,
    Lower,
    Upper,
    MaxNorm,
}

/// <summary>Where a block of rows leaves the domain: row and column count from 0; no column for the norm.</summary>
public readonly record struct DomainViolation(int Row, int? Column, DomainRule Rule);
