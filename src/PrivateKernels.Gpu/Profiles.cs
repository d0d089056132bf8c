namespace PrivateKernels.Gpu;

/// <summary>What a pair function does to s = |x - y|_2^2, |x - y|_1 or x . y, in the form that devices run.</summary>
public enum ProfileKind
{
    /// <summary>s itself.</summary>
    Identity,

    /// <summary>c sqrt s.</summary>
    Root,

    /// <summary>exp(-c s).</summary>
    Exp,

    /// <summary>exp(-c sqrt s).</summary>
    ExpRoot,

    /// <summary>(1 + r) exp(-r), r = c sqrt s.</summary>
    Matern32,

    /// <summary>(1 + r + r^2 / 3) exp(-r), r = c sqrt s.</summary>
    Matern52,

    /// <summary>1 / (1 + c s).</summary>
    Inverse,

    /// <summary>1 / (1 + c sqrt s).</summary>
    InverseRoot,

    /// <summary>1 / sqrt(1 + c s).</summary>
    RootInverse,
}

/// <summary>
/// The recipes of the core's <see cref="PrivateKernels.Profiles"/>, operation by operation, so that kernel values have the
/// same bits on every engine. Each takes s, at least 0, and the constant c.
/// </summary>
public static class DeviceProfiles
{
    const float Log2E = 1.44269504f, LargestRoot = 1000f, Third = 1f / 3;

    /// <summary>f(s) of a <see cref="ProfileKind"/>.</summary>
    public static float Of(int kind, float s, float scale)
    {
        float value = s;
        if (kind == (int)ProfileKind.Root) value = DeviceMath.Sqrt(s) * scale;
        else if (kind == (int)ProfileKind.Exp) value = Exp(s, scale);
        else if (kind == (int)ProfileKind.ExpRoot) value = Exp(DeviceMath.Sqrt(s), scale);
        else if (kind == (int)ProfileKind.Matern32) value = Matern32(s, scale);
        else if (kind == (int)ProfileKind.Matern52) value = Matern52(s, scale);
        else if (kind == (int)ProfileKind.Inverse) value = Inverse(s, scale);
        else if (kind == (int)ProfileKind.InverseRoot) value = Inverse(DeviceMath.Sqrt(s), scale);
        else if (kind == (int)ProfileKind.RootInverse) value = RootInverse(s, scale);
        return value;
    }

    public static float Exp(float s, float scale) => DeviceMath.Exp2Minus(s, Log2E * scale);

    public static float Matern32(float s, float scale)
    {
        float root = DeviceMath.Sqrt(s);
        return Fused.Fma(root, scale, 1f) * Exp(root, scale);
    }

    public static float Matern52(float s, float scale)
    {
        float root = DeviceMath.Sqrt(s), r = root * scale;
        r = r < LargestRoot ? r : LargestRoot;
        return Fused.Fma(r, Fused.Fma(r, Third, 1f), 1f) * Exp(root, scale);
    }

    public static float Inverse(float s, float scale)
    {
        float w = Fused.Fma(s, scale, 1f);
        bool valid = w <= DeviceMath.Largest;
        return valid ? DeviceMath.Reciprocal(valid ? w : 1f) : 0f;
    }

    public static float RootInverse(float s, float scale)
    {
        float w = Fused.Fma(s, scale, 1f);
        bool valid = w <= float.MaxValue;
        return valid ? DeviceMath.Reciprocal(DeviceMath.Sqrt(valid ? w : 1f)) : 0f;
    }
}

/// <summary>A profile that a program has built in.</summary>
public interface IDeviceProfile
{
    /// <summary>
    /// Whether it takes so many registers that a tile must compute its values one after another.
    /// </summary>
    bool IsLong { get; }

    /// <summary>f(s) for the constant c.</summary>
    float Of(float s, float scale);
}

/// <inheritdoc cref="ProfileKind.Identity"/>
public struct IdentityProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => s;
}

/// <inheritdoc cref="ProfileKind.Root"/>
public struct RootProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => DeviceMath.Sqrt(s) * scale;
}

/// <inheritdoc cref="ProfileKind.Exp"/>
public struct ExpProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => DeviceProfiles.Exp(s, scale);
}

/// <inheritdoc cref="ProfileKind.ExpRoot"/>
public struct ExpRootProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => DeviceProfiles.Exp(DeviceMath.Sqrt(s), scale);
}

/// <inheritdoc cref="ProfileKind.Matern32"/>
public struct Matern32Profile : IDeviceProfile
{
    public readonly bool IsLong => true;

    public readonly float Of(float s, float scale) => DeviceProfiles.Matern32(s, scale);
}

/// <inheritdoc cref="ProfileKind.Matern52"/>
public struct Matern52Profile : IDeviceProfile
{
    public readonly bool IsLong => true;

    public readonly float Of(float s, float scale) => DeviceProfiles.Matern52(s, scale);
}

/// <inheritdoc cref="ProfileKind.Inverse"/>
public struct InverseProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => DeviceProfiles.Inverse(s, scale);
}

/// <inheritdoc cref="ProfileKind.InverseRoot"/>
public struct InverseRootProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => DeviceProfiles.Inverse(DeviceMath.Sqrt(s), scale);
}

/// <inheritdoc cref="ProfileKind.RootInverse"/>
public struct RootInverseProfile : IDeviceProfile
{
    public readonly bool IsLong => false;

    public readonly float Of(float s, float scale) => DeviceProfiles.RootInverse(s, scale);
}
