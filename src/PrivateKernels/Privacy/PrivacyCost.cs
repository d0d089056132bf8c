namespace PrivateKernels;

/// <summary>Unit in which an account counts. The numbers are those of the wire and of release files.</summary>
public enum CostUnit
{
    /// <summary>2^-40 of mu squared (Gaussian DP).</summary>
    MuSquared = 1,

    /// <summary>2^-40 of epsilon (pure DP).</summary>
    Epsilon = 2,
}

/// <summary>How noise is drawn. The numbers are those of the wire and of release files.</summary>
public enum MechanismKind
{
    /// <summary>Normal noise rounded to integers: Gaussian DP.</summary>
    RoundedNormal = 1,

    /// <summary>Discrete Laplace noise: pure DP.</summary>
    DiscreteLaplace = 2,
}

/// <summary>The exact price of a release: an integer from which its noise is calibrated.</summary>
public readonly record struct PrivacyCost(CostUnit Unit, long Units);

/// <summary>
/// The privacy asked of one release: <paramref name="Strength"/> units, in the unit natural to the mechanism (mu
/// squared for <see cref="MechanismKind.RoundedNormal"/>, epsilon for <see cref="MechanismKind.DiscreteLaplace"/>).
/// </summary>
public readonly record struct PrivacyStrength(MechanismKind Mechanism, long Strength);
