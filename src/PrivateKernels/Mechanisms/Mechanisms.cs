namespace PrivateKernels;

/// <summary>Calibrates noise from integer units and an integer sensitivity.</summary>
public static class Mechanisms
{
    public static INoise Calibrate(PrivacyStrength strength, Sensitivity sensitivity) => throw new NotSupportedException();
}
