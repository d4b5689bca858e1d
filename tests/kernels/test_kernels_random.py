"""Philox is the published one, and the numbers made of it are the reference's, wherever a draw begins."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan.kernels import cpu, reference
from minigan.kernels.cpu.random import BLOCKS, direction, fraction, radius

KEYS, PLACES = st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 2**20)
WORD = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((WORD,) * 4, (WORD,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_words_that_its_authors_publish(counter, key, words):
    assert " ".join(f"{word:08x}" for word in reference.philox(counter, key)) == words


@given(st.integers(0, 300), KEYS, PLACES)
def test_normal_numbers_are_the_references(size, key, block):
    ours, expected = np.empty(size, np.float32), np.empty(size)
    cpu.standard_normal(ours, key, block)
    reference.standard_normal(expected, key, block)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


@given(st.integers(0, 300), KEYS, PLACES)
def test_uniform_numbers_are_the_references(size, key, block):
    ours, expected = np.empty(size, np.float32), np.empty(size, np.float32)
    cpu.uniform(ours, key, block)
    reference.uniform(expected, key, block)
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("word", [0, 255, 256, WORD - 255, WORD])
def test_uniform_numbers_are_from_0_to_below_1(monkeypatch, word):
    """As numbers of 24 bits, so that the greatest is not rounded to 1."""
    monkeypatch.setattr(reference, "philox", lambda counter, key: (np.full_like(counter[0], word),) * 4)
    drawn = np.empty(4, np.float32)
    reference.uniform(drawn, 0, 0)
    assert (drawn == np.float32(word // 256 / 2**24)).all()
    assert drawn[0] < 1
    assert uniform_number(np.uint64(word)) == drawn[0]


@pytest.mark.parametrize("draw", [cpu.standard_normal, cpu.uniform], ids=["normal", "uniform"])
@given(KEYS, PLACES, st.integers(0, 2 * BLOCKS), st.integers(1, 100))
def test_a_number_depends_on_its_place_only(draw, key, block, later, size):
    whole, part = np.empty((2 * BLOCKS + 25, 4), np.float32), np.empty(size, np.float32)
    draw(whole, key, block)
    draw(part, key, block + later)
    np.testing.assert_array_equal(part, whole[later:].reshape(-1)[:size])


@numba.njit
def uniform_number(a):
    return fraction(a)


@numba.njit
def point(a, b):
    (x, y), r = direction(b), radius(a)
    return r * x, r * y


ENDS = [0, 1, (1 << 29) - 1, 1 << 29, 1 << 30, (1 << 31) - 1, 1 << 31, 5 << 29, 7 << 29, WORD - 300, WORD - 64, WORD]


@pytest.mark.parametrize("a", ENDS)
@pytest.mark.parametrize("b", ENDS)
def test_points_at_an_end(monkeypatch, a, b):
    """The farthest out and the nearest, and directions where one formula takes over from another."""
    monkeypatch.setattr(reference, "philox", lambda *_: (a, b, a, b))
    expected = np.empty(2)
    reference.standard_normal(expected, 0, 0)
    np.testing.assert_allclose(point(np.uint64(a), np.uint64(b)), expected, rtol=1e-6, atol=1e-15)
