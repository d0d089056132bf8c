namespace PrivateKernels;

/// <summary>What "neighbouring data sets" means. The numbers are those of the wire and of release files.</summary>
public enum Adjacency
{
    /// <summary>One unit's records appear or disappear. The number of records is private.</summary>
    AddOrRemoveOne = 1,

    /// <summary>One unit's records are replaced by others. The number of records is public.</summary>
    ReplaceOne = 2,
}
