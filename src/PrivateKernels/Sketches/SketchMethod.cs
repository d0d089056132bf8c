namespace PrivateKernels;

/// <summary>Structure that serves a pair function. The numbers are those of the wire and of release files.</summary>
public enum SketchMethod
{
    /// <summary>Random Fourier features.</summary>
    Fourier = 1,

    /// <summary>Random features of functions of the angle.</summary>
    Spherical = 2,

    /// <summary>Frequencies on a grid; gaussian kernel on a box of up to three dimensions.</summary>
    FrequencyGrid = 3,

    /// <summary>Hermite expansions about the centers of cubes; gaussian kernel on a box of up to three dimensions.</summary>
    HermiteGrid = 4,

    /// <summary>Landmarks from a public data set; positive-definite kernels.</summary>
    Landmark = 5,

    /// <summary>Sign features on a grid; l1 distance.</summary>
    Sign = 6,

    /// <summary>Exact moments; inner product, squared l2, even powers.</summary>
    Moment = 7,

    /// <summary>Grid per coordinate; sums of |z_i|^p with 0 &lt; p &lt; 2.</summary>
    CoordinateGrid = 8,

    /// <summary>Projections onto directions; l2 distance.</summary>
    Sliced = 9,

    /// <summary>
    /// Trees of counts, discrete Laplace noise: per coordinate for l1 and |z|_p^p with 0 &lt; p &lt; 2, per direction for l2.
    /// </summary>
    Tree = 10,

    /// <summary>Construction of the ICLR 2024 paper, for comparison; discrete Laplace noise, add-or-remove only.</summary>
    Paper = 11,

    /// <summary>The same, with concatenated features in place of a split budget; sums of exponentials.</summary>
    PaperPlus = 12,

    /// <summary>Products of B-splines on a grid, discrete Laplace noise; gaussian kernel on a box of up to three dimensions.</summary>
    SplineGrid = 13,
}
