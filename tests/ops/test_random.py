"""Streams of noise: what is drawn follows from the seed, the names and the place, and from nothing else."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan.random import Philox


def test_draws_go_on_where_the_last_one_ended():
    whole, parts = Philox(1, "noise").standard_normal((3, 4)), Philox(1, "noise")
    np.testing.assert_array_equal(np.concatenate([parts.standard_normal(8), parts.standard_normal(4)]), whole.ravel())


def test_a_draw_begins_with_a_block():
    stream, other = Philox(1), Philox(1)
    three = stream.standard_normal(3)
    np.testing.assert_array_equal(three, other.standard_normal(4)[:3])
    np.testing.assert_array_equal(stream.standard_normal(5), other.standard_normal(5))


def test_key_and_block_are_the_whole_state():
    stream, other = Philox(1, "noise"), Philox(2)
    stream.standard_normal((5, 7))
    other.key, other.block = stream.key, stream.block
    np.testing.assert_array_equal(copy.copy(stream).standard_normal(9), other.standard_normal(9))


def test_seeds_and_names_are_streams_of_their_own():
    keys = {Philox(*args).key for args in [(0,), (1,), (0, "a"), (0, "b"), (0, "a", "b"), (0, 1)]}
    assert len(keys) == 6


@pytest.mark.parametrize("shape", [(), (0, 5), 6, (2, 3, 5)])
def test_any_shape(shape):
    drawn = Philox(0).standard_normal(shape)
    assert drawn.dtype == np.float32
    assert drawn.shape == np.empty(shape).shape


def test_the_reference_draws_the_same():
    ours = Philox(3).standard_normal((9, 5))
    with mg.kernels.using("reference"):
        np.testing.assert_allclose(Philox(3).standard_normal((9, 5)), ours, rtol=1e-6)


def test_other_dtypes_are_refused():
    stream = Philox(0)
    with pytest.raises(mg.DtypeError, match="draws float32, not float64; convert"):
        stream.standard_normal(4, np.float64)
    assert stream.block == 0
