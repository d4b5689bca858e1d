"""Hypothesis strategies for arrays, shapes and the geometry of convolutions. Valid cases are built, never filtered."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

LAYOUTS = ("C", "Fortran", "reversed", "strided")
KINDS = ("numbers", "same", "valid")  # of padding
GAP = 0.05  # the least magnitude of values, so that no difference quotient crosses a kink at 0


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4):
    """Shapes of arrays; min_side=0 allows empty ones."""
    sides = st.integers(min_side, max_side)
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable_shapes(count: int = 2, max_dims: int = 3, min_side: int = 1, max_side: int = 3):
    """Tuples of `count` shapes that NumPy broadcasts together."""
    drawn = numpy_strategies.mutually_broadcastable_shapes(
        num_shapes=count, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return drawn.map(lambda shapes: shapes.input_shapes)


def arrays(shape, *, low: float = -2.0, high: float = 2.0, dtype=np.float64, distinct: bool = False):
    """Arrays of a shape (or of a strategy for shapes) with values in [low, high], in C, Fortran, reversed or strided
    order.

    Values have a magnitude of at least 0.05, unless distinct=True, which instead keeps them apart from one another, so
    that no two tie for a maximum.
    """
    shape = st.just(shape) if isinstance(shape, tuple) else shape
    parts = (shape, st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS))
    return st.tuples(*parts).map(lambda drawn: _filled(*drawn, low, high, dtype, distinct))


def _filled(shape, seed, layout, low, high, dtype, distinct):
    rng = np.random.default_rng(seed)
    if distinct:
        count = int(np.prod(shape))
        values = low + (rng.permutation(count) + rng.uniform(0.3, 0.7)) * (high - low) / max(count, 1)
        values = values.reshape(shape)
    else:
        values = rng.uniform(low, high, shape)
        side = np.where(values >= 0, 1.0, -1.0) if low < 0 < high else np.full(shape, 1.0 if low >= 0 else -1.0)
        values = np.where(np.abs(values) < GAP, side * GAP, values)
    return laid_out(np.asarray(values, dtype), layout)


def laid_out(array, layout):
    """The same values in another memory layout."""
    if layout == "Fortran":
        return np.asfortranarray(array) if array.ndim else array
    if layout == "reversed":
        back = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[back])[back] if array.ndim else array
    if layout == "strided" and array.ndim:
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    return array


# ------------------------------------------------------------------------------------- sliding windows


@dataclass(frozen=True)
class ConvCase:
    """A valid convolution. size: (H, W) of the images; features: (OH, OW) of the feature maps"""

    batch: int
    size: tuple[int, int]
    features: tuple[int, int]
    kernel: tuple[int, int]
    channels: int
    maps: int
    how: dict = field(hash=False)
    remainder: tuple[int, int] | None  # rows and columns that no window reaches; None for padding "same"
    seed: int
    layout: str

    def draw_arrays(self, dtype=np.float64):
        """(x, w, y, how): images, kernels, features, and the keywords of conv2d."""
        rng = np.random.default_rng(self.seed)
        shapes = (
            (self.batch, *self.size, self.channels),
            (*self.kernel, self.channels // self.how["groups"], self.maps),
            (self.batch, *self.features, self.maps),
        )
        x, w, y = (laid_out(rng.uniform(-1, 1, shape).astype(dtype), self.layout) for shape in shapes)
        return x, w, y, self.how


@st.composite
def conv_cases(draw, *, min_batch: int = 0, largest: int = 3, max_groups: int = 3, kinds=KINDS):
    """Convolutions of every geometry, independent for each axis: strides, dilations, groups, one-sided padding, "same",
    "valid", remainders below the stride, kernels smaller than the stride, sizes of 1, and empty batches.

    largest: the largest output size and kernel
    kinds: the kinds of padding
    """
    kind = draw(st.sampled_from(kinds))
    axes = [draw(_axis(kind, largest)) for _ in range(2)]
    size, features, kernel, stride, dilation, pads, remainder = zip(*axes, strict=True)
    groups = draw(st.integers(1, max_groups))
    how = {
        "stride": draw(_shorter(stride)),
        "padding": draw(_padding(pads)) if kind == "numbers" else kind,
        "dilation": draw(_shorter(dilation)),
        "groups": groups,
    }
    return ConvCase(
        batch=draw(st.integers(min_batch, 2)),
        size=size,
        features=features,
        kernel=kernel,
        channels=groups * draw(st.integers(1, 2)),
        maps=groups * draw(st.integers(1, 2)),
        how=how,
        remainder=None if kind == "same" else remainder,
        seed=draw(st.integers(0, 2**32 - 1)),
        layout=draw(st.sampled_from(LAYOUTS)),
    )


@st.composite
def _axis(draw, kind, largest):
    """(size, features, kernel, stride, dilation, pads, remainder) for one axis."""
    kernel, stride, dilation = (draw(st.integers(1, most)) for most in (largest, 3, 2))
    extent = dilation * (kernel - 1) + 1
    if kind == "same":
        size = draw(st.integers(1, 2 * largest))
        return size, -(-size // stride), kernel, stride, dilation, None, None
    features, remainder = draw(st.integers(1, largest)), draw(st.integers(0, stride - 1))
    span = (features - 1) * stride + extent + remainder
    before = after = 0
    if kind == "numbers":
        before = draw(st.integers(0, min(span - 1, 3)))
        after = draw(st.integers(0, min(span - 1 - before, 3)))
    return span - before - after, features, kernel, stride, dilation, (before, after), remainder


def _shorter(both):
    """A pair, or the single number that is equivalent to it."""
    return st.sampled_from([both, both[0]]) if both[0] == both[1] else st.just(both)


def _padding(pads):
    """((top, bottom), (left, right)), or an equivalent shorter form."""
    ways = [pads]
    if all(before == after for before, after in pads):
        ways.append((pads[0][0], pads[1][0]))
        if pads[0] == pads[1]:
            ways.append(pads[0][0])
    return st.sampled_from(ways)


@st.composite
def pool_cases(draw, *, largest: int = 3):
    """(x, kernel_size, how) for pooling: no window is entirely in the padding, and no two values of x are equal."""
    axes = []
    for _ in range(2):
        kernel, stride = draw(st.integers(1, largest)), draw(st.integers(1, 3))
        features, remainder = draw(st.integers(1, largest)), draw(st.integers(0, stride - 1))
        span = (features - 1) * stride + kernel + remainder
        before = draw(st.integers(0, min(kernel - 1, span - 1)))
        after = draw(st.integers(0, min(kernel - 1, span - 1 - before)))
        axes.append((span - before - after, kernel, stride, (before, after)))
    size, kernel, stride, pads = zip(*axes, strict=True)
    x = draw(arrays((draw(st.integers(0, 2)), *size, draw(st.integers(1, 3))), distinct=True))
    return x, draw(_shorter(kernel)), {"stride": draw(_shorter(stride)), "padding": draw(_padding(pads))}
