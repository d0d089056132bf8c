namespace PrivateKernels;

/// <summary>Integer noise of a fixed, exactly represented scale, drawn from OS entropy.</summary>
public interface INoise
{
    MechanismKind Mechanism { get; }

    /// <summary>Scale in cell units: the standard deviation before rounding, or the Laplace scale.</summary>
    double Scale { get; }

    /// <summary>Variance of one draw, exact to fp64.</summary>
    double Variance { get; }

    /// <summary>Fourth cumulant of one draw: its square has the variance 2 Variance^2 + this.</summary>
    double FourthCumulant { get; }

    /// <summary>Adds an independent draw to every cell; int64 addition saturates.</summary>
    void AddTo(Span<long> cells);
}
