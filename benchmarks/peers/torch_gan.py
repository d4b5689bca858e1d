"""minigan's GANs in PyTorch, layer for layer: the same weights, the same training step.

Weights are converted: PyTorch's images are (N, C, H, W), a convolution's weight is (K, C // groups, KH, KW), a dense
layer's (outputs, inputs), and flattened images are in channels-first order.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from benchmarks.peers.torch_networks import SameConv2d, SameConvTranspose2d, Stage
from benchmarks.peers.torch_training import Training
from minigan import nn as mnn
from minigan.models import GAN
from minigan.models.rgan import Stage as RGANStage


def networks(gan: GAN) -> tuple[nn.Sequential, nn.Sequential]:
    """The generator and the discriminator of `gan` in PyTorch, with its weights."""
    return translated(gan.generator), translated(gan.discriminator)


def translated(network: mnn.Sequential) -> nn.Sequential:
    """Convert a Sequential of minigan's layers to PyTorch's, with the same weights; nested ones are flattened."""
    layers, dtype = _flat(network), next(iter(network.named_parameters()))[1].dtype
    theirs = nn.Sequential(*[_layer(layer, layers[i - 1] if i else None) for i, layer in enumerate(layers)])
    theirs.to(getattr(torch, dtype.name))
    with torch.no_grad():
        arrays = [p.data for layer in layers for _, p in layer.named_parameters()]
        for parameter, array in zip(theirs.parameters(), to_torch(network, arrays), strict=True):
            parameter.copy_(torch.from_numpy(np.array(array)))
    _norm(theirs, network)
    return theirs


def parameters_of(theirs: nn.Sequential) -> list[nn.Parameter]:
    """PyTorch's parameters in minigan's order, from which PyTorch's spectral norm deviates."""
    found = []
    for layer in theirs:
        named = dict(layer.named_parameters())
        original = named.pop("parametrizations.weight.original", None)
        found += [*([] if original is None else [original]), *named.values()]
    return found


def _flat(network):
    """The layers of a Sequential, including nested ones, without their SpectralNorm wrappers."""
    layers = []
    for layer in network:
        if isinstance(layer, mnn.Sequential):
            layers += _flat(layer)
        else:
            layers.append(layer.layer if isinstance(layer, mnn.SpectralNorm) else layer)
    return layers


def _norm(theirs, network):
    """Add a spectral norm to PyTorch's layers where minigan's have one, with the same estimates."""
    normed = {id(m.layer): m for _, m in network.named_modules() if isinstance(m, mnn.SpectralNorm)}
    layers = _flat(network)
    for layer, other, (before, after) in zip(layers, theirs, _image_shapes(layers), strict=True):
        if id(layer) in normed:
            ours = normed[id(layer)]
            left, right = ours.left.numpy(), ours.right.numpy()
            if layer.weight.ndim == 4:
                right = right.reshape(*layer.weight.shape[:2], -1).transpose(2, 0, 1).ravel()
            else:
                left, right = _channels_first(left, after, 0), _channels_first(right, before, 0)
            state = spectral_norm(other).parametrizations.weight[0]
            state._u.copy_(torch.from_numpy(np.array(left)))
            state._v.copy_(torch.from_numpy(np.array(right)))


class MinibatchStd(nn.Module):
    """Adds a channel with the mean deviation within groups, as in StyleGAN2."""

    def __init__(self, group: int):
        super().__init__()
        self.group = group

    def forward(self, x):
        images = x if x.ndim == 4 else x[:, :, None, None]
        y = images.reshape(self.group, -1, 1, *images.shape[1:])
        y = (y - y.mean(0)).square().mean(0)
        y = (y + 1e-8).sqrt().mean([2, 3, 4]).reshape(-1, 1, 1, 1).repeat(self.group, 1, *images.shape[2:])
        return torch.cat([images, y], 1).reshape(len(x), -1, *x.shape[2:])


