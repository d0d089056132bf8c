namespace PrivateKernels;

/// <summary>
/// Files of releases: their size and every byte outside the cells depend on public parameters and the receipt alone;
/// and what is read back from them answers as the release does, so that nothing else has a say in answers. And the calls that
/// reach the engine during a build are the same whatever the rows are.
/// </summary>
static class ShapeCheck
{
    public static AuditOutcome Run(AuditedProduct product, AuditEffort effort)
    {
        int files = 0;
        foreach (AuditCase audited in AuditCase.Of(effort))
            foreach (int classes in (int[])[0, 3])
            {
                // Trees and the paper's structures take no other noise.
                MechanismKind mechanism = audited.Method is SketchMethod.Tree or SketchMethod.Paper or SketchMethod.PaperPlus
                    ? MechanismKind.DiscreteLaplace : MechanismKind.RoundedNormal;
                AuditSetting setting = new(2, mechanism, Adjacency.AddOrRemoveOne, Classes: classes);
                if (audited.Plan(product, setting) is not { } measurement) continue;
                if (Calls(product, measurement, setting) is { } branch)
                    return AuditOutcome.Broken($"{audited.Function}, {setting}: {branch}");
                byte[]? first = null;
                foreach (int rows in (int[])[0, 1, 2, 700])
                {
                    Receipt receipt = AuditedProduct.ReceiptFor(measurement);
                    Release release = product.Invoke(measurement, receipt, [Rows(rows, setting)]);
                    byte[] file = product.Write(release);
                    first ??= file;
                    files++;
                    if ((Difference(measurement, first, file) ?? Answers(product, release, file)) is { } difference)
                        return AuditOutcome.Broken($"{audited.Function}, {setting}, {rows} rows: {difference}");
                }
            }
        return files > 0 ? AuditOutcome.Holds($"{files} files") : AuditOutcome.Broken("no sketch could be planned");
    }

    static string? Difference(Measurement measurement, byte[] first, byte[] file)
    {
        if (file.Length != first.Length || file.Length != ReleaseFile.SizeOf(measurement))
            return $"the file has {file.Length} bytes, not {ReleaseFile.SizeOf(measurement)}";
        // The cells and the checksum over them are the last bytes.
        int head = file.Length - 32 - 8 * (int)measurement.CellCount;
        int at = first.AsSpan(0, head).CommonPrefixLength(file);
        return at == head ? null : $"byte {at} before the cells depends on the rows";
    }

    /// <summary>Two batches of six rows: spread over classes, all in one, all in none, and none that a sketch can take.</summary>
    static string? Calls(AuditedProduct product, Measurement measurement, AuditSetting setting)
    {
        string? first = null;
        foreach (Func<int, uint> label in (Func<int, uint>[])[static i => (uint)i % 3, static _ => 1, static _ => 99])
            foreach (bool valid in (bool[])[true, false])
            {
                var recorder = new CallRecorder(product.Engine);
                product.SumOn(measurement, [Batch(6, setting, label, valid), Batch(6, setting, label, valid)], recorder);
                first ??= recorder.Calls;
                if (recorder.Calls != first) return $"the engine is called as {recorder.Calls}, and as {first} for other rows";
            }
        return null;
    }

    static Records Batch(int count, AuditSetting setting, Func<int, uint> label, bool valid)
    {
        float[] values = [.. Enumerable.Range(0, count * setting.Dimension).Select(i => valid ? i / 16f - 0.5f : float.NaN)];
        return new(values, setting.Classes > 0 ? Enumerable.Range(0, count).Select(label).ToArray() : default);
    }

    static string? Answers(AuditedProduct product, Release release, byte[] file)
    {
        var queries = new Points(new float[] { 0, 0, 0.25f, -0.5f }, 2);
        Answers before = product.Answer(release, queries);
        Answers after = ReleaseFile.Read(file).Estimate(queries, product.Engine);
        bool same = before.Values.SequenceEqual(after.Values) && before.HalfWidth95.SequenceEqual(after.HalfWidth95);
        return same ? null : "answers depend on more than the file";
    }

    static Records Rows(int count, AuditSetting setting)
    {
        var rows = new AuditRows(setting.Dimension, seed: 12);
        float[] values = [.. Enumerable.Range(0, count).SelectMany(_ => rows.Next())];
        // The last class stays empty.
        uint[] labels = [.. Enumerable.Range(0, count).Select(static i => (uint)i % 2)];
        return new(values, setting.Classes > 0 ? labels : default);
    }
}
