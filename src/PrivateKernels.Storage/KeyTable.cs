namespace PrivateKernels.Storage;

/// <summary>Wrapped data keys in the database, one for each dataset whose rows are encrypted.</summary>
static class KeyTable
{
    internal static byte[]? Find(DatabaseSession database, string datasetUid) =>
        database.First("SELECT wrapped FROM dataset_keys WHERE dataset_uid = $1", static r => (byte[])r[0], datasetUid);

    /// <summary>Gives a dataset its data key, if a key is configured and it has none.</summary>
    /// <remarks>
    /// Guarantee: all data keys are wrapped by one key. Where servers share a ledger, this one may have been started with a key
    /// that a rotation has replaced since: that is ENCRYPTION_KEY_WRONG, and nothing is written.
    /// </remarks>
    internal static void Ensure(DatabaseSession database, string datasetUid, EncryptionKey? key)
    {
        byte[]? own = Find(database, datasetUid);
        if (own is not null) Open(key, own, datasetUid).Dispose();
        else
            foreach ((string uid, byte[] wrapped) in Read(database, "LIMIT 1")) Open(key, wrapped, uid).Dispose();
        if (own is null && key is not null)
            database.Execute(
                "INSERT INTO dataset_keys (dataset_uid, wrapped) VALUES ($1, $2)", datasetUid, key.CreateWrapped(datasetUid));
    }

    internal static void Delete(DatabaseSession database, string datasetUid) =>
        database.Execute("DELETE FROM dataset_keys WHERE dataset_uid = $1", datasetUid);

    /// <summary>ENCRYPTION_KEY_WRONG unless <paramref name="key"/> opens every data key there is.</summary>
    internal static void Check(DatabaseSession database, EncryptionKey? key)
    {
        foreach ((string uid, byte[] wrapped) in All(database))
        {
            if (key is null)
                throw Wrong("The data directory holds encrypted datasets; start it with the key they were encrypted with (Encryption:KeyFile).");
            using DataKey? found = key.Unwrap(wrapped, uid);
            if (found is null)
                throw Wrong("The key of Encryption:KeyFile or Encryption:Key is not the one that the datasets were encrypted with.");
        }
    }

    /// <summary>Wraps every data key anew, all or none.</summary>
    internal static int Rotate(Transaction t, EncryptionKey key, EncryptionKey next)
    {
        List<(string Uid, byte[] Wrapped)> all = All(t.Database);
        foreach ((string uid, byte[] wrapped) in all)
            t.Database.Execute(
                "UPDATE dataset_keys SET wrapped = $1 WHERE dataset_uid = $2",
                key.Rewrap(wrapped, uid, next) ?? throw Wrong("A data key cannot be opened with the old key."), uid);
        return all.Count;
    }

    /// <summary>The data key in <paramref name="wrapped"/>; ENCRYPTION_KEY_WRONG if <paramref name="key"/> does not open it.</summary>
    internal static DataKey Open(EncryptionKey? key, byte[] wrapped, string datasetUid) => key?.Unwrap(wrapped, datasetUid)
        ?? throw Wrong("The key that this server was started with does not open the dataset: 'pk encryption rotate' has replaced it. "
            + "Restart the server with the new one.");

    static List<(string, byte[])> All(DatabaseSession database) => Read(database, "ORDER BY dataset_uid");

    static List<(string, byte[])> Read(DatabaseSession database, string which) => database.Query(
        $"SELECT dataset_uid, wrapped FROM dataset_keys {which}", static r => (r.GetString(0), (byte[])r[1]));

    static StorageException Wrong(string text) => new(Reasons.EncryptionKeyWrong, text);
}