def _layer(layer, before):
    if isinstance(layer, mnn.Linear):
        return nn.Linear(layer.inputs, layer.outputs, bias=layer.bias is not None)
    if isinstance(layer, RGANStage):
        return Stage(layer.grow.inputs, layer.grow.outputs)
    if isinstance(layer, mnn.Conv2d) and layer.how["padding"] == "same" and layer.how["stride"] == 2:
        return (SameConvTranspose2d if layer.transposed else SameConv2d)(layer.inputs, layer.outputs)
    if isinstance(layer, mnn.Conv2d):
        kind = nn.ConvTranspose2d if layer.transposed else nn.Conv2d
        how = {key: layer.how[key] for key in ("stride", "padding", "dilation", "groups")}
        return kind(layer.inputs, layer.outputs, layer.weight.shape[:2], bias=layer.bias is not None, **how)
    if isinstance(layer, mnn.BatchNorm):
        kind = nn.BatchNorm1d if isinstance(before, mnn.Linear) else nn.BatchNorm2d
        return kind(layer.channels, eps=layer.eps, momentum=layer.momentum)
    if isinstance(layer, mnn.Reshape):
        height, width, channels = layer.shape
        return nn.Unflatten(1, (channels, height, width))
    if isinstance(layer, mnn.MinibatchStd):
        return MinibatchStd(layer.group)
    if isinstance(layer, mnn.LeakyReLU):
        return nn.LeakyReLU(layer.slope, inplace=True)
    return {mnn.ReLU: lambda: nn.ReLU(inplace=True), mnn.Tanh: nn.Tanh, mnn.Flatten: nn.Flatten}[type(layer)]()


def to_torch(network: mnn.Sequential, arrays) -> list[np.ndarray]:
    """Convert arrays shaped like `network`'s parameters, in order, to PyTorch's layout."""
    return [move(array) for move, array in zip(_moves(network, back=False), arrays, strict=True)]


def from_torch(network: mnn.Sequential, arrays) -> list[np.ndarray]:
    """Convert PyTorch's parameters or gradients to minigan's layout."""
    arrays = [a.detach().numpy() if isinstance(a, torch.Tensor) else a for a in arrays]
    return [move(array) for move, array in zip(_moves(network, back=True), arrays, strict=True)]


def _moves(network, back):
    """Yield for each parameter, in order, the function that moves its axes."""
    layers = _flat(network)
    shapes = _image_shapes(layers)
    for layer, (before, after) in zip(layers, shapes, strict=True):
        for name, parameter in layer.named_parameters():
            if parameter.ndim == 4:
                # (KH, KW, C, K) and (K, C, KH, KW); both engines store a transposed layer's as its adjoint's
                axes = (2, 3, 1, 0) if back else (3, 2, 0, 1)
                yield lambda a, axes=axes: a.transpose(axes)
            elif isinstance(layer, mnn.Linear) and name == "weight":
                yield (
                    lambda a, b=before, f=after: (
                        _channels_last(_channels_last(a, f, 0), b, 1).T
                        if back
                        else _channels_first(_channels_first(a.T, f, 0), b, 1)
                    )
                )
            else:
                yield lambda a, f=after: (_channels_last if back else _channels_first)(a, f, 0)


def _image_shapes(layers):
    """For each layer the (H, W, C) before its input was flattened and after its output is reshaped, or None."""
    shapes = []
    for i, layer in enumerate(layers):
        before = after = None
        if isinstance(layer, mnn.Linear | mnn.BatchNorm):
            following = next((k for k in layers[i + 1 :] if isinstance(k, mnn.Reshape | mnn.Linear | mnn.Conv2d)), None)
            after = following.shape if isinstance(following, mnn.Reshape) else None
        told = i > 0 and isinstance(layers[i - 1], mnn.MinibatchStd)  # one input more, behind those of the image
        if isinstance(layer, mnn.Linear) and i > told and isinstance(layers[i - 1 - told], mnn.Flatten):
            channels = next((k.outputs for k in reversed(layers[:i]) if isinstance(k, mnn.Conv2d)), 1)
            side = round(((layer.inputs - told) // channels) ** 0.5)
            before = (side, side, channels)
        shapes.append((before, after))
    return shapes


def _channels_first(array, image, axis):
    return _reordered(array, image and (image[0], image[1], image[2]), (2, 0, 1), axis)


def _channels_last(array, image, axis):
    return _reordered(array, image and (image[2], image[0], image[1]), (1, 2, 0), axis)


def _reordered(array, split, order, axis):
    """Split one axis into three, permute and rejoin them; elements beyond their product stay at the end."""
    if split is None:
        return array
    size = split[0] * split[1] * split[2]
    if array.shape[axis] > size:
        image, rest = np.split(array, [size], axis)
        return np.concatenate([_reordered(image, split, order, axis), rest], axis)
    shape = array.shape
    parts = array.reshape(*shape[:axis], *split, *shape[axis + 1 :])
    axes = (*range(axis), *(axis + o for o in order), *range(axis + 3, parts.ndim))
    return parts.transpose(axes).reshape(shape)


class TorchTrainer(Training):
    """One training step of a GAN in PyTorch, with minigan's initial weights."""

    def __init__(self, gan: GAN, channels_last: bool = False):
        super().__init__(*networks(gan), gan.recipe.generator_rate, gan.recipe.betas, channels_last)
