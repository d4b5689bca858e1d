"""The Inception network of 2015. FID is computed from its features, the Inception Score from its classes.

It is Inception v3 (Szegedy et al., arXiv:1512.00567, table 1), with the deviations of the graph published in December
2015: average pooling does not count padding, the last block uses max pooling, and there are 1,008 outputs, of which
1,000 are used. Layers have the names under which the weights were published for PyTorch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from minigan import ops
from minigan.errors import DataError, ShapeError
from minigan.nn import AvgPool2d, BatchNorm, Conv2d, Linear, MaxPool2d, Module

SIZE = 299  # pixels, square
LEAST = 75  # pixels; with fewer, the last blocks have no pixels left
FEATURES, OUTPUTS = 2048, 1008
EPS = 1e-3  # of batch norm
PUBLISHED = {".bn.scale": ".bn.weight", ".bn.shift": ".bn.bias", ".bn.running_variance": ".bn.running_var"}
COUNTER = ".bn.num_batches_tracked"  # may be in a file for every batch norm; ignored
FROM_HERE = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}  # axes of (KH, KW, C, K) in (K, C, KH, KW), and so on, by rank
TO_HERE = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
SHOWN = 4  # problems listed in an error message


class Unit(Module):
    """A convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel_size, *, rng, **how):
        super().__init__()
        self.conv = Conv2d(inputs, outputs, kernel_size, bias=False, rng=rng, **how)
        self.bn = BatchNorm(outputs, eps=EPS)

    def forward(self, x):
        return ops.relu(self.bn(self.conv(x)))


class Block(Module):
    """Parallel branches, concatenated: (N, H, W, C) to (N, OH, OW, the sum of their channels).

    branches: each a chain of (name, layer); a list of such pairs at its end splits it into all of them
    """

    def __init__(self, *branches):
        super().__init__()
        self.branches = []  # names; the layers are attributes
        for branch in branches:
            steps = [step if isinstance(step, list) else [step] for step in branch]
            self.branches.append([[name for name, _ in step] for step in steps])
            for name, layer in itertools.chain(*steps):
                setattr(self, name, layer)

    def forward(self, x):
        return ops.concatenate([y for branch in self.branches for y in self._ends(x, branch)], axis=3)

    def _ends(self, x, branch):
        ends = [x]
        for names in branch:
            ends = [getattr(self, name)(ends[0]) for name in names]
        return ends


