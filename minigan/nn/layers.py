"""Layers. Images are (N, H, W, C), vectors (N, C). Initial weights are drawn from `rng`, by default the stream "init".

A `forward` that takes a `weight` computes with it in place of the layer's own, which `SpectralNorm` uses.
"""

import math

import numpy as np

from minigan import ops, random
from minigan.autograd.operands import Padding, Pair, constructor
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.kernels.geometry import pair
from minigan.nn import init
from minigan.nn.module import Module


def parameter(initialiser, rng, shape, fan_in=1, fan_out=1):
    """A float32 leaf that is trained, from an initialiser."""
    rng = random.stream("init") if rng is None else rng
    return Tensor(initialiser(rng, shape, fan_in, fan_out).astype(np.float32, order="C"), True)


def _at_least_one(name, inputs, outputs):
    if inputs < 1 or outputs < 1:
        raise ShapeError(f"{name}: {inputs} inputs and {outputs} outputs; there is at least one of each")


class Linear(Module):
    """x @ weight + bias: (..., inputs) to (..., outputs); weight (inputs, outputs)."""

    @constructor
    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, weight_init=None, rng=None):
        super().__init__()
        _at_least_one("Linear", inputs, outputs)
        self.inputs, self.outputs = inputs, outputs
        weight_init = weight_init or init.lecun_uniform()
        self.weight = parameter(weight_init, rng, (inputs, outputs), inputs, outputs)
        self.bias = parameter(init.lecun_uniform(), rng, (outputs,), inputs, outputs) if bias else None

    def check(self, x) -> None:
        """Raise ShapeError for inputs of another width."""
        if x.shape[-1:] != (self.inputs,):
            raise ShapeError(
                f"Linear: x has shape {x.shape}, but the last axis must be {self.inputs}; weight is {self.weight.shape}"
            )

    def forward(self, x, weight=None):
        self.check(x)
        return ops.linear(x, self.weight if weight is None else weight, self.bias)

    def describe(self):
        return f"{self.inputs} -> {self.outputs}"


