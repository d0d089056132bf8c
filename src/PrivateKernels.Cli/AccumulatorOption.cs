using System.Globalization;

namespace PrivateKernels.Cli;

/// <summary>Reads --accumulator NAME=FUNCTION[,key=value...].</summary>
static class AccumulatorOption
{
    const string Field = "accumulator";

    public static IReadOnlyDictionary<string, ReleaseRequest> Read(bool isOnePass, string[] texts)
    {
        if (isOnePass != texts.Length > 0)
            throw new InvalidFieldException("one-pass", isOnePass, "goes together with --accumulator");
        var accumulators = new Dictionary<string, ReleaseRequest>();
        foreach (string text in texts)
        {
            if (text.Split('=', 2) is not [{ Length: > 0 } name, { Length: > 0 } sketch])
                throw new InvalidFieldException(Field, text, "must look like NAME=FUNCTION,bandwidth=H");
            if (!accumulators.TryAdd(name, Parse(sketch.Split(','))))
                throw new InvalidFieldException(Field, name, "must be named once");
        }
        return accumulators;
    }

    static ReleaseRequest Parse(string[] parts)
    {
        var request = new ReleaseRequest { Function = parts[0] };
        foreach (string part in parts[1..])
        {
            (string key, string value) = part.Split('=', 2) is [var k, var v] ? (k, v) : (part, "");
            request = (key, value) switch
            {
                ("bandwidth", _) => request with { Bandwidth = Number(part, value) },
                ("exponent", _) => request with { Exponent = Number(part, value) },
                ("features", _) when int.TryParse(value, CultureInfo.InvariantCulture, out int n) => request with { Features = n },
                ("seed", _) when ulong.TryParse(value, CultureInfo.InvariantCulture, out ulong n) => request with { Seed = n },
                ("method", _) when ReleaseOptions.Methods.TryGetValue(value, out SketchMethod m) => request with { Method = m },
                ("landmarks", { Length: > 0 }) => request with { PublicDataset = $"datasets/{value}" },
                ("per-class", "") => request with { PerClass = true },
                ("weighted", "") => request with { Weighted = true },
                ("least-squares", "") => request with { PerClass = true, ClassLeastSquares = true },
                _ => throw new InvalidFieldException(
                    Field, part, "is none of bandwidth=, exponent=, features=, method=, landmarks=, seed=, per-class, weighted, least-squares, "
                        + "or has a wrong value"),
            };
        }
        return request;
    }

    static double Number(string part, string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number
            : throw new InvalidFieldException(Field, part, "must be a number");
}
