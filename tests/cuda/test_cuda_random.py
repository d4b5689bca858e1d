"""The numbers that a GPU draws are the reference's, wherever a draw begins and an array does."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import SEEDS, on_device, ordered, plain

from minigan.errors import DtypeError
from minigan.kernels import cpu, reference
from minigan.kernels.cuda import random as cuda
from minigan.kernels.cuda.launch import THREADS, each, run

KEYS, PLACES = st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 2**20)
SIZES, SKIPPED = st.one_of(st.integers(0, 40), st.just(4 * THREADS + 3)), st.integers(0, 4)
FEW = settings(max_examples=30)
WORD = 0xFFFFFFFF
ENDS = [0, 1, (1 << 29) - 1, 1 << 29, 1 << 30, (1 << 31) - 1, 1 << 31, 5 << 29, 7 << 29, WORD - 300, WORD - 64, WORD]
KINDS = pytest.mark.parametrize("kind", ["standard_normal", "uniform"])


def drawn(kind, size, key, block, skipped=0):
    """Numbers drawn into an array that begins so many numbers after a boundary."""
    out = on_device(np.full(skipped + size + 1, np.nan, np.float32))
    getattr(cuda, kind)(out[skipped:-1], key, block)
    assert np.isnan(plain(out[:skipped])).all()
    assert np.isnan(out[-1])
    return plain(out[skipped:-1])


@KINDS
@FEW
@given(SIZES, KEYS, PLACES, SKIPPED, SEEDS)
def test_numbers_are_the_references(kind, size, key, block, skipped, seed):
    expected = np.empty(size, np.float64)
    getattr(reference, kind)(expected, key, block)
    with ordered(seed):
        np.testing.assert_allclose(drawn(kind, size, key, block, skipped), expected, rtol=1e-6)


@KINDS
@FEW
@given(KEYS, PLACES, st.integers(0, 40), st.integers(1, 20))
def test_a_number_depends_on_its_place_only(kind, key, block, later, size):
    whole = drawn(kind, 4 * 60, key, block)
    np.testing.assert_array_equal(drawn(kind, size, key, block + later), whole[4 * later :][:size])


def test_points_at_an_end(monkeypatch):
    """The farthest out and the nearest, and directions where one formula takes over from another."""
    words = np.array([(a, b) for a in ENDS for b in ENDS], np.uint32)
    points = on_device(np.empty(words.shape, np.float32))
    run(str(Path(__file__).with_name("points.cu")), "points", each(len(words)), points, on_device(words), len(words))
    expected = np.empty((len(words), 4))
    for pair, point in zip(words.tolist(), expected, strict=True):
        monkeypatch.setattr(reference, "philox", lambda *_, pair=pair: (*pair, *pair))
        reference.standard_normal(point, 0, 0)
    np.testing.assert_allclose(plain(points), expected[:, :2], rtol=1e-6, atol=1e-15)


@KINDS
def test_any_shape(kind):
    out = on_device(np.full((2, 3, 5), np.nan, np.float32))
    getattr(cuda, kind)(out, 7, 8)
    np.testing.assert_array_equal(plain(out).ravel(), drawn(kind, 30, 7, 8))


@KINDS
def test_what_cannot_be_filled_is_refused(kind):
    with pytest.raises(DtypeError, match=f"{kind}: draws float32, not float64"):
        getattr(cuda, kind)(on_device(np.ones(4)), 0, 0)
    with pytest.raises(ValueError, match="contiguous"):
        getattr(cuda, kind)(on_device(np.ones((4, 4), np.float32))[:, ::2], 0, 0)


@KINDS
def test_many_numbers_are_those_of_the_cpu(kind):
    """Far and near points, and all directions where one formula takes over from another."""
    expected = np.empty(1 << 18, np.float32)
    getattr(cpu, kind)(expected, 1, 0)
    np.testing.assert_allclose(drawn(kind, expected.size, 1, 0), expected, rtol=2e-6)
