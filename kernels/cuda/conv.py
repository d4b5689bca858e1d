"""Choose the algorithm of the three convolutions. Each algorithm supports every geometry.

implicit    matrix products whose columns are computed tile by tile when they are needed: the default
im2col      columns of patches times the weights, multiplied by the device's library
tf32, bf16  like implicit, on tensor cores: float32 factors are rounded to TF32 or bfloat16

The default is implicit, or for float32 arrays the algorithm that `kernels.precision` selects.
"""

from minigan.errors import UnknownNameError
from minigan.kernels.cuda import implicit, patches
from minigan.kernels.cuda.launch import contiguous, empty
from minigan.kernels.cuda.tensor import TensorCores
from minigan.kernels.cuda.tiling import ON_TENSOR_CORES, finish, numbers_for

ALGORITHMS = {"implicit": implicit, "im2col": patches, **{name: TensorCores(name) for name in ON_TENSOR_CORES}}


def chosen(algorithm: str | None, array):
    """The module or object that implements this algorithm, for arrays like this one."""
    name = algorithm or numbers_for(array) or "implicit"
    if name not in ALGORITHMS:
        raise UnknownNameError("convolution algorithm", name, tuple(ALGORITHMS))
    return ALGORITHMS[name]


def conv2d(x, w, g, bias=None, slope=1.0, algorithm=None):
    module = chosen(algorithm, x)
    x, w, bias = contiguous(x, w, bias)
    return module.conv2d(x, w, g, bias, slope) if x.size and w.size else of_nothing(g.features, x, bias, slope)


def conv2d_transpose(y, w, g, bias=None, algorithm=None):
    module = chosen(algorithm, y)
    y, w, bias = contiguous(y, w, bias)
    return module.conv2d_transpose(y, w, g, bias) if y.size and w.size else of_nothing(g.image, y, bias)


def conv2d_weight(x, y, g, algorithm=None):
    module = chosen(algorithm, x)
    x, y = contiguous(x, y)
    return module.conv2d_weight(x, y, g) if x.size and y.size else of_nothing(g.weight, x)


def of_nothing(shape, like, bias=None, slope=1.0):
    """The result if all sums are empty: zeros, then the bias and the activation."""
    out = empty(shape, like)
    out.fill(0)
    if bias is not None and out.size:
        finish(out, out, bias=bias, slope=slope)
    return out
