namespace PrivateKernels;

/// <summary>What is public about a data set: all that planning and pricing may look at.</summary>
/// <param name="Domain">Public bounds.</param>
/// <param name="Adjacency">Neighbouring relation.</param>
/// <param name="MaxRecordsPerUnit">Most records one unit may own, at least 1.</param>
/// <param name="MaxRecords">Public bound on the number of records.</param>
/// <param name="Classes">Names of the classes, declared at creation; empty for data without labels.</param>
/// <param name="AccountUnit">Unit of the account that pays.</param>
/// <param name="MaxRecordsDeclared">False if MaxRecords is only the server's limit: predictions then stay per record.</param>
/// <param name="MaxAbsValue">Public bound on the size of a record's value; 0 = records have no values.</param>
public sealed record DatasetFacts(
    Domain Domain, Adjacency Adjacency, int MaxRecordsPerUnit, long MaxRecords, IReadOnlyList<string> Classes, CostUnit AccountUnit,
    bool MaxRecordsDeclared = true, double MaxAbsValue = 0);