class Inception(Module):
    """Images (N, H, W, C) of any size, grey or in colour, floats from 0 to 255, to features (N, 2048).

    rng: for the initial weights, by default the stream "init"
    source: Szegedy et al., arXiv:1512.00567; FID: Heusel et al., arXiv:1706.08500
    """

    def __init__(self, rng: np.random.Generator | None = None):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2, rng=rng)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3, rng=rng)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, padding=1, rng=rng)
        self.MaxPool_1 = MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1, rng=rng)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3, rng=rng)
        self.MaxPool_2 = MaxPool2d(3, stride=2)
        self.Mixed_5b = block_a(192, 32, rng)
        self.Mixed_5c = block_a(256, 64, rng)
        self.Mixed_5d = block_a(288, 64, rng)
        self.Mixed_6a = block_b(288, rng)
        self.Mixed_6b = block_c(768, 128, rng)
        self.Mixed_6c = block_c(768, 160, rng)
        self.Mixed_6d = block_c(768, 160, rng)
        self.Mixed_6e = block_c(768, 192, rng)
        self.Mixed_7a = block_d(768, rng)
        self.Mixed_7b = block_e(1280, _average(), rng)
        self.Mixed_7c = block_e(2048, MaxPool2d(3, stride=1, padding=1), rng)
        self.fc = Linear(FEATURES, OUTPUTS, rng=rng)

    def forward(self, images):
        return self.pooled(prepared(images))

    def pooled(self, x):
        """Compute features (N, 2048) of prepared images, (N, H, W, 3) in [-1, 1], with at least 75 pixels a side."""
        if x.ndim != 4 or x.shape[3] != 3 or min(x.shape[1:3]) < LEAST:
            raise ShapeError(f"Inception: x has shape {x.shape}; it takes (N, H, W, 3), at least {LEAST} pixels a side")
        for name, layer in self._modules.items():
            if name != "fc":
                x = layer(x)
        return ops.global_avg_pool2d(x)

    def logits(self, features, bias: bool = True):
        """Compute logits (N, 1008) from features (N, 2048).

        bias: False for the Inception Score, which uses the graph's product before the bias is added
        """
        return self.fc(features) if bias else ops.matmul(features, self.fc.weight)

    def published(self) -> dict[str, np.ndarray]:
        """Return copies of all arrays under their published names and in the published layouts: (K, C, KH, KW) for
        convolutions and (1008, 2048) for the dense layer."""
        state = self.state_dict()
        return {
            published_name(name): np.ascontiguousarray(array.transpose(FROM_HERE[array.ndim]))
            for name, array in state.items()
        }

    def load_published(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load arrays in the format of `published`, all or none. Batch counters are ignored.

        raises DataError with the names of arrays that are missing, unknown, of another shape, or not finite floating
            point numbers
        """
        found, problems = {}, []
        mine = {published_name(name): (name, tensor.shape) for name, tensor in self._tensors()}
        problems += [f"{name} is missing" for name in mine if name not in arrays]
        for name, array in arrays.items():
            here, shape = mine.get(name, (None, ()))
            expected = tuple(shape[axis] for axis in FROM_HERE.get(len(shape), ()))
            if here is None:
                problems += [] if name.endswith(COUNTER) else [f"{name} is unknown"]
            elif array.shape != expected:
                problems.append(f"{name} is {array.shape}, not {expected}")
            elif array.dtype.kind != "f" or not np.isfinite(array).all():
                problems.append(f"{name} is not floating point or not finite")
            else:
                found[here] = array.transpose(TO_HERE[array.ndim])
        if problems:
            more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
            raise DataError("not the 2015 Inception network's arrays: " + "; ".join(problems[:SHOWN]) + more)
        self.load_state_dict(found)

    def _tensors(self):
        return *self.named_parameters(), *self.named_buffers()


def prepared(images):
    """Prepare images as the graph's first operations do: resize them to 299 x 299 pixels with TensorFlow 1's bilinear
    method, compute (x - 128) / 128, and repeat a grey channel three times.

    images: (N, H, W, C), C = 1 or 3, floats from 0 to 255
    returns: (N, 299, 299, 3)
    """
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ShapeError(f"Inception: images have shape {images.shape}; it takes (N, H, W, C), grey (1) or colour (3)")
    x = (ops.resize(images, SIZE, mode="bilinear-tf1") - 128) * (1 / 128)
    return x if x.shape[3] == 3 else ops.concatenate([x, x, x], axis=3)


def published_name(name: str) -> str:
    """Return an array's published name: "Mixed_5b.branch1x1.bn.weight" for "Mixed_5b.branch1x1.bn.scale"."""
    for here, there in PUBLISHED.items():
        if name.endswith(here):
            return name.removesuffix(here) + there
    return name


def block_a(inputs: int, pooled: int, rng=None) -> Block:
    """At 35 x 35 pixels: `inputs` channels to 224 + `pooled`."""
    return Block(
        [("branch1x1", Unit(inputs, 64, 1, rng=rng))],
        [
            ("branch5x5_1", Unit(inputs, 48, 1, rng=rng)),
            ("branch5x5_2", Unit(48, 64, 5, padding=2, rng=rng)),
        ],
        [
            ("branch3x3dbl_1", Unit(inputs, 64, 1, rng=rng)),
            ("branch3x3dbl_2", Unit(64, 96, 3, padding=1, rng=rng)),
            ("branch3x3dbl_3", Unit(96, 96, 3, padding=1, rng=rng)),
        ],
        [("pool", _average()), ("branch_pool", Unit(inputs, pooled, 1, rng=rng))],
    )


def block_b(inputs: int, rng=None) -> Block:
    """From 35 x 35 to 17 x 17 pixels: `inputs` channels to 480 + `inputs`."""
    return Block(
        [("branch3x3", Unit(inputs, 384, 3, stride=2, rng=rng))],
        [
            ("branch3x3dbl_1", Unit(inputs, 64, 1, rng=rng)),
            ("branch3x3dbl_2", Unit(64, 96, 3, padding=1, rng=rng)),
            ("branch3x3dbl_3", Unit(96, 96, 3, stride=2, rng=rng)),
        ],
        [("pool", MaxPool2d(3, stride=2))],
    )


def block_c(inputs: int, width: int, rng=None) -> Block:
    """At 17 x 17 pixels: `inputs` channels to 768, with 1 x 7 and 7 x 1 kernels and `width` channels in between."""
    row, column = (
        {"kernel_size": (1, 7), "padding": (0, 3), "rng": rng},
        {"kernel_size": (7, 1), "padding": (3, 0), "rng": rng},
    )
    return Block(
        [("branch1x1", Unit(inputs, 192, 1, rng=rng))],
        [
            ("branch7x7_1", Unit(inputs, width, 1, rng=rng)),
            ("branch7x7_2", Unit(width, width, **row)),
            ("branch7x7_3", Unit(width, 192, **column)),
        ],
        [
            ("branch7x7dbl_1", Unit(inputs, width, 1, rng=rng)),
            ("branch7x7dbl_2", Unit(width, width, **column)),
            ("branch7x7dbl_3", Unit(width, width, **row)),
            ("branch7x7dbl_4", Unit(width, width, **column)),
            ("branch7x7dbl_5", Unit(width, 192, **row)),
        ],
        [("pool", _average()), ("branch_pool", Unit(inputs, 192, 1, rng=rng))],
    )


def block_d(inputs: int, rng=None) -> Block:
    """From 17 x 17 to 8 x 8 pixels: `inputs` channels to 512 + `inputs`."""
    return Block(
        [
            ("branch3x3_1", Unit(inputs, 192, 1, rng=rng)),
            ("branch3x3_2", Unit(192, 320, 3, stride=2, rng=rng)),
        ],
        [
            ("branch7x7x3_1", Unit(inputs, 192, 1, rng=rng)),
            ("branch7x7x3_2", Unit(192, 192, (1, 7), padding=(0, 3), rng=rng)),
            ("branch7x7x3_3", Unit(192, 192, (7, 1), padding=(3, 0), rng=rng)),
            ("branch7x7x3_4", Unit(192, 192, 3, stride=2, rng=rng)),
        ],
        [("pool", MaxPool2d(3, stride=2))],
    )


def block_e(inputs: int, pool: Module, rng=None) -> Block:
    """At 8 x 8 pixels: `inputs` channels to 2,048; pool: the first layer of the last branch."""
    row, column = (
        {"kernel_size": (1, 3), "padding": (0, 1), "rng": rng},
        {"kernel_size": (3, 1), "padding": (1, 0), "rng": rng},
    )
    return Block(
        [("branch1x1", Unit(inputs, 320, 1, rng=rng))],
        [
            ("branch3x3_1", Unit(inputs, 384, 1, rng=rng)),
            [("branch3x3_2a", Unit(384, 384, **row)), ("branch3x3_2b", Unit(384, 384, **column))],
        ],
        [
            ("branch3x3dbl_1", Unit(inputs, 448, 1, rng=rng)),
            ("branch3x3dbl_2", Unit(448, 384, 3, padding=1, rng=rng)),
            [("branch3x3dbl_3a", Unit(384, 384, **row)), ("branch3x3dbl_3b", Unit(384, 384, **column))],
        ],
        [("pool", pool), ("branch_pool", Unit(inputs, 192, 1, rng=rng))],
    )


def _average():
    return AvgPool2d(3, stride=1, padding=1, count_padding=False)
