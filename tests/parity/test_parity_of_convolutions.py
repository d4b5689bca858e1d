"""How exactly each algorithm of the convolutions rounds, beside PyTorch: distance from the float64 result, normwise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minigan.kernels import cpu, reference
from minigan.kernels.cpu import conv
from minigan.kernels.geometry import ConvGeometry

# the most of PyTorch's error that each algorithm's may be; plain sums differ from PyTorch's only in their order
BOUNDS = {"product": 2, "im2col": 2, "direct": 2, "winograd2": 2, "winograd3": 5, "winograd4": 5}


@st.composite
def layers(draw):
    """Convolutions like those of real networks, deep enough that errors are what they are on average."""
    stride = draw(st.integers(1, 2))
    kernel = draw(st.integers(2, 3) if stride == 1 else st.integers(3, 5))
    before = draw(st.integers(0, 1))
    padding = before, max(kernel - stride - before, 0)
    height, width = ((draw(st.integers(8, 13)) - 1) * stride + kernel - sum(padding) for _ in range(2))
    channels, filters = (draw(st.sampled_from([32, 48, 64, 100, 128, 256])) for _ in range(2))
    images, weights = (draw(st.integers(8, 12)), height, width, channels), (kernel, kernel, channels, filters)
    return ConvGeometry.of_conv(images, weights, stride=stride, padding=(padding, padding))


def by_torch(x, w, y, g):
    """The three convolutions in PyTorch on the same arrays, which are channels last."""
    images = torch.nn.functional.pad(torch.from_numpy(x).permute(0, 3, 1, 2), (g.PL, g.PR, g.PT, g.PB))
    weights, features = torch.from_numpy(w).permute(3, 2, 0, 1), torch.from_numpy(y).permute(0, 3, 1, 2)
    forward = torch.nn.functional.conv2d(images, weights, stride=(g.SH, g.SW))
    backward = torch.ops.aten.convolution_backward(
        features, images, weights, None, (g.SH, g.SW), (0, 0), (1, 1), False, (0, 0), 1, (True, True, False)
    )
    gx = backward[0][:, :, g.PT : g.PT + g.H, g.PL : g.PL + g.W]
    return forward.permute(0, 2, 3, 1), gx.permute(0, 2, 3, 1), backward[1].permute(2, 3, 1, 0)


def distances(results, exact):
    return [np.linalg.norm(np.asarray(r) - e) / np.linalg.norm(e) for r, e in zip(results, exact, strict=True)]


@pytest.mark.parametrize("algorithm", [name for name in conv.ALGORITHMS if name != "product"])
@given(g=layers(), seed=st.integers(0, 2**32 - 1))
def test_errors_of_every_algorithm_are_within_their_multiple_of_pytorchs(algorithm, g, seed):
    rng = np.random.default_rng(seed)
    x, w, y = (rng.standard_normal(shape).astype(np.float32) for shape in (g.image, g.weight, g.features))
    wide = [array.astype(np.float64) for array in (x, w, y)]
    exact = (
        reference.conv2d(*wide[:2], g),
        reference.conv2d_transpose(wide[2], wide[1], g),
        reference.conv2d_weight(wide[0], wide[2], g),
    )
    ours = (
        cpu.conv2d(x, w, g, algorithm=algorithm),
        cpu.conv2d_transpose(y, w, g, algorithm=algorithm),
        cpu.conv2d_weight(x, y, g, algorithm=algorithm),
    )
    theirs = distances(by_torch(x, w, y, g), exact)
    for what, own, their in zip(("features", "images", "weights"), distances(ours, exact), theirs, strict=True):
        assert own <= BOUNDS[algorithm] * their, f"{what}: {own:.2e}, PyTorch {their:.2e}, {own / their:.2f} times"
