"""Answers "JOB n d m" lines with the seconds that numpy or scikit-learn takes; started by the benchmark (simd --peers)."""
import sys
import time

import numpy
from sklearn.kernel_approximation import RBFSampler
from sklearn.metrics.pairwise import manhattan_distances, rbf_kernel

UNIT = numpy.float32(2**20 - 1)
TURN = numpy.float32(2 * numpy.pi)
BLOCK = 512  # rows whose features stay in cache
prepared = {}


def prepare(job, n, d, m):
    """Arrays of a job, made before its first timing: points, then frequencies, queries or a fitted sampler."""
    random = numpy.random.default_rng(1)
    x = random.standard_normal((n, d), dtype=numpy.float32)
    if job == "sampler":
        sampler = RBFSampler(gamma=1 / d, n_components=2 * m, random_state=1).fit(x[:10])
        return x, sampler
    return x, random.standard_normal((m, d), dtype=numpy.float32) / numpy.float32(d**0.5)


def cells(x, w):
    """The integer cells of dense Fourier features: the very job of AddFourier, without its guarantee of the same bits."""
    sums = numpy.zeros(2 * len(w), numpy.int64)
    for first in range(0, len(x), BLOCK):
        angles = (x[first:first + BLOCK] @ w.T) * TURN
        sums[:len(w)] += (numpy.cos(angles) * UNIT).astype(numpy.int32).sum(axis=0, dtype=numpy.int64)
        sums[len(w):] += (numpy.sin(angles) * UNIT).astype(numpy.int32).sum(axis=0, dtype=numpy.int64)
    return sums


def sampler(x, fitted):
    """scikit-learn's features (cosines with random shifts, as many as cosines and sines together), summed."""
    return sum(fitted.transform(x[first:first + BLOCK]).sum(axis=0) for first in range(0, len(x), BLOCK))


def gaussian(x, y):
    """Gaussian sums by inner products: the usual way in numpy, which cancels where points are close."""
    squares = (y * y).sum(axis=1)
    sums = numpy.zeros(len(y))
    for first in range(0, len(x), BLOCK):
        block = x[first:first + BLOCK]
        s = block @ y.T
        s *= -2
        s += (block * block).sum(axis=1)[:, None]
        s += squares
        s *= numpy.float32(-1 / x.shape[1])
        sums += numpy.exp(s, out=s).sum(axis=0, dtype=numpy.float64)
    return sums


JOBS = {
    "cells": cells,
    "sampler": sampler,
    "gaussian": gaussian,
    "rbf_kernel": lambda x, y: rbf_kernel(x, y, gamma=1 / x.shape[1]).sum(axis=0),
    "manhattan": lambda x, y: manhattan_distances(x, y).sum(axis=0),
}

for line in sys.stdin:
    job, *sizes = line.split()
    key = (job, *map(int, sizes))
    if key not in prepared:
        prepared.clear()
        prepared[key] = prepare(*key)
        JOBS[job](*prepared[key])
    begun = time.perf_counter()
    JOBS[job](*prepared[key])
    print(time.perf_counter() - begun, flush=True)
