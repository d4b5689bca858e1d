"""Sums in float32 are no worse than PyTorch's on the same arrays: distances from the float64 result."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.ops.conv import bias_sum

EPS = np.finfo(np.float32).eps
OFFSETS = st.sampled_from([0.0, 1.0, 1e3, 1e5])
SEEDS = st.integers(0, 2**32 - 1)
functional = torch.nn.functional


def distance(actual, exact):
    return np.abs(np.asarray(actual, np.float64) - exact).max() / (np.abs(exact).max() or 1)


def assert_no_worse(ours, theirs, exact, roundings=1):
    """Within PyTorch's own distance, or so many roundings of a result."""
    own, their = distance(ours, exact), distance(theirs, exact)
    assert own <= max(their, roundings * EPS), f"{own:.1e}, PyTorch {their:.1e}"


def drawn(shape, offset, seed):
    return (np.random.default_rng(seed).standard_normal(shape) + offset).astype(np.float32)


@st.composite
def reductions(draw):
    """(x, axes): one axis long."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    shape[draw(st.integers(0, len(shape) - 1))] = draw(st.sampled_from([50, 1000, 9000]))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1).map(lambda a: tuple(sorted(a))))
    return drawn(shape, draw(OFFSETS), draw(SEEDS)), axes


@given(reductions())
def test_sum_mean_and_variance(case):
    x, axes = case
    t, wide = torch.from_numpy(x), x.astype(np.float64)
    assert_no_worse(mg.sum(x, axis=axes), t.sum(axes), wide.sum(axes))
    assert_no_worse(mg.mean(x, axis=axes), t.mean(axes), wide.mean(axes))
    if np.prod([x.shape[a] for a in axes]) > 1:
        assert_no_worse(mg.var(x, axis=axes), t.var(axes, correction=0), wide.var(axes))


@given(reductions())
def test_softmax_and_logsumexp(case):
    x, axes = case
    x = x - x.max()
    t, wide, axis = torch.from_numpy(x), x.astype(np.float64), axes[0]
    e = np.exp(wide - wide.max(axis, keepdims=True))
    assert_no_worse(mg.softmax(x, axis=axis), t.softmax(axis), e / e.sum(axis, keepdims=True))
    total = np.log(np.exp(wide - wide.max(axes, keepdims=True)).sum(axes)) + wide.max(axes)
    assert_no_worse(mg.logsumexp(x, axis=axes), t.logsumexp(axes), total)


def standardised(x, axes, eps=1e-5):
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "layer"])
@given(st.integers(2, 4), st.sampled_from([9, 40, 130]), OFFSETS, SEEDS)
def test_normalisation(norm, images, size, offset, seed):
    x = drawn((images, size, size // 2, 4), offset, seed)
    one, zero, t = np.ones(4, np.float32), np.zeros(4, np.float32), torch.from_numpy(x).permute(0, 3, 1, 2)
    if norm == "batch":
        ours, theirs, axes = (
            mg.batch_norm(x, one, zero)[0],
            functional.batch_norm(t, None, None, training=True),
            (0, 1, 2),
        )
    elif norm == "instance":
        ours, theirs, axes = mg.instance_norm(x, one, zero), functional.instance_norm(t), (1, 2)
    elif norm == "group":
        ours, theirs, axes = mg.group_norm(x, one, zero, groups=1), functional.group_norm(t, 1), (1, 2, 3)
    else:
        ours, axes = mg.layer_norm(x, one, zero), (3,)
        theirs = functional.layer_norm(torch.from_numpy(x), (4,)).permute(0, 3, 1, 2)
    exact = standardised(x, axes)
    own, their = distance(ours, exact), distance(theirs.permute(0, 2, 3, 1), exact)
    # both round the mean to float32, by which all results are off alike, the one a little more and the other less
    assert own <= max(2 * their, EPS * (4 + offset)), f"{own:.1e}, PyTorch {their:.1e}"


@given(st.integers(2, 4), st.sampled_from([9, 40, 130]), OFFSETS, SEEDS)
def test_running_statistics(images, size, offset, seed):
    x = drawn((images, size, size, 3), offset, seed)
    ours, theirs = mg.nn.BatchNorm(3), torch.nn.BatchNorm2d(3)
    ours(mg.tensor(x))
    theirs(torch.from_numpy(x).permute(0, 3, 1, 2))
    wide = x.astype(np.float64)
    assert_no_worse(ours.running_mean.numpy(), theirs.running_mean, 0.1 * wide.mean((0, 1, 2)))
    exact = 0.9 + 0.1 * wide.var((0, 1, 2), ddof=1)
    assert distance(ours.running_variance.numpy(), exact) <= 2 * EPS + distance(theirs.running_var, exact)


@given(st.integers(1, 3), st.sampled_from([7, 40, 130]), OFFSETS, SEEDS)
def test_pooling(images, size, offset, seed):
    x = drawn((images, size, size, 3), offset, seed)
    t = torch.from_numpy(x).permute(0, 3, 1, 2)
    window = size // 2
    everything = x.astype(np.float64).mean((1, 2))
    assert_no_worse(mg.global_avg_pool2d(x), t.mean((2, 3)), everything)
    cut = x[:, : 2 * window, : 2 * window].astype(np.float64)
    exact = cut.reshape(images, 2, window, 2, window, 3).mean((2, 4))
    ours, theirs = mg.avg_pool2d(x, window), functional.avg_pool2d(t, window).permute(0, 2, 3, 1)
    assert_no_worse(ours, theirs, exact)


@given(st.integers(1, 3), st.sampled_from([7, 40, 130]), OFFSETS, SEEDS)
def test_gradients_that_are_summed(images, size, offset, seed):
    g = drawn((images, size, size, 3), offset, seed)
    bias = torch.zeros(3, requires_grad=True)
    (bias + torch.zeros(g.shape)).backward(torch.from_numpy(g))
    exact = g.astype(np.float64).sum((0, 1, 2))
    assert_no_worse(bias_sum(g), bias.grad, exact)
    ours = mg.tensor(np.zeros(3, np.float32), requires_grad=True)
    assert_no_worse(mg.grad(ours + np.zeros_like(g), ours, g), bias.grad, exact)


@given(st.sampled_from([3, 100, 5000]), st.integers(1, 5), OFFSETS, SEEDS)
def test_the_gradient_of_an_embedding(count, rows, offset, seed):
    g, labels = drawn((count, 2), offset, seed), np.random.default_rng(seed).integers(0, rows, count)
    ours = mg.tensor(np.zeros((rows, 2), np.float32), requires_grad=True)
    theirs = torch.zeros((rows, 2), requires_grad=True)
    functional.embedding(torch.from_numpy(labels), theirs).backward(torch.from_numpy(g))
    exact = np.zeros((rows, 2))
    np.add.at(exact, labels, g)
    assert_no_worse(mg.grad(mg.embedding(ours, labels), ours, g), theirs.grad, exact)


@given(st.sampled_from([10, 1000, 60_000]), SEEDS)
def test_losses(size, seed):
    a, b = drawn(size, 0, seed), drawn(size, 0, seed + 1)
    labels = (b > 0).astype(np.float32)
    t, u, v = (torch.from_numpy(array) for array in (a, b, labels))
    wide, other = a.astype(np.float64), b.astype(np.float64)
    assert_no_worse(mg.mean_squared_error(a, b), functional.mse_loss(t, u), np.square(wide - other).mean())
    assert_no_worse(mg.mean_absolute_error(a, b), functional.l1_loss(t, u), np.abs(wide - other).mean())
    exact = (np.logaddexp(0, wide) - labels * wide).mean()
    ours = mg.binary_cross_entropy_with_logits(a, labels)
    assert_no_worse(ours, functional.binary_cross_entropy_with_logits(t, v), exact, roundings=2)
