"""What is measured against PyTorch computes the same there: each direction of a convolution, each kernel."""

import numpy as np
import pytest

from benchmarks import conv, kernels, layers
from benchmarks.peers import torch_kernels, torch_layers
from minigan.kernels.geometry import ConvGeometry

GEOMETRIES = {
    "even": ConvGeometry.of_conv((2, 8, 6, 3), (4, 4, 3, 5), stride=2, padding=1),
    "same": ConvGeometry.of_conv((2, 8, 6, 3), (5, 5, 3, 4), stride=2, padding="same"),
    "to one pixel": ConvGeometry.of_conv((3, 4, 4, 2), (4, 4, 2, 6)),
    "mix": ConvGeometry.of_conv((2, 5, 5, 6), (1, 1, 6, 3)),
    "a row left over": ConvGeometry.of_conv((2, 8, 7, 3), (3, 3, 3, 4), stride=2, padding=1),
    "the other side": ConvGeometry.of_conv((2, 8, 8, 3), (5, 5, 3, 4), stride=2, padding=((2, 1), (2, 1))),
}


@pytest.mark.parametrize("channels_last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transposed"])
@pytest.mark.parametrize("direction", conv.DIRECTIONS)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_direction_of_a_convolution_is_the_same(name, direction, transposed, channels_last):
    layer = layers.Convolution(1, "", GEOMETRIES[name], transposed)
    ours = conv.ours(layer, direction)()
    theirs = torch_layers.convolution(layer, direction, channels_last)().numpy()
    theirs = theirs.transpose((2, 3, 1, 0) if direction == "weight gradient" else (0, 2, 3, 1))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "form"), [(n, f) for n, c in kernels.all_cases().items() for f in c.forms])
def test_a_kernel_is_the_same(name, form):
    run = torch_kernels.kernel(name, form)
    ours, theirs = kernels.all_cases()[name].build()(), run().numpy()
    if name == "im2col":
        g = kernels.SLIDE
        theirs = theirs.reshape(g.N, g.C, g.KH * g.KW, -1).transpose(0, 3, 2, 1).reshape(g.columns)
    elif theirs.ndim == 4 and theirs.shape != ours.shape:
        theirs = theirs.transpose(0, 2, 3, 1).reshape(ours.shape)
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)
