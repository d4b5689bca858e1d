"""Sums over columns find their elements in matrices of more than 2^31 and 2^32, as test_cuda_large.py has it."""

import numpy as np
import pytest
from large import SIZE, corners, flat, last, mark, reserve, running
from simulated import on_device, sim_only

from minigan.kernels import reference
from minigan.kernels.cuda import batch_norm, batch_norm_vjp, bias_sum, leaky_relu_vjp_sum
from minigan.kernels.cuda.columns import cut
from minigan.kernels.cuda.launch import THREADS, run

pytestmark = sim_only


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Matrices (M, C) whose columns are summed: the corners of a matrix of zeros

MATRICES = [(SIZE, 1), ((1 << 24) + 3, 300), (180_007, 15_013), (7, (1 << 30) + 7), (3, (1 << 31) + 99), (3, SIZE)]
of_matrices = pytest.mark.parametrize("shape", MATRICES, ids=str)


class Corners:
    """Elements in the first and last column and in the first and last run of rows."""

    def __init__(self, rng, shape):
        (M, C), how = shape, cut(*shape)
        self.columns = np.unique([0, C - 1])
        rows = [0, 1, how.run - 1, (how.runs - 1) * how.run, M - 2, M - 1, *rng.integers(0, min(how.run, M), 2)]
        self.rows = np.unique([row for row in rows if 0 <= row < M])
        self.blocks = corners(how.blocks // how.runs)
        self.at = np.ix_(self.rows, self.columns)
        self.places = self.rows[:, None] * C + self.columns


@of_matrices
def test_sums_of_columns(shape, rng):
    c = Corners(rng, shape)
    g, x = reserve(shape), reserve(shape)
    mark(rng, g, c.places)
    mark(rng, x, c.places)
    with running(c.blocks):
        sums = bias_sum(g)
        gx, gradient_sums = leaky_relu_vjp_sum(g, x, 0.25)
    expected = reference.leaky_relu_vjp(np.asarray(g)[c.at], np.asarray(x)[c.at], 0.25)
    np.testing.assert_allclose(flat(sums)[c.columns], np.asarray(g)[c.at].sum(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_array_equal(np.asarray(gx)[c.at], expected)
    np.testing.assert_allclose(flat(gradient_sums)[c.columns], expected.sum(0, dtype=np.float64), rtol=1e-5)


@of_matrices
def test_batch_norm(shape, rng):
    (M, C), c, eps, slope = shape, Corners(rng, shape), 1e-12, 0.25
    x, g = reserve(shape), reserve(shape)
    scale, shift = reserve(C), reserve(C)
    for array, places in ((x, c.places), (g, c.places), (scale, c.columns), (shift, c.columns)):
        mark(rng, array, places)
    with running(c.blocks):
        y, mean, inverse = batch_norm(x, scale, shift, eps, slope)
        gx, gscale, gshift = batch_norm_vjp(g, x, scale, shift, mean, inverse, slope)

    a, upstream = (np.asarray(array)[c.at].astype(np.float64) for array in (x, g))
    of_scale, of_shift = (flat(array)[c.columns].astype(np.float64) for array in (scale, shift))
    average = a.sum(0) / M
    deviation = np.sqrt((a * a).sum(0) / M - average**2 + eps)
    normal = (a - average) / deviation
    before = normal * of_scale + of_shift
    upstream = np.where(before > 0, upstream, slope * upstream)
    sums, products = upstream.sum(0), (upstream * normal).sum(0)
    expected = of_scale / deviation * (upstream - sums / M - normal * (products / M))
    for actual, exact in (
        (np.asarray(y)[c.at], np.where(before > 0, before, slope * before)),
        (flat(mean)[c.columns], average),
        (flat(inverse)[c.columns], 1 / deviation),
        (flat(gshift)[c.columns], sums),
        (flat(gscale)[c.columns], products),
        (np.asarray(gx)[c.at], expected),
    ):
        np.testing.assert_allclose(actual, exact, rtol=2e-4, atol=2e-4 * np.abs(exact).max())


# Runs of more rows than an int counts, which a matrix has from 2^42 rows on; here the last run alone has few

LONG, FEW = (1 << 31) + THREADS, 5


def test_sums_of_long_runs(rng):
    g, x, gx = (reserve((LONG + FEW, 1)) for _ in range(3))
    rows = np.arange(LONG - 1, LONG + FEW)
    for array in (g, x):
        mark(rng, array, rows)
    shape = LONG + FEW, 1, 1, LONG
    sums, gradient_sums = (reserve((2, 1), np.float64) for _ in range(2))
    with running(last):
        run("reduce.cu", "column_sums", (2, THREADS), g, sums, *shape)
        run("reduce.cu", "leaky_relu_vjp_sums", (2, THREADS), g, x, gx, gradient_sums, 0.25, *shape)
    expected = reference.leaky_relu_vjp(flat(g)[rows], flat(x)[rows], 0.25)
    np.testing.assert_array_equal(flat(gx)[rows[1:]], expected[1:])
    for actual, terms in ((sums, flat(g)[rows]), (gradient_sums, expected)):
        np.testing.assert_allclose(flat(actual), [0, terms[1:].sum(dtype=np.float64)], rtol=1e-6)


def test_moments_of_long_runs(rng):
    x, scale = reserve((LONG + FEW, 1)), on_device(np.ones(1, np.float32))
    rows = np.arange(LONG, LONG + FEW)
    mark(rng, x, rows)
    moments, line = reserve((2, 2), np.float64), reserve(2, np.float64)
    with running(last):
        run("norm.cu", "run_moments", (2, THREADS), x, moments, LONG + FEW, 1, 1, LONG, 2)
    numbers = flat(x)[rows].astype(np.float64)
    mean, squares = numbers.mean(), FEW * numbers.var()
    np.testing.assert_allclose(flat(moments), [0, mean, 0, squares], rtol=1e-6)
    flat(moments)[[0, 2]] = -0.5, 3 * LONG
    joined = scale, reserve(1), reserve(1), line, 0.0, LONG + FEW, 1, 1, LONG, 2
    run("norm.cu", "join_moments", (1, THREADS), moments, *joined, real=np.float32)
    average = (FEW * mean - 0.5 * LONG) / (LONG + FEW)
    distances = FEW * (mean - average) ** 2 + LONG * (-0.5 - average) ** 2
    deviation = np.sqrt((squares + 3 * LONG + distances) / (LONG + FEW))
    np.testing.assert_allclose(flat(line), [average, 1 / deviation], rtol=1e-9)
