namespace PrivateKernels;

/// <summary>
/// A kernel as Backurs et al. (ICLR 2024) build it: f(z) = sum_j c_j g(z / h_j), g one of three kernels whose random
/// frequencies are plain ones. 1/(1 + s) is a sum of exponentials, by 1/u ~ sum_j w_j e^(-t_j u) for u of at least 1:
/// c_j = w_j e^(-t_j), and h_j is what turns e^(-t_j s) into g.
/// </summary>
/// <param name="Law">Which kernel g is.</param>
/// <param name="Coefficients">c_j; their sum is at most 1.</param>
/// <param name="Bandwidths">h_j.</param>
/// <param name="Error">Largest difference between f and the sum.</param>
sealed record PaperKernel(PaperLaw Law, double[] Coefficients, double[] Bandwidths, double Error)
{
    /// <summary>Four terms: three err by 0.0063, five split the budget further.</summary>
    static readonly double[] Rates = [0.008612, 0.098571, 0.529709, 2.077622], Weights = [0.028034, 0.19058, 0.787089, 2.67238];

    const double SumError = 0.00187;

    /// <summary>Null if the paper has no such structure for the function.</summary>
    public static PaperKernel? Of(PairFunction function) => function switch
    {
        Gaussian => Single(PaperLaw.Gaussian, function),
        Exponential => Single(PaperLaw.Exponential, function),
        Laplacian => Single(PaperLaw.Laplacian, function),
        Cauchy => Sum(PaperLaw.Gaussian, function),
        InverseL2 => Sum(PaperLaw.Exponential, function),
        InverseL1 => Sum(PaperLaw.Laplacian, function),
        _ => null,
    };

    static PaperKernel Single(PaperLaw law, PairFunction function) => new(law, [1], [function.Bandwidth], 0);

    static PaperKernel Sum(PaperLaw law, PairFunction function)
    {
        double[] coefficients = new double[Rates.Length], bandwidths = new double[Rates.Length];
        for (int j = 0; j < Rates.Length; j++)
        {
            coefficients[j] = Weights[j] * PortableMath.Exp(-Rates[j]);
            bandwidths[j] = function.Bandwidth / (law == PaperLaw.Gaussian ? Math.Sqrt(Rates[j]) : Rates[j]);
        }
        return new(law, coefficients, bandwidths, SumError);
    }
}

/// <summary>Law of the random frequencies, by the kernel whose features they make.</summary>
enum PaperLaw
{
    /// <summary>exp(-|z|_2^2): w = sqrt 2 g, g standard normal.</summary>
    Gaussian,

    /// <summary>exp(-|z|_2): w = g / |g'|, g' one more standard normal.</summary>
    Exponential,

    /// <summary>exp(-|z|_1): independent Cauchy coordinates.</summary>
    Laplacian,
}
