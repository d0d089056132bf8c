namespace PrivateKernels;

/// <summary>
/// The public description of a measurement in bytes: function, domain, sketch with its drawn radii, classes, adjacency and
/// strength. Its SHA-256 is what a receipt is bound to.
/// </summary>
static class Recipe
{
    /// <summary>Beside the number of a method: the records of its sketch are weighted.</summary>
    const int Weighted = 0x100;

    /// <summary>Beside the number of a method: second moments are released as well.</summary>
    const int Moments = 0x200;

    internal static void Write(RecipeWriter writer, Measurement measurement)
    {
        WriteFrame(writer, measurement);
        measurement.Sketch.Write(writer);
    }

    /// <summary>Bytes of the recipe, without drawing the sketch.</summary>
    internal static long SizeOf(Measurement measurement)
    {
        var frame = new RecipeWriter();
        WriteFrame(frame, measurement);
        return frame.Written.Length + (long)measurement.Sketch.RecipeBytes;
    }

    static void WriteFrame(RecipeWriter writer, Measurement measurement)
    {
        ISketch sketch = measurement.Sketch;
        WriteFunction(writer, sketch);
        writer.WriteInt32(measurement.Classes.Count);
        foreach (string name in measurement.Classes) writer.WriteText(name);
        writer.WriteInt32((int)measurement.Adjacency);
        writer.WriteInt32(measurement.MaxRecordsPerUnit);
        writer.WriteInt32((int)measurement.Strength.Mechanism);
        writer.WriteInt64(measurement.Strength.Strength);
        writer.WriteInt32(MethodOf(sketch));
    }

    /// <summary>The sketch alone: function, domain, method and what was drawn.</summary>
    internal static void WriteMap(RecipeWriter writer, ISketch sketch)
    {
        WriteFunction(writer, sketch);
        writer.WriteInt32(MethodOf(sketch));
        sketch.Write(writer);
    }

    internal static ISketch ReadMap(RecipeReader reader)
    {
        (PairFunction function, Domain domain) = ReadFunction(reader);
        return ReadSketch(reader, function, domain);
    }

    internal static Measurement Read(RecipeReader reader)
    {
        (PairFunction function, Domain domain) = ReadFunction(reader);
        var classes = new string[reader.ReadLength(4)];
        for (int c = 0; c < classes.Length; c++) classes[c] = reader.ReadText();
        var adjacency = (Adjacency)reader.ReadInt32();
        int recordsPerUnit = reader.ReadInt32();
        var strength = new PrivacyStrength((MechanismKind)reader.ReadInt32(), reader.ReadInt64());
        if (!Enum.IsDefined(adjacency) || !Enum.IsDefined(strength.Mechanism) || strength.Strength < 1)
            throw new InvalidDataException("the recipe names an unknown adjacency, mechanism or strength");
        ISketch sketch = ReadSketch(reader, function, domain);
        return new(sketch, classes, adjacency, recordsPerUnit, strength);
    }

    static int MethodOf(ISketch sketch) => (int)sketch.Method | sketch switch
    {
        WeightedSketch => Weighted,
        FourierSketch { Moments: not null } => Moments,
        _ => 0,
    };

    static ISketch ReadSketch(RecipeReader reader, PairFunction function, Domain domain)
    {
        int method = reader.ReadInt32();
        if (method == ((int)SketchMethod.Fourier | Moments)) return FourierSketch.Read(reader, function, domain, withMoments: true);
        ISketch ReadPlain() => ReadSketch(reader, (SketchMethod)(method & ~Weighted), function, domain);
        return (method & Weighted) != 0 ? WeightedSketch.Read(reader, ReadPlain) : ReadPlain();
    }

    static ISketch ReadSketch(RecipeReader reader, SketchMethod method, PairFunction function, Domain domain) =>
        method switch
        {
            SketchMethod.Fourier => FourierSketch.Read(reader, function, domain, withMoments: false),
            SketchMethod.Landmark => LandmarkSketch.Read(reader, function, domain),
            SketchMethod.Sign => SignSketch.Read(reader, function, domain),
            SketchMethod.Spherical => SphericalSketch.Read(reader, function, domain),
            SketchMethod.Sliced => SlicedSketch.Read(reader, function, domain),
            SketchMethod.Moment when function is InnerProduct => InnerProductSketch.Read(reader, function, domain),
            SketchMethod.Moment when function is LpP => PowerMomentSketch.Read(function, domain),
            SketchMethod.Moment => MomentSketch.Read(function, domain),
            SketchMethod.FrequencyGrid => FrequencyGridSketch.Read(reader, function, domain),
            SketchMethod.HermiteGrid => HermiteGridSketch.Read(reader, function, domain),
            SketchMethod.SplineGrid => SplineGridSketch.Read(reader, function, domain),
            SketchMethod.Tree when function is L2 => ProjectedTreeSketch.Read(reader, function, domain),
            SketchMethod.Tree => TreeSketch.Read(reader, function, domain),
            SketchMethod.CoordinateGrid => CoordinateGridSketch.Read(reader, function, domain),
            SketchMethod.Paper or SketchMethod.PaperPlus when PaperKernel.Of(function) is not null =>
                PaperFeatureSketch.Read(reader, function, domain, method),
            SketchMethod.Paper => IntervalTreeSketch.Read(reader, function, domain),
            _ => throw new InvalidDataException("the recipe names an unknown sketch"),
        };

    static void WriteFunction(RecipeWriter writer, ISketch sketch)
    {
        writer.WriteText(sketch.Function.Entry.Name);
        writer.WriteDouble(sketch.Function.Bandwidth);
        writer.WriteDouble(sketch.Function.Entry.UsesExponent ? sketch.Function.Exponent : 0);
        WriteDomain(writer, sketch.Domain);
    }

    static (PairFunction Function, Domain Domain) ReadFunction(RecipeReader reader)
    {
        PairFunction function = Catalog.Create(reader.ReadText(), reader.ReadDouble(), reader.ReadDouble());
        return (function, ReadDomain(reader));
    }

    static void WriteDomain(RecipeWriter writer, Domain domain)
    {
        writer.WriteInt32(domain.Dimension);
        writer.WriteDouble(domain.Lower ?? double.NaN);
        writer.WriteDouble(domain.Upper ?? double.NaN);
        writer.WriteDouble(domain.MaxNorm ?? double.NaN);
        writer.WriteSingles(domain.Center);
    }

    static Domain ReadDomain(RecipeReader reader) =>
        new(reader.ReadInt32(), Bound(reader), Bound(reader), Bound(reader), reader.ReadSingles());

    static double? Bound(RecipeReader reader) => reader.ReadDouble() is var value && double.IsNaN(value) ? null : value;
}
