namespace PrivateKernels.Gpu;

/// <summary>A pair function as devices know it: a profile with its constant, and the program of its exact sums.</summary>
sealed record DeviceProfile(ProfileKind Kind, float Scale, Action<ExactSumArguments> Program)
{
    /// <summary>The program for the <see cref="ExpandedForm"/>, for functions that may take it.</summary>
    public Action<ExactSumArguments>? Expanded { get; init; }

    /// <summary>The device form of a function; null if there is none and the processor must do it.</summary>
    public static DeviceProfile? Of(PairFunction function)
    {
        double h = function.Bandwidth;
        return function switch
        {
            L1 or LpP { Exponent: 1 } => new(ProfileKind.Identity, 1, ExactSumPrograms.SumL1),
            L2Squared or LpP { Exponent: 2 } => new(ProfileKind.Identity, 1, ExactSumPrograms.SumSquaredL2),
            InnerProduct => new(ProfileKind.Identity, 1, ExactSumPrograms.SumProducts),
            L2 => new(ProfileKind.Root, 1, ExactSumPrograms.SumL2),
            Gaussian => new(ProfileKind.Exp, (float)(1 / (h * h)), ExactSumPrograms.SumGaussian)
            {
                Expanded = ExactSumPrograms.SumGaussianExpanded,
            },
            Laplacian => new(ProfileKind.Exp, (float)(1 / h), ExactSumPrograms.SumLaplacian),
            Exponential => new(ProfileKind.ExpRoot, (float)(1 / h), ExactSumPrograms.SumExponential),
            Matern32 => new(ProfileKind.Matern32, (float)(Math.Sqrt(3) / h), ExactSumPrograms.SumMatern32)
            {
                Expanded = ExactSumPrograms.SumMatern32Expanded,
            },
            Matern52 => new(ProfileKind.Matern52, (float)(Math.Sqrt(5) / h), ExactSumPrograms.SumMatern52)
            {
                Expanded = ExactSumPrograms.SumMatern52Expanded,
            },
            Cauchy => new(ProfileKind.Inverse, (float)(1 / (h * h)), ExactSumPrograms.SumCauchy)
            {
                Expanded = ExactSumPrograms.SumCauchyExpanded,
            },
            InverseL1 => new(ProfileKind.Inverse, (float)(1 / h), ExactSumPrograms.SumInverseL1),
            InverseL2 => new(ProfileKind.InverseRoot, (float)(1 / h), ExactSumPrograms.SumInverseL2),
            InverseMultiquadric => new(
                ProfileKind.RootInverse, (float)(1 / (h * h)), ExactSumPrograms.SumInverseMultiquadric)
            {
                Expanded = ExactSumPrograms.SumInverseMultiquadricExpanded,
            },
            _ => null,
        };
    }
}
