"""What docs/kernels.md says that kernels compute and move is what they do on the device sim."""

import os
import shutil

import numpy as np
import pytest

from docs.build.lecture.counted import Counter
from docs.build.lecture.launches import launches_of
from docs.build.lecture.operations import DIRECTIONS, OPERATIONS, Sizes, convolution, multiplied, on_paper
from docs.build.lecture.traced import Tracer, bytes_of
from docs.build.lecture.watched import launching
from minigan.kernels.cuda import SimArray
from minigan.kernels.geometry import ConvGeometry

COMPILER = os.environ.get("CXX", "g++")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"the device sim compiles with {COMPILER}"),
]
PRODUCTS = [name for name in OPERATIONS if name.startswith(("conv2d", "matmul"))]
SUMS = [name for name, found in OPERATIONS.items() if found.ceiling == "fp64" or name == "binary_cross_entropy_sum"]
REST = [name for name in OPERATIONS if name not in PRODUCTS]
TRACED = [name for name in OPERATIONS if "im2col" not in name or name == "im2col"]  # a library's product has no trace


def small(make, images=1):
    """Sizes of which no sum has more than one run."""
    conv = ConvGeometry.of_conv((images, 8, 8, 8), (4, 4, 8, 16), stride=2, padding=1)
    weights = [(40, 7), (13,), (5000,)]  # one of them has several blocks
    return Sizes(make, (images, 8, 8, 8), (images, 5, 7, 3), conv, (5 * images, 1), (4 * images, 40), weights)


def negative(shape, values=None):
    """Numbers below 0, which activations multiply, also what is left of them after batch norm; or these values."""
    return np.array(np.full(shape, -1, np.float32) if values is None else values).view(SimArray)


def counted(name, images):
    with launching(Counter()) as counter:
        OPERATIONS[name].call(small(negative, images))
    return counter.operations


@pytest.mark.parametrize("name", [name for name in REST if name not in SUMS])
def test_operations_of_a_number(name):
    assert counted(name, 2) == OPERATIONS[name].flops(small(negative, 2))


@pytest.mark.parametrize("name", SUMS)
def test_operations_of_one_more_row(name):
    """All else is what it costs to join runs."""
    more = counted(name, 2) - counted(name, 1)
    flops = OPERATIONS[name].flops
    assert more == flops(small(negative, 2)) - flops(small(negative, 1)) > 0


WHOLE = ConvGeometry.of_conv((4, 8, 8, 64), (2, 2, 64, 64), stride=2)  # no padding, and whole tiles
DILATED = ConvGeometry.of_conv((1, 9, 8, 3), (3, 3, 3, 5), stride=(2, 3), padding=2, dilation=(2, 1))
UNEVEN = ConvGeometry.of_conv((2, 6, 6, 4), (3, 2, 2, 10), stride=(2, 1), padding=((1, 0), (0, 1)), groups=2)

IMAGE = ConvGeometry.of_conv((3, 2, 2, 5), (2, 2, 5, 9))  # of which one window is all


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("g", [WHOLE, UNEVEN, DILATED, IMAGE], ids=["whole", "uneven", "dilated", "image"])
def test_operations_of_convolutions(g, direction):
    """What is left over of a tile is multiplied too, by zeros; a product without any has those of its definition."""
    ones = small(lambda shape: np.ones(shape, np.float32).view(SimArray))
    with launching(Counter()) as counter:
        result = convolution(ones, g, direction, "implicit")
    (launch,) = launches_of(lambda: convolution(small(on_paper), g, direction, "implicit"))
    activated = int((np.asarray(result) == 0).sum())  # the slope is 1, and what is above 0 passes without a product
    assert counter.operations == multiplied(g, direction, launch.kernel.rpartition("_")[2]) + activated
    definition = OPERATIONS[f"{direction}, implicit"].flops(ones._replace(conv=g))
    assert counter.operations == definition if g is WHOLE else counter.operations > definition


@pytest.mark.parametrize("name", TRACED)
def test_bytes(name):
    with launching(Tracer()) as tracer:
        OPERATIONS[name].call(small(negative, 2))
    assert tracer.traces
    found = sum(trace.touched() - besides(trace) for trace in tracer.traces)
    assert found == OPERATIONS[name].traffic(small(on_paper, 2))


def besides(trace):
    """Bytes of an optimiser's table and settings, which are next to nothing where arrays are large."""
    names = {"table", "settings"} & set(trace.ranges)
    return sum(len(np.unique(bytes_of(trace.of(name, False)))) for name in names)


def test_bytes_of_a_convolution_by_columns_are_three_passes_over_them():
    sizes = small(on_paper)
    g = sizes.conv
    columns, x, w, y = (4 * int(np.prod(shape)) for shape in (g.columns, g.image, g.weight, g.features))
    assert OPERATIONS["conv2d, im2col"].traffic(sizes) == x + columns + columns + w + y
