"""Kernels on the device sim, in several orders of threads and blocks."""

import contextlib

import numpy as np
from hypothesis import strategies as st

from minigan.kernels.cuda import SimArray, Simulator
from minigan.kernels.cuda.launch import launcher_of, register

SEEDS = st.sampled_from([0, 1, 2, 3])  # of the order of threads and blocks; 0: first to last
DTYPES = st.sampled_from([np.float32, np.float64])


@contextlib.contextmanager
def ordered(seed, sanitizer=None):
    """Let threads and blocks run in this order until the end of the block."""
    before = launcher_of(np.empty(0).view(SimArray))
    register(SimArray, Simulator(seed, sanitizer))
    try:
        yield
    finally:
        register(SimArray, before)


def on_device(array):
    return np.array(array, order="C").view(SimArray)


def numbers(seed, dtype, *shape):
    """Random numbers, of which some are where kernels take a turn: zeros, infinities, NaN."""
    rng = np.random.default_rng(seed)
    array = np.asarray(rng.standard_normal(shape), dtype)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan], dtype)
    return np.where(rng.random(shape) < 0.1, rng.choice(special, shape), array)


def assert_close(actual, expected, terms=1):
    """Of one shape and dtype, on the device, and equal up to the rounding of sums of `terms` products."""
    assert type(actual) is SimArray
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    error = 32 * np.sqrt(terms) * np.finfo(expected.dtype).eps
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=error, atol=error)
