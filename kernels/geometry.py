"""The geometry of a sliding window, as one plain record that every implementation shares.

Letters: N batch, H W height and width of the image side, C its channels; OH OW height and width of the feature
side, K its channels; KH KW kernel. SH SW strides, DH DW dilations, PT PB PL PR rows and columns of padding at the
top, bottom, left and right, G groups. The record is all integers: "same" and "valid" are resolved before it is made.
"""

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

from minigan.errors import ShapeError

Padding = int | str | Sequence  # 1, (1, 2), ((1, 2), (0, 1)), "same" or "valid"
Size = int | tuple[int, int]


def remembered(function):
    """The function with a cache: a training step asks for the same geometries again and again."""
    known = functools.lru_cache(maxsize=1024, typed=True)(function)

    @functools.wraps(function)
    def call(*args, **settings):
        try:
            return known(*args, **settings)
        except TypeError:  # an argument is a list, which cannot be hashed
            return function(*args, **settings)

    return call


class ConvGeometry(NamedTuple):
    N: int
    H: int
    W: int
    C: int
    OH: int
    OW: int
    K: int
    KH: int
    KW: int
    SH: int
    SW: int
    PT: int
    PB: int
    PL: int
    PR: int
    DH: int
    DW: int
    G: int

    @property
    def image(self) -> tuple[int, int, int, int]:
        """Shape of the image side, (N, H, W, C)."""
        return self.N, self.H, self.W, self.C

    @property
    def features(self) -> tuple[int, int, int, int]:
        """Shape of the feature side, (N, OH, OW, K)."""
        return self.N, self.OH, self.OW, self.K

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """Shape of the one weight array of a convolution and its adjoint, (KH, KW, C // G, K)."""
        return self.KH, self.KW, self.C // self.G, self.K

    @property
    def columns(self) -> tuple[int, int]:
        """Shape of im2col's matrix, (N * OH * OW, KH * KW * C)."""
        return self.N * self.OH * self.OW, self.KH * self.KW * self.C

    @classmethod
    @remembered
    def of_conv(cls, x, w, *, stride=1, padding=0, dilation=1, groups=1, call="conv2d"):
        """The geometry of `conv2d(x, w)` for shapes x (N, H, W, C) and w (KH, KW, C // groups, K)."""
        _rank(call, "x", x, "(N, H, W, C)")
        _rank(call, "w", w, "(KH, KW, C // groups, K)")
        _groups(call, groups, x[3], w[3])
        if x[3] != w[2] * groups:
            expected = f"{w[2]} * {groups} groups" if groups != 1 else f"{w[2]}"
            raise ShapeError(
                f"{call}: x has {x[3]} channels (shape {x}), but w expects {expected} (shape {w}); "
                "w is (KH, KW, C // groups, K)"
            )
        window = Window(call, w[:2], stride, dilation)
        pads = window.pads(padding, x[1:3])
        return cls(*x, *window.slide(x[1:3], pads), w[3], *window.record(pads), groups)

    @classmethod
    @remembered
    def of_transpose(
        cls,
        y,
        w,
        *,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        output_size=None,
        output_padding=None,
        call="conv2d_transpose",
    ):
        """The geometry of `conv2d_transpose(y, w)` for shapes y (N, OH, OW, K) and w (KH, KW, C // groups, K)."""
        _rank(call, "y", y, "(N, OH, OW, K)")
        _rank(call, "w", w, "(KH, KW, C // groups, K)")
        channels = w[2] * groups
        _groups(call, groups, channels, w[3])
        if y[3] != w[3]:
            raise ShapeError(
                f"{call}: y has {y[3]} channels (shape {y}), but w expects {w[3]} (shape {w}); "
                "w is (KH, KW, C // groups, K) and K is the number of input channels"
            )
        window = Window(call, w[:2], stride, dilation)
        size = window.image_size(y[1:3], padding, output_size, output_padding)
        pads = window.pads(padding, size)
        return cls(y[0], *size, channels, *y[1:], *window.record(pads), groups)

    @classmethod
    @remembered
    def of_weight(cls, x, y, *, kernel_size, stride=1, padding=0, dilation=1, groups=1, call="conv2d_weight"):
        """The geometry of `conv2d_weight(x, y)` for shapes x (N, H, W, C) and y (N, OH, OW, K)."""
        _rank(call, "x", x, "(N, H, W, C)")
        _rank(call, "y", y, "(N, OH, OW, K)")
        _groups(call, groups, x[3], y[3])
        window = Window(call, pair(call, "kernel_size", kernel_size), stride, dilation)
        pads = window.pads(padding, x[1:3])
        expected = (x[0], *window.slide(x[1:3], pads))
        if tuple(y[:3]) != expected:
            raise ShapeError(f"{call}: y has shape {y}, but x of shape {x} gives (N, OH, OW) = {expected}")
        return cls(*x, *y[1:], *window.record(pads), groups)

    @classmethod
    @remembered
    def of_window(cls, x, *, kernel_size, stride=1, padding=0, dilation=1, call="im2col"):
        """The geometry of a window that slides over each channel of x (N, H, W, C) separately: K = C = G."""
        _rank(call, "x", x, "(N, H, W, C)")
        window = Window(call, pair(call, "kernel_size", kernel_size), stride, dilation)
        pads = window.pads(padding, x[1:3])
        return cls(*x, *window.slide(x[1:3], pads), x[3], *window.record(pads), x[3])


