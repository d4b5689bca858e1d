"""The device that kernels are tested on: "sim", in several orders of threads and blocks, or the one that
MINIGAN_TEST_DEVICE names: `MINIGAN_TEST_DEVICE=cuda pytest tests/cuda` on a machine with a GPU."""

import contextlib
import os

import numpy as np
import pytest
from hypothesis import strategies as st

from minigan import devices
from minigan.kernels.cuda import SimArray, Simulator
from minigan.kernels.cuda.launch import launcher_of, register

DEVICE = os.environ.get("MINIGAN_TEST_DEVICE", "sim")
devices.on(DEVICE)  # an error at once where there is none: nothing is skipped for it
SIMULATED = DEVICE == "sim"
SEEDS = st.sampled_from([0, 1, 2, 3] if SIMULATED else [0])  # of the order of threads and blocks; 0: first to last
DTYPES = st.sampled_from([np.float32, np.float64])
sim_only = pytest.mark.skipif(not SIMULATED, reason=f"about the simulator, and this is on the device {DEVICE}")


@contextlib.contextmanager
def ordered(seed, sanitizer=None):
    """Let threads and blocks run in this order until the end of the block; a GPU has its own."""
    if not SIMULATED:
        yield
        return
    before = launcher_of(np.empty(0).view(SimArray))
    register(SimArray, Simulator(seed, sanitizer))
    try:
        yield
    finally:
        register(SimArray, before)


def on_device(array):
    """A copy in C order."""
    return devices.move(np.array(array, order="C"), DEVICE)


def as_it_lies(array):
    """The same numbers on the device in the same order of memory, as far as a copy to a GPU keeps it."""
    if SIMULATED:
        return array.view(SimArray)
    return on_device(array.T).T if array.flags.f_contiguous else on_device(array)


def plain(array):
    """A copy, as NumPy's."""
    return np.array(devices.to_cpu(array))


def numbers(seed, dtype, *shape):
    """Random numbers, of which some are where kernels take a turn: zeros, infinities, NaN."""
    rng = np.random.default_rng(seed)
    array = np.asarray(rng.standard_normal(shape), dtype)
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan], dtype)
    return np.where(rng.random(shape) < 0.1, rng.choice(special, shape), array)


def assert_close(actual, expected, terms=1):
    """Of one shape and dtype, on the device, and equal up to the rounding of sums of `terms` products."""
    assert devices.device_of(actual) == DEVICE
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    error = 32 * np.sqrt(terms) * np.finfo(expected.dtype).eps
    np.testing.assert_allclose(plain(actual), expected, rtol=error, atol=error)
