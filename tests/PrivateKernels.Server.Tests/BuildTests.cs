namespace PrivateKernels.Tests;

public sealed class BuildTests
{
    [Fact]
    public void Int64_cells_are_available() => Assert.Equal(8, sizeof(long));
}