class Window:
    """Kernel, stride and dilation of one call, each an (along H, along W) pair."""

    def __init__(self, call, kernel, stride, dilation):
        self.call = call
        self.kernel = pair(call, "kernel_size", kernel)
        self.stride = pair(call, "stride", stride)
        self.dilation = pair(call, "dilation", dilation)
        self.extent = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def record(self, pads):
        return *self.kernel, *self.stride, *pads[0], *pads[1], *self.dilation

    def pads(self, padding, size):
        """((top, bottom), (left, right)) for an image side of this size."""
        if isinstance(padding, str):
            return self._named_pads(padding, size)
        if _is_int(padding):
            pads = ((padding, padding), (padding, padding))
        elif isinstance(padding, Sequence) and len(padding) == 2:
            pads = tuple((p, p) if _is_int(p) else p for p in padding)
        else:
            pads = None
        if pads is None or any(
            not isinstance(p, Sequence) or len(p) != 2 or not all(_is_int(v) and v >= 0 for v in p) for p in pads
        ):
            raise ShapeError(
                f"{self.call}: padding is {padding!r}; it is an int, a pair (height, width), "
                "((top, bottom), (left, right)), 'same' or 'valid', and never negative"
            )
        return tuple(tuple(int(v) for v in p) for p in pads)

    def _named_pads(self, padding, size):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding != "same":
            raise ShapeError(f"{self.call}: padding is {padding!r}; the names are 'same' and 'valid'")
        totals = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(size, self.stride, self.extent, strict=True)]
        return tuple(
            (t // 2, t - t // 2) for t in totals
        )  # an odd pixel goes to the bottom or the right, as in TensorFlow

    def slide(self, size, pads):
        """(OH, OW) of a window over an image side of this size."""
        for n, e, p, axis in zip(size, self.extent, pads, ("height", "width"), strict=True):
            if n + sum(p) < e:
                raise ShapeError(
                    f"{self.call}: the kernel spans {e} pixels of {axis}, but the image has {n} and padding {p}; "
                    f"kernel {self.kernel}, dilation {self.dilation}"
                )
        return tuple((n + sum(p) - e) // s + 1 for n, e, p, s in zip(size, self.extent, pads, self.stride, strict=True))

    def image_size(self, features, padding, output_size, output_padding):
        """(H, W) of the image side for features of this size; output_size or output_padding resolves the ambiguity."""
        if output_size is not None and output_padding is not None:
            raise ShapeError(f"{self.call}: give output_size or output_padding, not both")
        if padding == "same":
            smallest = [(n - 1) * s + 1 for n, s in zip(features, self.stride, strict=True)]
            default = [n * s for n, s in zip(features, self.stride, strict=True)]
            if output_padding is not None:
                raise ShapeError(f"{self.call}: with padding 'same' give output_size, not output_padding")
        else:
            pads = self.pads(padding, features)  # given as numbers, so the size does not matter
            default = smallest = [
                (n - 1) * s + e - sum(p) for n, s, e, p in zip(features, self.stride, self.extent, pads, strict=True)
            ]
        largest = [n + s - 1 for n, s in zip(smallest, self.stride, strict=True)]
        if output_padding is not None:
            extra = pair(self.call, "output_padding", output_padding, least=0)
            if any(e >= s for e, s in zip(extra, self.stride, strict=True)):
                raise ShapeError(f"{self.call}: output_padding {extra} must be smaller than the stride {self.stride}")
            size = tuple(n + e for n, e in zip(smallest, extra, strict=True))
        elif output_size is not None:
            size = pair(self.call, "output_size", output_size, least=0)
            if any(not low <= n <= high for n, low, high in zip(size, smallest, largest, strict=True)):
                raise ShapeError(
                    f"{self.call}: output_size {size} is impossible; features of {tuple(features)} come from "
                    f"heights {smallest[0]} to {largest[0]} and widths {smallest[1]} to {largest[1]}"
                )
        else:
            size = tuple(default)
        if min(size) < 1:
            raise ShapeError(
                f"{self.call}: the result would be {size}; padding {padding!r} is more than the kernel reaches"
            )
        return size


def pair(call, name, value, least=1):
    """An int or a pair of them as a pair, at least `least`."""
    both = (value, value) if _is_int(value) else value
    if not isinstance(both, Sequence) or len(both) != 2 or not all(_is_int(v) and v >= least for v in both):
        raise ShapeError(f"{call}: {name} is {value!r}; it is an int or a pair of ints, at least {least}")
    return int(both[0]), int(both[1])


def _is_int(value):
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def _rank(call, name, shape, letters):
    if len(shape) != 4:
        raise ShapeError(f"{call}: {name} has shape {tuple(shape)}, but it must be {letters}, four dimensions")


def _groups(call, groups, image_channels, feature_channels):
    if not _is_int(groups) or groups < 1 or image_channels % groups or feature_channels % groups:
        raise ShapeError(
            f"{call}: {groups} groups do not divide {image_channels} image-side "
            f"and {feature_channels} feature-side channels"
        )