class Conv2d(Module):
    """`ops.conv2d` with weight (KH, KW, inputs // groups, outputs) and an optional bias (outputs,)."""

    transposed = False

    @constructor
    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        algorithm: str | None = None,
        weight_init=None,
        rng=None,
    ):
        super().__init__()
        name = type(self).__name__
        kernel = pair(name, "kernel_size", kernel_size)
        _at_least_one(name, inputs, outputs)
        if groups < 1 or inputs % groups or outputs % groups:
            raise ShapeError(f"{name}: {groups} groups do not divide {inputs} inputs and {outputs} outputs")
        self.inputs, self.outputs = inputs, outputs
        self.how = {
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "groups": groups,
            "algorithm": algorithm,
        }
        image_side, feature_side = (outputs, inputs) if self.transposed else (inputs, outputs)
        fans = [math.prod(kernel) * channels // groups for channels in (image_side, feature_side)]
        # an output of a transposed convolution sees only every stride-th tap along each axis
        fan_image, fan_feature = fans[0], max(1, fans[1] // math.prod(pair(name, "stride", stride)))
        fan_in, fan_out = (fan_feature, fan_image) if self.transposed else (fan_image, fan_feature)
        shape = (*kernel, image_side // groups, feature_side)
        self.weight = parameter(weight_init or init.lecun_uniform(), rng, shape, fan_in, fan_out)
        self.bias = parameter(init.lecun_uniform(), rng, (outputs,), fan_in, fan_out) if bias else None

    def forward(self, x, weight=None):
        return ops.conv2d(x, self.weight if weight is None else weight, self.bias, **self.how)

    def describe(self):
        kernel = "x".join(map(str, self.weight.shape[:2]))
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        how = "".join(f", {name}={setting}" for name, setting in self.how.items() if setting != usual.get(name))
        return f"{self.inputs} -> {self.outputs}, {kernel}{how}"


class ConvTranspose2d(Conv2d):
    """`ops.conv2d_transpose` with weight (KH, KW, outputs // groups, inputs), as the convolution it is the adjoint of.

    output_padding: the excess of the result over the smallest possible size. With padding "same" the size is the
        input's times the stride. `layer(y, output_size)` asks for a size by name.
    """

    transposed = True

    @constructor
    def __init__(self, inputs: int, outputs: int, kernel_size, *, output_padding: Pair | None = None, **how):
        super().__init__(inputs, outputs, kernel_size, **how)
        self.how["output_padding"] = output_padding

    def forward(self, y, output_size: tuple[int, int] | None = None, weight=None):
        how = self.how if output_size is None else {**self.how, "output_padding": None, "output_size": output_size}
        return ops.conv2d_transpose(y, self.weight if weight is None else weight, self.bias, **how)


class Embedding(Module):
    """Rows of weight (count, width) by number: integers (...) to (..., width)."""

    @constructor
    def __init__(self, count: int, width: int, *, weight_init=None, rng=None):
        super().__init__()
        self.weight = parameter(weight_init or init.normal(1.0), rng, (count, width), 1, width)

    def forward(self, indices, weight=None):
        return ops.embedding(self.weight if weight is None else weight, indices)

    def describe(self):
        return "{} x {}".format(*self.weight.shape)


class Dropout(Module):
    """In training, each value 0 with probability `rate` and the others divided by 1 - rate."""

    @constructor
    def __init__(self, rate: float = 0.5, *, rng=None):
        super().__init__()
        if not 0 <= rate < 1:
            raise ShapeError(f"Dropout: rate is {rate}, but it is a probability from 0 to below 1")
        self.rate, self.rng = rate, rng

    def forward(self, x):
        if not self.training:
            return x
        return ops.dropout(x, self.rate, random.philox("dropout") if self.rng is None else self.rng)

    def describe(self):
        return f"{self.rate}"


class MaxPool2d(Module):
    """The largest pixel of each window; with_indices=True also returns their places, for a MaxUnpool2d."""

    @constructor
    def __init__(self, kernel_size, *, stride: Pair | None = None, padding: Padding = 0, with_indices: bool = False):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.with_indices = with_indices

    def forward(self, x):
        pool = ops.max_pool2d_with_indices if self.with_indices else ops.max_pool2d
        return pool(x, self.kernel_size, stride=self.stride, padding=self.padding)

    def describe(self):
        return f"{self.kernel_size}, stride={self.stride or self.kernel_size}, padding={self.padding}"


class MaxUnpool2d(MaxPool2d):
    """Put back the pixels that a MaxPool2d of the same arguments took: `layer(y, indices, output_size)`.

    output_size: the (H, W) that was pooled, if it is not the smallest that gives y's size
    """

    @constructor
    def __init__(self, kernel_size, *, stride: Pair | None = None, padding: Padding = 0):
        super().__init__(kernel_size, stride=stride, padding=padding)

    def forward(self, y, indices, output_size: tuple[int, int] | None = None):
        how = {"stride": self.stride, "padding": self.padding, "output_size": output_size}
        return ops.max_unpool2d(y, indices, self.kernel_size, **how)


class AvgPool2d(MaxPool2d):
    """The mean of each window; padding counts as zeros, or with count_padding=False not at all."""

    @constructor
    def __init__(self, kernel_size, *, stride: Pair | None = None, padding: Padding = 0, count_padding: bool = True):
        super().__init__(kernel_size, stride=stride, padding=padding)
        self.count_padding = count_padding

    def forward(self, x):
        return ops.avg_pool2d(
            x, self.kernel_size, stride=self.stride, padding=self.padding, count_padding=self.count_padding
        )


class Upsample(Module):
    """Enlarge images by `scale`, an int or a pair, with mode "nearest" or "bilinear"."""

    @constructor
    def __init__(self, scale: Pair = 2, *, mode: str = "nearest"):
        super().__init__()
        self.scale, self.mode = pair("Upsample", "scale", scale), mode

    def forward(self, x):
        return ops.resize(x, tuple(n * s for n, s in zip(x.shape[1:3], self.scale, strict=True)), mode=self.mode)

    def describe(self):
        return f"{self.scale}, {self.mode}"


class Flatten(Module):
    """(N, ...) to (N, M)."""

    def forward(self, x):
        return ops.flatten(x)


class Reshape(Module):
    """Reshape each sample: (N, ...) to (N, *shape)."""

    @constructor
    def __init__(self, *shape: int):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ShapeError(
                f"Reshape: a sample has shape {x.shape[1:]}, which does not fill {self.shape} "
                f"({math.prod(x.shape[1:])} values for {math.prod(self.shape)})"
            )
        return ops.reshape(x, (x.shape[0], *self.shape))

    def describe(self):
        return ", ".join(map(str, self.shape))


# --------------------------------------------------------------------------------------- activations


class ReLU(Module):
    """x where positive, else 0."""

    slope = 0.0

    def forward(self, x):
        return ops.relu(x)


class LeakyReLU(Module):
    """x where positive, else slope * x."""

    @constructor
    def __init__(self, slope: float = 0.01):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return ops.leaky_relu(x, slope=self.slope)

    def describe(self):
        return f"{self.slope}"


class Tanh(Module):
    """The hyperbolic tangent of each element."""

    def forward(self, x):
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)) of each element."""

    def forward(self, x):
        return ops.sigmoid(x)


class Softplus(Module):
    """log(1 + exp(x))."""

    def forward(self, x):
        return ops.softplus(x)


class Softmax(Module):
    """exp(x) / sum(exp(x)) along an axis."""

    @constructor
    def __init__(self, axis: int = -1):
        super().__init__()
        self.axis = axis

    def forward(self, x):
        return ops.softmax(x, axis=self.axis)

    def describe(self):
        return f"axis={self.axis}"
