namespace PrivateKernels;

/// <summary>Turns the privacy asked into integer ledger units of 2^-40, rounded down.</summary>
public static class Units
{
    public static long OfEpsilon(double epsilon) => throw new NotSupportedException();

    public static long OfMu(double mu) => throw new NotSupportedException();

    public static long OfLoss(PrivacyLoss loss) => throw new NotSupportedException();

    public static long OfPureInGaussian(long epsilonUnits) => throw new NotSupportedException();
}
