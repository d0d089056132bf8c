namespace PrivateKernels;

static class Recipe
{
    internal static void Write(RecipeWriter writer, Measurement measurement) => throw new NotSupportedException();
}
