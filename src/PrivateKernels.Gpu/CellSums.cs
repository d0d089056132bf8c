using ILGPU;
using ILGPU.Runtime;

namespace PrivateKernels.Gpu;

/// <summary>
/// The int64 cells of a job on one device: for each of the two slots [slice][cell], so that two streams never add to
/// the same cell, and the totals on the host.
/// </summary>
sealed class CellSums
{
    readonly Device _device;
    readonly ArrayView<long>[] _partial;
    readonly ArrayView<long> _totals;
    readonly long[] _fetched, _sum;
    readonly bool[] _used = new bool[2];

    /// <param name="device">Where they are.</param>
    /// <param name="cells">Cells.</param>
    /// <param name="slices">Sums of each that are kept apart.</param>
    /// <param name="role">Name of the buffers: two sets of a task need two.</param>
    public CellSums(Device device, int cells, int slices, string role = "cells")
    {
        (_device, Cells, Slices) = (device, cells, slices);
        long partial = (long)cells * slices;
        _partial = [device.Buffer<long>($"{role} 0", partial), device.Buffer<long>($"{role} 1", partial)];
        _totals = device.Buffer<long>($"{role} totals", cells);
        (_fetched, _sum) = (new long[cells], new long[cells]);
    }

    public int Cells { get; }

    public int Slices { get; }

    /// <summary>The cells of a slot, cleared before their first use.</summary>
    public ArrayView<long> Partial(int slot)
    {
        if (!_used[slot]) _device.Clear(_device.Slots[slot].Stream, _partial[slot]);
        _used[slot] = true;
        return _partial[slot];
    }

    /// <summary>Brings the sums since the last call to the host and starts again at zero.</summary>
    public ReadOnlySpan<long> Fetch()
    {
        Array.Clear(_sum);
        AcceleratorStream stream = _device.Slots[0].Stream;
        for (int slot = 0; slot < 2; slot++)
        {
            if (!_used[slot]) continue;
            var arguments = new SumArguments
            {
                Partial = _partial[slot],
                Totals = _totals,
                Count = Cells,
                Slices = Slices,
            };
            int groups = Math.Min((Cells + SumPrograms.Threads - 1) / SumPrograms.Threads, 1024);
            _device.Launch(stream, SumPrograms.SumSlices, groups, SumPrograms.Threads, arguments);
            _device.Download<long>(_totals, _fetched);
            for (int i = 0; i < _sum.Length; i++) _sum[i] += _fetched[i];
        }
        // Exact cells are private: none stay behind here longer than needed.
        Array.Clear(_fetched);
        return _sum;
    }

    /// <summary>Adds what was fetched to <paramref name="cells"/> and forgets it.</summary>
    public void AddTo(Span<long> cells)
    {
        for (int i = 0; i < _sum.Length; i++) cells[i] += _sum[i];
        Array.Clear(_sum);
    }
}
