"""Small cases of every CUDA kernel, for the sanitizers: `main` runs those of a file and prints which kernels ran.

Arrays have exactly the memory that they need, and odd sizes: what is read or written beyond them is seen. There are
several blocks, so that what two of them write shows, and few, as ThreadSanitizer is slow.
"""

import numpy as np

from minigan.kernels import cuda
from minigan.kernels.cuda import SimArray, Simulator, implicit, loss
from minigan.kernels.cuda.launch import register
from minigan.kernels.cuda.tiling import SHAPES, Plan
from minigan.kernels.geometry import ConvGeometry

DTYPES = {"float": np.float32, "double": np.float64}
UNEVEN = ConvGeometry.of_conv((2, 7, 6, 4), (3, 2, 2, 6), stride=(2, 1), padding=((1, 0), (0, 2)), groups=2)
DILATED = ConvGeometry.of_conv((1, 9, 8, 3), (3, 3, 3, 5), stride=2, padding=2, dilation=(2, 1))
WINDOWS = ConvGeometry.of_window((2, 7, 9, 4), kernel_size=3, stride=(1, 2), padding=((1, 1), (0, 2)))
GAPS = ConvGeometry.of_window((2, 11, 8, 5), kernel_size=(1, 2), stride=3)
NARROW_AND_WIDE = (3, 1), (5, 131), (1, 131)  # of two tiles the second one has a column less, which no row follows


class Maker:
    """Makes random numbers of a dtype on the device.

    slow: whether ThreadSanitizer is to see what becomes of them: it needs 0.2 s for a block of 256 threads, and what a
    case does besides is left to AddressSanitizer
    """

    def __init__(self, dtype, slow):
        self.rng, self.dtype, self.slow = np.random.default_rng(0), dtype, slow

    def __call__(self, *shape):
        return np.array(self.rng.standard_normal(shape), self.dtype).view(SimArray)

    def cases(self, first, *others):
        return (first,) if self.slow else (first, *others)


def of_activation(make):
    for shape in make.cases((1100,), (1,), (3, 5)):
        x, g = make(*shape), make(*shape)
        cuda.leaky_relu(x, 0.2)
        cuda.leaky_relu_vjp(g, x, 0.2)
        cuda.tanh_vjp(g, x)
    cuda.leaky_relu(make(40)[3:], 0.2)  # begins where no run of 16 bytes does


def of_conv(make):
    for shape in SHAPES:
        for g, parts in make.cases((UNEVEN, 1), (DILATED, 2)):
            x, w, y, of_c, of_k = (make(*shape) for shape in (g.image, g.weight, g.features, (g.C,), (g.K,)))
            implicit.conv2d(x, w, g, of_k, 0.2, how=Plan(shape, parts))
            implicit.conv2d_transpose(y, w, g, of_c, how=Plan(shape, parts))
            implicit.conv2d_weight(x, y, g, how=Plan(shape, parts))


def of_loss(make):
    for size in (300, 1, 2100):
        logits = make(size)
        for targets in make.cases(make(size), 0.9):
            loss.binary_cross_entropy_sum(logits, targets)
            if size <= 300:
                loss.binary_cross_entropy_excess(logits, targets)


def of_matmul(make):
    for shape, tile in SHAPES.items():
        cuda.matmul(make(21, 5).T, make(tile.columns + 1, 21).T, make(tile.columns + 1), 0.2, how=Plan(shape, 2))
        for bias in make.cases(make(3), None):
            cuda.matmul(make(tile.rows + 1, 19), make(19, 3), bias, 0.2, how=Plan(shape, 1))


def of_norm(make):
    for m, channels in make.cases((300, 9), *NARROW_AND_WIDE):
        g, x, scale, shift = make(m, channels), make(m, channels), make(channels), make(channels)
        _, mean, inverse = cuda.batch_norm(x, scale, shift, 1e-5, 0.2)
        cuda.batch_norm_vjp(g, x, scale, shift, mean, inverse, 0.2)


def of_optim(make):
    sizes = make.cases(4099, 1, 6)
    ps, gs, means, squares = ([make(size) ** power for size in sizes] for power in (1, 1, 1, 2))
    cuda.sgd_update(ps, gs, means, 0.1)
    cuda.sgd_update(ps, gs, means, 0.1, 0.9, True)
    cuda.rmsprop_update(ps, gs, squares, 0.1, 0.9, 1e-8)
    cuda.adam_update(ps, gs, means, squares, 0.1, 0.5, 0.999, 1e-8, 0.01, False, 3)


def of_pool(make):
    for g in make.cases(WINDOWS, GAPS):
        x, y = make(*g.image), make(g.N, g.OH, g.OW, g.C)
        indices = cuda.max_pool_indices(x, g)
        cuda.pool_gather(x, indices, g)
        cuda.pool_scatter(y, indices, g)
        cuda.window_sum(x, g)
        cuda.window_spread(y, g)


def of_random(make):
    for size in make.cases(1031, 1):
        for draw in (cuda.standard_normal, cuda.uniform):
            draw(make(size).astype(np.float32), 2**63 + 5, 2**32 - 1)


def of_reduce(make):
    for m, channels in make.cases((300, 9), *NARROW_AND_WIDE):
        g, x = make(m, channels), make(m, channels)
        cuda.bias_sum(g)
        cuda.leaky_relu_vjp_sum(g, x, 0.2)


def of_segment(make):
    for n, width in make.cases((90, 7), (1, 1), (3, 300)):
        segments = make.rng.integers(0, 5, n).view(SimArray)
        cuda.segment_sum(make(n, width), segments, 5)


def of_window(make):
    for g in make.cases(WINDOWS, UNEVEN, GAPS):
        cuda.im2col(make(*g.image), g)
        cuda.col2im(make(*g.columns), g)


CASES = {name.removeprefix("of_") + ".cu": case for name, case in globals().items() if name.startswith("of_")}


class Recorder(Simulator):
    """Notes the kernels that have run."""

    def __init__(self, *settings):
        super().__init__(*settings)
        self.ran = set()

    def run(self, file, kernel, real, *launch):
        super().run(file, kernel, real, *launch)
        self.ran.add((file, kernel))


def main(sanitizer, file, real):
    recorder = Recorder(1, sanitizer)
    register(SimArray, recorder)
    CASES[file](Maker(DTYPES[real], sanitizer == "thread"))
    print(*(kernel for where, kernel in sorted(recorder.ran) if where == file))
