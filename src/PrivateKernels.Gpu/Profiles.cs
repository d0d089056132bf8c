namespace PrivateKernels.Gpu;

/// <summary>A pair function of s = |x - y|_2^2 or |x - y|_1 in the form that devices run.</summary>
public interface IProfile
{
    /// <summary>f(s) for s at least 0.</summary>
    float Of(float s, ProfileArguments arguments);
}

/// <summary>Parameters of a profile.</summary>
public struct ProfileArguments
{
    /// <summary>Factor of s.</summary>
    public float Scale;

    /// <summary>Coefficient of r in the polynomial before an exponential.</summary>
    public float Linear;

    /// <summary>Coefficient of r^2.</summary>
    public float Square;
}

/// <summary>s: l1 and squared l2 distances.</summary>
public struct DistanceProfile : IProfile
{
    public readonly float Of(float s, ProfileArguments arguments) => s;
}

/// <summary>2^(-Scale s): gaussian, laplacian.</summary>
public struct ExponentialProfile : IProfile
{
    public readonly float Of(float s, ProfileArguments arguments) => DeviceMath.Exp2Minus(s, arguments.Scale);
}

/// <summary>(1 + Linear r + Square r^2) exp(-r), r = sqrt(Scale s): exponential, Matern.</summary>
public struct RootExponentialProfile : IProfile
{
    const float Log2E = 1.44269502f;

    public readonly float Of(float s, ProfileArguments arguments)
    {
        float scaled = s * arguments.Scale;
        float r = DeviceMath.Sqrt(scaled <= DeviceMath.Largest ? scaled : DeviceMath.Largest);
        float polynomial = Fused.Fma(Fused.Fma(arguments.Square, r, arguments.Linear), r, 1f);
        return polynomial * DeviceMath.Exp2Minus(r, Log2E);
    }
}

/// <summary>1 / (1 + Scale s): cauchy, inverse l1.</summary>
public struct ReciprocalProfile : IProfile
{
    public readonly float Of(float s, ProfileArguments arguments)
    {
        float w = Fused.Fma(s, arguments.Scale, 1f);
        return w <= DeviceMath.Largest ? DeviceMath.Reciprocal(w) : 0f;
    }
}

/// <summary>1 / (1 + sqrt(Scale s)): inverse l2.</summary>
public struct RootReciprocalProfile : IProfile
{
    public readonly float Of(float s, ProfileArguments arguments)
    {
        float scaled = s * arguments.Scale;
        return DeviceMath.Reciprocal(1f + DeviceMath.Sqrt(scaled <= DeviceMath.Largest ? scaled : DeviceMath.Largest));
    }
}

/// <summary>1 / sqrt(1 + Scale s): inverse multiquadric.</summary>
public struct InverseRootProfile : IProfile
{
    public readonly float Of(float s, ProfileArguments arguments)
    {
        float w = Fused.Fma(s, arguments.Scale, 1f);
        return DeviceMath.Reciprocal(DeviceMath.Sqrt(w <= DeviceMath.Largest ? w : DeviceMath.Largest));
    }
}
