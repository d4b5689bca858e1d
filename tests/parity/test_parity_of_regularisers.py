"""Spectral norm, the minibatch standard deviation, conditional batch norm and averaged weights beside PyTorch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import minigan as mg
from benchmarks.peers import torch_gan
from minigan import nn
from minigan.averaging import ExponentialAverage


def kernels_first(w):
    return w.transpose(3, 2, 0, 1)


CASES = {  # ours, PyTorch's, the shape of x, our weight as theirs, and what is left of it without the outputs' axis
    "dense": (lambda: nn.Linear(6, 4), lambda: torch.nn.Linear(6, 4), (5, 6), np.transpose),
    "conv": (
        lambda: nn.Conv2d(3, 5, (3, 2), stride=2, padding=1),
        lambda: torch.nn.Conv2d(3, 5, (3, 2), stride=2, padding=1),
        (2, 7, 6, 3),
        kernels_first,
    ),
    "transposed": (
        lambda: nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1),
        lambda: torch.nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1),
        (2, 4, 3, 3),
        kernels_first,
    ),
    "embedding": (lambda: nn.Embedding(7, 4), lambda: torch.nn.Embedding(7, 4), None, lambda w: w),
}


def channels_first(a):
    return np.ascontiguousarray(np.moveaxis(a, -1, 1)) if a.ndim == 4 else a


def pair(name, rng):
    """Our layer and PyTorch's with the same weight, the same u and v; the input."""
    ours, theirs, shape, to_torch = CASES[name]
    layer, other = ours().astype(np.float64), theirs().double()
    with torch.no_grad():
        other.weight.copy_(torch.from_numpy(to_torch(layer.weight.numpy()).copy()))
        if name != "embedding":
            other.bias.copy_(torch.from_numpy(layer.bias.numpy()))
    normal, other = nn.SpectralNorm(layer, rng=rng), spectral_norm(other)
    state = other.parametrizations.weight[0]
    if name == "embedding":  # PyTorch's outputs are the rows there, ours the columns
        state._u.copy_(torch.from_numpy(normal.right.numpy()))
        state._v.copy_(torch.from_numpy(normal.left.numpy()))
    else:
        state._u.copy_(torch.from_numpy(normal.left.numpy()))
        state._v.copy_(torch.from_numpy(right_as_theirs(normal.right.numpy(), layer)))
    x = rng.integers(0, 7, 9) if shape is None else rng.standard_normal(shape)
    return normal, other, x, to_torch


def right_as_theirs(right, layer):
    """The entries of v, which stand for everything but the outputs, in PyTorch's order."""
    if layer.weight.ndim == 2:
        return right
    height, width, _, _ = layer.weight.shape
    return right.reshape(height, width, -1).transpose(2, 0, 1).ravel()


@pytest.mark.parametrize("name", CASES)
def test_spectral_norm_in_training_and_in_use(name, rng):
    """Three steps, as an optimiser would do them: the estimates, the outputs and the gradients stay equal."""
    normal, other, x, to_torch = pair(name, rng)
    given = torch.from_numpy(channels_first(x))
    for training in (True, True, True, False):
        normal.train(training)
        other.train(training)
        if name == "embedding" and training:  # its iteration begins with the other vector: compared in use
            continue
        y, expected = normal(x if name == "embedding" else mg.tensor(x)), other(given)
        np.testing.assert_allclose(channels_first(y.numpy()), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
        upstream = rng.standard_normal(y.shape)
        (ours,) = mg.grad(y, [normal.layer.weight], upstream)
        (theirs,) = torch.autograd.grad(
            expected, [other.parametrizations.weight.original], torch.from_numpy(channels_first(upstream))
        )
        np.testing.assert_allclose(to_torch(ours), theirs.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 3, 2, 5), (8, 5)])
def test_minibatch_std_is_the_composition_of_its_authors(shape, rng):
    """StyleGAN2's: groups of four, one channel."""
    x = rng.standard_normal(shape)
    given = torch.from_numpy(channels_first(x)).requires_grad_()
    expected = torch_gan.MinibatchStd(4)(given)

    points = mg.tensor(x, requires_grad=True)
    ours = nn.MinibatchStd(4)(points)
    np.testing.assert_allclose(channels_first(ours.numpy()), expected.detach().numpy(), rtol=1e-12)
    upstream = rng.standard_normal(ours.shape)
    (theirs,) = torch.autograd.grad(expected, [given], torch.from_numpy(channels_first(upstream)))
    np.testing.assert_allclose(channels_first(mg.grad(ours, points, upstream)), theirs.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(9, 3, 2, 4), (9, 4)])
@pytest.mark.parametrize("training", [True, False])
def test_conditional_batch_norm(shape, training, rng):
    layer = nn.ConditionalBatchNorm(5, 4).astype(np.float64).train(training)
    norm = (torch.nn.BatchNorm2d if len(shape) == 4 else torch.nn.BatchNorm1d)(4, affine=False).double().train(training)
    for tensor in (layer.scale, layer.shift):
        tensor.data[...] = rng.standard_normal((5, 4))
    x, labels = rng.standard_normal(shape), rng.integers(0, 5, 9)
    given = torch.from_numpy(channels_first(x)).requires_grad_()
    scale, shift = (torch.from_numpy(t.numpy().copy()).requires_grad_() for t in (layer.scale, layer.shift))
    rows = (len(x), -1, 1, 1) if given.ndim == 4 else (len(x), -1)
    expected = norm(given) * scale[labels].reshape(rows) + shift[labels].reshape(rows)

    points = mg.tensor(x, requires_grad=True)
    ours = layer(points, labels)
    np.testing.assert_allclose(channels_first(ours.numpy()), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    upstream = rng.standard_normal(ours.shape)
    theirs = torch.autograd.grad(expected, [given, scale, shift], torch.from_numpy(channels_first(upstream)))
    for mine, other in zip(mg.grad(ours, [points, layer.scale, layer.shift], upstream), theirs, strict=True):
        np.testing.assert_allclose(channels_first(mine), other.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(layer.running_variance.numpy(), norm.running_var.numpy(), rtol=1e-9)


def test_averages_of_a_network_are_pytorchs(rng):
    ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm(4)).astype(np.float64)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).double()
    average = ExponentialAverage(ours, 0.9, warmup=False)
    expected = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    rows = F.one_hot(torch.arange(12) % 3, 3).double().numpy() + rng.standard_normal((12, 3))
    for step in range(4):
        arrays = [rng.standard_normal(p.shape) for p in ours.parameters()]
        for mine, other, array in zip(ours.parameters(), theirs.parameters(), arrays, strict=True):
            mine.data[...] = array
            with torch.no_grad():
                other.copy_(torch.from_numpy(array.T if array.ndim == 2 else array))
        ours(mg.tensor(rows + step))
        theirs(torch.from_numpy(rows + step))
        if step == 0:  # PyTorch's begins as a copy of what the network is at its first update
            for mine, present in zip(tensors(average.module), tensors(ours), strict=True):
                mine.data[...] = present.data
            expected.update_parameters(theirs)
            continue
        average.update()
        expected.update_parameters(theirs)
    reference = expected.module
    found = average.module
    np.testing.assert_allclose(found[0].weight.numpy().T, reference[0].weight.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(found[1].running_mean.numpy(), reference[1].running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(found[1].running_variance.numpy(), reference[1].running_var.numpy(), rtol=1e-12)


def tensors(module):
    return [t for _, t in (*module.named_parameters(), *module.named_buffers())]
