"""Weights of minigan's layers put into PyTorch's, and gradients fetched back, layer by layer in order."""

import numpy as np
import torch
from torch import nn


def channels_first(images):
    """(N, H, W, C) as PyTorch's (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def channels_last(images):
    return images.detach().numpy().transpose(0, 2, 3, 1)


def fill(theirs, ours, flattened=None):
    """Give PyTorch's layers the weights of ours; both list their parametric layers in the same order.

    flattened: (H, W, C) of what the first dense layer after a convolution is given flat
    """
    with torch.no_grad():
        for module, layer, image in _pairs(theirs, ours, flattened):
            module.weight.copy_(torch.from_numpy(_to_torch(module, _weight(layer).numpy(), image)))
            bias = getattr(layer, "bias", None) if hasattr(layer, "bias") else layer.shift
            if bias is not None:
                module.bias.copy_(torch.from_numpy(bias.numpy()))


def gradients_of(theirs, ours, flattened=None):
    """PyTorch's gradients as minigan lays them out, in the order of ours.named_parameters()."""
    gradients = []
    for module, layer, image in _pairs(theirs, ours, flattened):
        gradients.append(_from_torch(module, module.weight.grad.numpy(), image).reshape(_weight(layer).shape))
        if module.bias is not None:
            gradients.append(module.bias.grad.numpy())
    return gradients


def _weight(layer):
    return layer.weight if hasattr(layer, "weight") else layer.scale


def _pairs(theirs, ours, flattened):
    modules = [m for m in theirs.modules() if getattr(m, "weight", None) is not None]
    layers = [layer for layer in ours if list(layer.named_parameters())]
    convolved = False
    for module, layer in zip(modules, layers, strict=True):
        dense = isinstance(module, nn.Linear)
        yield module, layer, flattened if dense and convolved else None
        convolved = not dense


def _to_torch(module, weight, image):
    if weight.ndim == 1:
        return weight
    if weight.ndim == 4:
        return weight.transpose(3, 2, 0, 1)  # a transposed convolution's too: (K, C, KH, KW) in both
    weight = weight.T
    if image:
        weight = weight.reshape(len(weight), *image).transpose(0, 3, 1, 2).reshape(weight.shape)
    return weight.reshape(module.weight.shape)


def _from_torch(module, weight, image):
    if weight.ndim == 1:
        return weight
    if isinstance(module, nn.Linear):
        if image:
            height, width, channels = image
            weight = weight.reshape(len(weight), channels, height, width).transpose(0, 2, 3, 1)
            weight = weight.reshape(len(weight), -1)
        return weight.T
    return weight.transpose(2, 3, 1, 0)


def assert_close(ours, expected, relative=1e-11):
    assert np.linalg.norm(ours - expected) <= relative * np.linalg.norm(expected) > 0


def assert_gradients_close(ours, gradients, expected, relative=1e-10):
    for (name, parameter), mine, other in zip(ours.named_parameters(), gradients, expected, strict=True):
        assert mine.shape == other.shape == parameter.shape
        assert np.linalg.norm(mine - other) <= relative * np.linalg.norm(other) > 0, name
