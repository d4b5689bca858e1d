"""Streams of noise: what is drawn follows from the seed, the names and the place, and from nothing else."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan.random import Philox

DRAWS = pytest.mark.parametrize("draw", [Philox.standard_normal, Philox.random], ids=["normal", "uniform"])


@DRAWS
def test_draws_go_on_where_the_last_one_ended(draw):
    whole, parts = draw(Philox(1, "noise"), (3, 4)), Philox(1, "noise")
    np.testing.assert_array_equal(np.concatenate([draw(parts, 8), draw(parts, 4)]), whole.ravel())


@DRAWS
def test_a_draw_begins_with_a_block(draw):
    stream, other = Philox(1), Philox(1)
    three = draw(stream, 3)
    np.testing.assert_array_equal(three, draw(other, 4)[:3])
    np.testing.assert_array_equal(draw(stream, 5), draw(other, 5))


def test_one_stream_gives_numbers_of_both_kinds():
    stream, blocks_later = Philox(1), Philox(1)
    stream.standard_normal(7)
    blocks_later.block = 2
    np.testing.assert_array_equal(stream.random(5), blocks_later.random(5))


def test_key_and_block_are_the_whole_state():
    stream, other = Philox(1, "noise"), Philox(2)
    stream.standard_normal((5, 7))
    other.key, other.block = stream.key, stream.block
    np.testing.assert_array_equal(copy.copy(stream).standard_normal(9), other.standard_normal(9))


def test_seeds_and_names_are_streams_of_their_own():
    keys = {Philox(*args).key for args in [(0,), (1,), (0, "a"), (0, "b"), (0, "a", "b"), (0, 1)]}
    assert len(keys) == 6


@DRAWS
@pytest.mark.parametrize("shape", [(), (0, 5), 6, (2, 3, 5)])
def test_any_shape(draw, shape):
    drawn = draw(Philox(0), shape)
    assert drawn.dtype == np.float32
    assert drawn.shape == np.empty(shape).shape


@DRAWS
def test_the_reference_draws_the_same(draw):
    ours = draw(Philox(3), (9, 5))
    with mg.kernels.using("reference"):
        np.testing.assert_allclose(draw(Philox(3), (9, 5)), ours, rtol=1e-6)


def test_uniform_numbers_have_the_moments_of_their_distribution():
    drawn = Philox(4).random(100_000).astype(np.float64)
    assert 0 <= drawn.min() < 1e-4
    assert 1 - 1e-4 < drawn.max() < 1
    for power in (1, 2, 3):  # the mean of u^k is 1 / (k + 1), give or take 0.001
        assert (drawn**power).mean() == pytest.approx(1 / (power + 1), abs=0.004)


@DRAWS
def test_other_dtypes_are_refused(draw):
    stream = Philox(0)
    with pytest.raises(mg.DtypeError, match=f"{draw.__name__}: draws float32, not float64; convert"):
        draw(stream, 4, np.float64)
    assert stream.block == 0
