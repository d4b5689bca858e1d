"""Losses: values from their definitions, gradients of every order, extreme logits, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

import minigan as mg
from minigan.testing import arrays, check_grads, shapes


@given(shapes(), st.data())
def test_binary_cross_entropy(shape, data):
    logits, targets = data.draw(arrays(shape)), data.draw(arrays(shape, low=0.1, high=1.0))
    p = 1 / (1 + np.exp(-logits))
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()
    assert np.allclose(mg.binary_cross_entropy_with_logits(mg.tensor(logits), targets).item(), expected)
    check_grads(mg.binary_cross_entropy_with_logits, [logits, targets])
    for label in (0, 1, 0.9):
        check_grads(lambda x, label=label: mg.binary_cross_entropy_with_logits(x, label), [logits], order=3)


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_cross_entropy(count, classes, data):
    logits = data.draw(arrays((count, classes)))
    labels = data.draw(numpy_strategies.arrays(np.int64, count, elements=st.integers(0, classes - 1)))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(count), labels]).mean()
    assert np.allclose(mg.cross_entropy(mg.tensor(logits), labels).item(), expected)
    check_grads(lambda x: mg.cross_entropy(x, labels), [logits], order=3)


@given(shapes(), st.data())
def test_squared_and_absolute_error(shape, data):
    a, b = data.draw(arrays(shape)), data.draw(arrays(shape, low=2.1, high=3))
    assert np.allclose(mg.mean_squared_error(mg.tensor(a), b).item(), np.square(a - b).mean())
    assert np.allclose(mg.mean_absolute_error(mg.tensor(a), b).item(), np.abs(a - b).mean())
    check_grads(mg.mean_squared_error, [a, b])
    check_grads(mg.mean_absolute_error, [a, b])


@given(st.integers(1, 4), st.integers(1, 4), st.data())
def test_divergence_from_the_standard_normal(count, latent, data):
    """log(s2 / s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1 / 2 between two normals, here with m2 = 0 and s2 = 1."""
    mean, log_variance = data.draw(arrays((count, latent))), data.draw(arrays((count, latent)))
    deviation = np.exp(log_variance / 2)
    expected = (-np.log(deviation) + (deviation**2 + mean**2) / 2 - 0.5).sum(1).mean()
    assert np.allclose(mg.standard_normal_divergence(mg.tensor(mean), mg.tensor(log_variance)).item(), expected)
    check_grads(mg.standard_normal_divergence, [mean, log_variance], order=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_logit_is_too_large(dtype):
    logits = mg.tensor(np.array([1e4, -1e4], dtype), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        right = mg.binary_cross_entropy_with_logits(logits, np.array([1, 0], dtype))
        wrong = mg.binary_cross_entropy_with_logits(logits, np.array([0, 1], dtype))
        assert right.item() == 0
        assert wrong.item() == 1e4
        assert mg.grad(wrong, logits).tolist() == [0.5, -0.5]
        rows = mg.tensor(np.array([[1e4, -1e4]], dtype), requires_grad=True)
        assert mg.cross_entropy(rows, [1]).item() == 2e4
        assert mg.grad(mg.cross_entropy(rows, [1]), rows).tolist() == [[1, -1]]


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float16, np.float64, list])
def test_targets_may_be_of_any_dtype(dtype):
    labels = [[1.0], [0.0]]
    targets = labels if dtype is list else np.array(labels, dtype)
    logits = mg.tensor(np.array([[-1], [2]], np.float32), requires_grad=True)
    loss = mg.binary_cross_entropy_with_logits(logits, targets)
    assert loss.dtype == np.float32
    assert np.isclose(loss.item(), (np.log1p(np.exp(1)) + np.log1p(np.exp(2))) / 2)
    assert np.allclose(mg.grad(loss, logits), [[-1 / (1 + np.exp(-1)) / 2], [1 / (1 + np.exp(-2)) / 2]])


def test_no_loss_is_too_small():
    """The loss of an answer that is almost surely right, and its gradient, are not rounded to 0."""
    for label, x in ((1, 30), (0, -30)):
        logits = mg.tensor(np.array([x], np.float32), requires_grad=True)
        loss = mg.binary_cross_entropy_with_logits(logits, label)
        assert np.isclose(loss.item(), np.exp(-30), rtol=1e-6)
        assert np.isclose(mg.grad(loss, logits).item(), -np.sign(x) * np.exp(-30), rtol=1e-6)


def test_the_mean_of_no_loss():
    logits = mg.tensor(np.empty((0, 1), np.float32), requires_grad=True)
    loss = mg.binary_cross_entropy_with_logits(logits, 1)
    assert np.isnan(loss.item())
    assert mg.grad(loss, logits).shape == (0, 1)


def test_shapes_that_differ_are_never_broadcast():
    x, y = mg.tensor(np.ones((4, 1))), np.ones(4)
    for loss in (mg.binary_cross_entropy_with_logits, mg.mean_squared_error, mg.mean_absolute_error):
        with pytest.raises(
            mg.ShapeError, match=rf"{loss.__name__}: predictions have shape \(4, 1\), targets \(4,\); broadcasting"
        ):
            loss(x, y)


def test_means_and_variances_come_in_pairs():
    with pytest.raises(mg.ShapeError, match=r"mean has shape \(4, 2\) and log_variance \(4, 1\)"):
        mg.standard_normal_divergence(mg.tensor(np.ones((4, 2))), mg.tensor(np.ones((4, 1))))


def test_labels_have_to_be_classes():
    logits = mg.tensor(np.ones((2, 3)))
    with pytest.raises(mg.ShapeError, match=r"labels go from 0 to 3, but there are 3 classes, 0 to 2"):
        mg.cross_entropy(logits, [0, 3])
    with pytest.raises(mg.ShapeError, match=r"labels \(3,\) of int64; they are \(N, K\) and integers \(N,\)"):
        mg.cross_entropy(logits, [0, 1, 2])
    with pytest.raises(mg.ShapeError, match="float64"):
        mg.cross_entropy(logits, [0.0, 1.0])
