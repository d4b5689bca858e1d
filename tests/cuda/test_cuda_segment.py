"""Sums by segment in CUDA are the reference's to the bit: each sum has its one order."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import DEVICE, DTYPES, SEEDS, numbers, on_device, ordered, plain, sim_only

import minigan as mg
from minigan.errors import DeviceError, DtypeError
from minigan.kernels import reference
from minigan.kernels.cuda import segment as cuda

FEW = settings(max_examples=30)


@FEW
@given(st.integers(0, 40), st.integers(0, 9), st.integers(1, 50), DTYPES, st.sampled_from(["i8", "i4", "u1"]), SEEDS)
@example(700, 3, 5, np.float32, "i8", 1)
def test_sums_are_the_references(n, width, count, dtype, kind, seed):
    segments, rows = np.random.default_rng(n).integers(0, count, n).astype(kind), numbers(width, dtype, n, width)
    with ordered(seed):
        sums = plain(cuda.segment_sum(on_device(rows), on_device(segments), count))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(sums, reference.segment_sum(rows, segments, count))
    assert sums.dtype == dtype


def test_rows_are_added_in_the_order_they_came_in():
    rows = on_device(np.array([[2.0**60], [1.0], [-(2.0**60)], [1.0], [3.0]]))
    sums = cuda.segment_sum(rows, on_device(np.array([0, 0, 0, 0, 2])), 3)
    np.testing.assert_array_equal(plain(sums), [[1.0], [0.0], [3.0]])


def test_views_are_read_in_their_order():
    rows, segments = np.arange(24.0).reshape(6, 4), np.array([1, 9, 0, 9, 1, 9, 2, 9])
    sums = cuda.segment_sum(on_device(rows).T, on_device(segments)[::2], 3)
    np.testing.assert_array_equal(plain(sums), reference.segment_sum(rows.T, segments[::2], 3))


def test_other_dtypes_are_refused():
    with pytest.raises(DtypeError, match="float32 or float64, not int64"):
        cuda.segment_sum(on_device(np.ones((2, 2), int)), on_device(np.zeros(2, int)), 1)


INDICES = {
    "a number": np.array(2),
    "negative": np.array([-1, 2, -1]),
    "of two axes": (np.array([0, 2, 0]), np.array([1, -1, 1])),
    "and a number": (1, np.array([1, 1, 0])),
    "beside a slice": (slice(None, None, -2), np.array([[0], [0]]), np.array([3, 3, 1])),
    "after an ellipsis": (..., np.array([3, 0, 3])),
    "with a new axis": (np.array([1, 1]), None, slice(1, 3)),
    "with truth values": (np.array([True, False, True]), np.array([1, 1])),
    "nothing": np.zeros(0, int),
}


@pytest.mark.parametrize("name", INDICES)
def test_the_gradient_of_an_index(name):
    """At NumPy's places, repeated ones summed."""
    array = np.arange(60, dtype=np.float32).reshape(3, 5, 4)
    expected, upstream = np.zeros(array.shape), np.cos(np.arange(array[INDICES[name]].size, dtype=np.float32))
    upstream = upstream.reshape(array[INDICES[name]].shape)
    np.add.at(expected, INDICES[name], upstream)
    x = mg.tensor(array, requires_grad=True, device=DEVICE)
    np.testing.assert_array_equal(plain(mg.grad(x[INDICES[name]], x, upstream)), expected.astype(np.float32))


@sim_only
def test_what_would_add_in_any_order_is_refused():
    x = on_device(np.zeros(3))
    with pytest.raises(DeviceError, match="the order would vary"):
        np.add.at(x, on_device(np.array([0, 0])), x[:2])
