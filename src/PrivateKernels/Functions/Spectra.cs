namespace PrivateKernels;

/// <summary>
/// A kernel of |z|_2 that is a scale mixture of Gaussians: its random frequency is w = (S / h) g, g ~ N(0, I).
/// </summary>
public interface IRadialSpectrum
{
    /// <summary>Bandwidth h.</summary>
    double Bandwidth { get; }

    /// <summary>S from two independent uniforms in (0, 1); most laws use the first alone.</summary>
    double MixingScale(double u, double v);
}

/// <summary>A kernel of |z|_1: its random frequency has coordinates w_i = T tan(pi (u_i - 1/2)) / h.</summary>
public interface ICauchySpectrum
{
    /// <summary>Bandwidth h.</summary>
    double Bandwidth { get; }

    /// <summary>T from a uniform in (0, 1), common to the coordinates of a frequency.</summary>
    double MixingScale(double u);
}

/// <summary>A kernel of the angle between x and y, with random features on the unit sphere.</summary>
public interface IAngularFeatures
{
    /// <summary>Which features.</summary>
    AngularFeatures Features { get; }
}
