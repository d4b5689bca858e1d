"""Binary cross-entropy in CUDA is that of minigan.ops, for targets of any kind and logits of any size."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import DTYPES, SEEDS, assert_close, on_device, ordered, plain

from minigan.errors import DtypeError, ShapeError
from minigan.kernels.cuda import loss as cuda
from minigan.ops import activations_and_losses as loss

SHAPES = st.one_of(st.lists(st.integers(0, 6), max_size=3), st.sampled_from([[300], [4097], [31, 67]]))
KINDS = st.sampled_from(["soft", "hard", "integers", 0, 1, 0.9, True, np.float32(0.25)])


def targets_of(kind, shape):
    rng = np.random.default_rng(1)
    if kind == "soft":
        return rng.random(shape)
    return rng.integers(0, 2, shape).astype(int if kind == "integers" else float) if isinstance(kind, str) else kind


def expected_of(logits, targets):
    """The sum of the losses in float64, and the excess as the operations give it."""
    with np.errstate(invalid="ignore"):
        wide = np.asarray(logits, np.float64)
        same = targets.astype(np.float64) if isinstance(targets, np.ndarray) else float(targets)
        mean = loss.binary_cross_entropy_with_logits(wide, same) if wide.size else 0.0
        return np.asarray(mean * max(wide.size, 1), logits.dtype), np.asarray(loss._excess(logits, targets))


@settings(max_examples=40)
@given(SHAPES, KINDS, DTYPES, SEEDS)
@example([200_000], "soft", np.float32, 1)
def test_binary_cross_entropy_is_the_operations(shape, kind, dtype, seed):
    logits = (5 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    targets = targets_of(kind, shape)
    device = on_device(logits), on_device(targets) if isinstance(kind, str) else targets
    with ordered(seed):
        total, excess = cuda.binary_cross_entropy_sum(*device), cuda.binary_cross_entropy_excess(*device)
    if isinstance(kind, str):
        targets = targets.astype(dtype)
    expected = expected_of(logits, targets)
    assert_close(total, expected[0], max(logits.size, 1) if dtype == np.float64 else 1)
    assert_close(excess, expected[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", [0, 1, 0.5])
def test_at_the_ends(dtype, target):
    logits = np.array([0, -0.0, 1e-30, 80, -80, 1e4, -1e4, 3e38, -3e38, np.inf, -np.inf, np.nan], dtype)
    for one in logits:
        with np.errstate(invalid="ignore"):
            expected = loss.binary_cross_entropy_with_logits(np.array([one]), target)
        assert_close(cuda.binary_cross_entropy_sum(on_device([one]), target), np.asarray(expected, dtype))
    with np.errstate(invalid="ignore"):
        assert_close(cuda.binary_cross_entropy_excess(on_device(logits), target), loss._excess(logits, target))


@pytest.mark.parametrize("sign", [1, -1])
def test_small_losses_and_gradients_keep_their_digits(sign):
    logits = on_device(np.full(1000, 40.0 * sign))
    target = int(sign > 0)
    np.testing.assert_allclose(float(cuda.binary_cross_entropy_sum(logits, target)), 1000 * np.exp(-40), rtol=1e-12)
    excess = plain(cuda.binary_cross_entropy_excess(logits, target))
    np.testing.assert_allclose(excess, -sign * np.exp(-40), rtol=1e-12)


def test_sums_are_the_same_to_the_bit_in_every_order():
    logits, results = on_device(np.random.default_rng(0).standard_normal(9000).astype(np.float32)), set()
    for seed in range(4):
        with ordered(seed):
            results.add(cuda.binary_cross_entropy_sum(logits, 0.9).tobytes())
    assert len(results) == 1


def test_views_are_read_in_their_order():
    logits, targets = np.random.default_rng(0).random((2, 30, 40))
    device = on_device(logits.T.copy()).T[::-2], on_device(targets)[::-2]
    expected = expected_of(logits[::-2], targets[::-2])
    assert_close(cuda.binary_cross_entropy_sum(*device), expected[0], 600)
    assert_close(cuda.binary_cross_entropy_excess(*device), expected[1])


def test_wrong_arguments_are_refused():
    logits = on_device(np.zeros((4, 1)))
    for function in (cuda.binary_cross_entropy_sum, cuda.binary_cross_entropy_excess):
        with pytest.raises(ShapeError, match=r"binary_cross_entropy_\w+: logits have shape \(4, 1\), targets \(4,\)"):
            function(logits, on_device(np.zeros(4)))
        with pytest.raises(DtypeError, match="given a ndarray"):
            function(logits, np.zeros((4, 1)))
        with pytest.raises(DtypeError, match="float32 or float64, not int64"):
            function(logits.astype(np.int64), 1)
