"""Layers with the same weights compute what PyTorch's do, in training and in use, forward and backward."""

import numpy as np
import pytest
import torch

import minigan as mg
from minigan import nn

IMAGES, VECTORS = (3, 6, 5, 4), (3, 4)


def first_channels(a):
    return a.transpose(0, 3, 1, 2) if a.ndim == 4 else a


def last_channels(a):
    return a.transpose(0, 2, 3, 1) if a.ndim == 4 else a


def kernels_first(w):
    return w.transpose(3, 2, 0, 1)


CASES = {
    "linear": (lambda: nn.Linear(4, 7), lambda: torch.nn.Linear(4, 7), VECTORS, np.transpose),
    "conv": (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        lambda: torch.nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        IMAGES,
        kernels_first,
    ),
    "conv-transpose": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        lambda: torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        IMAGES,
        kernels_first,
    ),
    "batch-norm": (lambda: nn.BatchNorm(4), lambda: torch.nn.BatchNorm2d(4), IMAGES, None),
    "batch-norm-vectors": (lambda: nn.BatchNorm(4), lambda: torch.nn.BatchNorm1d(4), VECTORS, None),
    "layer-norm": (lambda: nn.LayerNorm(4), lambda: torch.nn.LayerNorm(4), VECTORS, None),
    "group-norm": (lambda: nn.GroupNorm(2, 4), lambda: torch.nn.GroupNorm(2, 4), IMAGES, None),
    "instance-norm": (lambda: nn.InstanceNorm(4), lambda: torch.nn.InstanceNorm2d(4, affine=True), IMAGES, None),
    "max-pool": (lambda: nn.MaxPool2d(3, stride=2, padding=1), lambda: torch.nn.MaxPool2d(3, 2, 1), IMAGES, None),
    "avg-pool": (lambda: nn.AvgPool2d(3, stride=2, padding=1), lambda: torch.nn.AvgPool2d(3, 2, 1), IMAGES, None),
    "avg-pool-inside": (
        lambda: nn.AvgPool2d(3, stride=2, padding=1, count_padding=False),
        lambda: torch.nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        IMAGES,
        None,
    ),
    "upsample": (lambda: nn.Upsample(2), lambda: torch.nn.Upsample(scale_factor=2), IMAGES, None),
    "upsample-bilinear": (
        lambda: nn.Upsample((2, 3), mode="bilinear"),
        lambda: torch.nn.Upsample(scale_factor=(2, 3), mode="bilinear"),
        IMAGES,
        None,
    ),
    "relu": (nn.ReLU, torch.nn.ReLU, VECTORS, None),
    "leaky-relu": (lambda: nn.LeakyReLU(0.2), lambda: torch.nn.LeakyReLU(0.2), VECTORS, None),
    "tanh": (nn.Tanh, torch.nn.Tanh, VECTORS, None),
    "sigmoid": (nn.Sigmoid, torch.nn.Sigmoid, VECTORS, None),
    "softplus": (nn.Softplus, torch.nn.Softplus, VECTORS, None),
    "softmax": (nn.Softmax, lambda: torch.nn.Softmax(-1), VECTORS, None),
}


@pytest.mark.parametrize("training", [True, False], ids=["training", "use"])
@pytest.mark.parametrize("case", CASES)
def test_a_layer_is_pytorchs(case, training, rng):
    make, make_theirs, shape, moved = CASES[case]
    ours, theirs = make().astype(np.float64), make_theirs().double()
    for mine, other in zip([p for _, p in ours.named_parameters()], theirs.parameters(), strict=True):
        mine.data[...] = rng.standard_normal(mine.shape)
        other.data = torch.tensor(moved(mine.numpy()) if moved and mine.ndim > 1 else mine.numpy()).contiguous()
    for _ in range(2 if training else 1):  # a second time with moved running statistics
        values = rng.standard_normal(shape)
        ours.train()
        theirs.train()
        ours(mg.tensor(values))
        theirs(torch.tensor(first_channels(values)))
    ours.train(training)
    theirs.train(training)
    x = mg.tensor(values, requires_grad=True)
    their_x = torch.tensor(first_channels(values), requires_grad=True)
    y, their_y = ours(x), theirs(their_x)
    upstream = rng.standard_normal(y.shape)
    their_y.backward(torch.tensor(first_channels(upstream)))
    parameters = ours.parameters()
    gradients = mg.grad(y, [x, *parameters], upstream)

    close(y.numpy(), last_channels(their_y.detach().numpy()))
    close(gradients[0], last_channels(their_x.grad.numpy()))
    for mine, other in zip(gradients[1:], theirs.parameters(), strict=True):
        close(moved(mine) if moved and mine.ndim > 1 else mine, other.grad.numpy())
    for (_, mine), other in zip(
        ours.named_buffers(), [b for n, b in theirs.named_buffers() if "num_batches" not in n], strict=True
    ):
        close(mine.numpy(), other.numpy())


def test_embedding_is_pytorchs(rng):
    ours, theirs = nn.Embedding(5, 3).astype(np.float64), torch.nn.Embedding(5, 3).double()
    theirs.weight.data = torch.tensor(ours.weight.numpy())
    indices = rng.integers(0, 5, (4, 6))
    upstream = rng.standard_normal((4, 6, 3))
    theirs(torch.tensor(indices)).backward(torch.tensor(upstream))
    close(mg.grad(ours(indices), ours.weight, upstream), theirs.weight.grad.numpy())


def close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-11)
