namespace PrivateKernels.Storage;

/// <summary>Whether rows are private. The numbers are those of the wire and of the database.</summary>
public enum DatasetKind
{
    /// <summary>Every release is charged.</summary>
    Private = 1,

    /// <summary>Rows are public; no account.</summary>
    Public = 2,

    /// <summary>Holds imported releases only; no account.</summary>
    Imported = 3,
}

/// <summary>What happens to a row outside the domain. The numbers are those of the wire and of the database.</summary>
public enum OutOfDomainPolicy
{
    /// <summary>Its batch is refused.</summary>
    Refuse = 1,

    /// <summary>It is moved onto the bound and counts.</summary>
    Clamp = 2,
}

/// <summary>Life of a dataset. The numbers are those of the wire and of the database.</summary>
public enum DatasetState
{
    Active = 1,

    /// <summary>Rows are gone; name and spend remain.</summary>
    Deleted = 2,
}

/// <summary>A dataset that is to be created.</summary>
/// <param name="Id">1 to 63 lower-case letters, digits and '-', starting with a letter.</param>
/// <param name="Population">Account key; empty = the population the id had before, or else the id.</param>
/// <param name="Terms">Opens the account; null joins one that exists. Null for public and imported datasets.</param>
public sealed record NewDataset(
    string Id, DatasetDefinition Definition, string Population, string DisplayName, string Description, AccountTerms? Terms);

/// <summary>Unit, limit (2^-40 units) and display delta of an account that is to be opened.</summary>
public sealed record AccountTerms(CostUnit Unit, long LimitUnits, double DisplayDelta);

/// <summary>A dataset as stored.</summary>
/// <param name="Row">Place in the catalog; grows with every creation.</param>
/// <param name="Uid">UUID text; never used again, even if the id is.</param>
/// <param name="Population">Account key; empty for public and imported datasets.</param>
/// <param name="Version">Grows with every change; the wire's etag is made of it.</param>
/// <param name="RecordCount">Committed rows. Private: for owners only.</param>
/// <param name="StoredBytes">Bytes of committed segments. Private: for owners only.</param>
public sealed record DatasetRow(
    long Row, string Id, string Uid, DatasetDefinition Definition, string Population, string DisplayName, string Description,
    DatasetState State, DateTimeOffset CreateTime, long Version, long RecordCount, long StoredBytes)
{
    public string Name => $"datasets/{Id}";

    /// <summary>Opaque version for updates and deletes.</summary>
    public string Etag => $"{Uid}.{Version}";
}
