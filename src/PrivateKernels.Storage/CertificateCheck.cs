using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PrivateKernels.Storage;

/// <summary>What a ledger says of a certificate.</summary>
public enum CertificateState
{
    /// <summary>Signed by this ledger, and its entry is there.</summary>
    InLedger,

    /// <summary>Signed by this ledger in an earlier epoch; its entry went with the loss that a RECOVER entry accepted.</summary>
    LostInRecovery,

    /// <summary>Signed by this ledger, which does not have the entry: it was rolled back, or forked.</summary>
    NotInLedger,

    /// <summary>Not signed by this ledger: it proves nothing.</summary>
    NotGenuine,
}

/// <summary>Compares certificates with a ledger.</summary>
static class CertificateCheck
{
    const int Bytes = 16 + 8 + 8 + HashChain.HashBytes + 32;

    internal static CertificateState Of(DatabaseSession database, LedgerIdentity identity, LedgerCertificate certificate)
    {
        LedgerPosition at = certificate.Position;
        bool isGenuine = at.LedgerId.Length == 16 && at.Hash.Length == HashChain.HashBytes
            && CryptographicOperations.FixedTimeEquals(certificate.Mac.Span, HashChain.Mac(identity.MacKey, at))
            && at.LedgerId.Span.SequenceEqual(identity.Head.LedgerId.Span);
        if (!isGenuine) return CertificateState.NotGenuine;
        if (LedgerCheck.Has(database, at)) return CertificateState.InLedger;
        return LedgerCheck.WentInRecovery(database, identity.Head, at) ? CertificateState.LostInRecovery : CertificateState.NotInLedger;
    }

    /// <summary>As a RECOVER entry keeps them.</summary>
    internal static byte[] ToBytes(IReadOnlyList<LedgerCertificate> certificates)
    {
        var bytes = new byte[certificates.Count * Bytes];
        for (int i = 0; i < certificates.Count; i++)
        {
            Span<byte> to = bytes.AsSpan(i * Bytes, Bytes);
            LedgerPosition at = certificates[i].Position;
            at.LedgerId.Span.CopyTo(to);
            BinaryPrimitives.WriteInt64BigEndian(to[16..], at.Epoch);
            BinaryPrimitives.WriteInt64BigEndian(to[24..], at.Sequence);
            at.Hash.Span.CopyTo(to[32..]);
            certificates[i].Mac.Span.CopyTo(to[64..]);
        }
        return bytes;
    }
}
