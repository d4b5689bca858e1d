"""Arrays of more than 2^31 elements for the device sim, and launches of a few blocks of what such arrays need.

The arrays have addresses but no memory: only pages that are written to get any. All else reads as zero. So a test sets
the numbers that some far results are made of, runs the blocks that those results are of, in the grid of the whole
array, and compares. Nothing here depends on the kernels but which block a result is of.

Around each array is as much again as 32 bits can miss it by: an index that wraps once finds a zero there, or leaves its
result a zero, and does not end the process.
"""

import contextlib
import math
import mmap

import numpy as np
import pytest

from minigan.kernels.cuda import SimArray, Simulator
from minigan.kernels.cuda.launch import FOLDER, THREADS, launcher_of, register

NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python has the name from 3.12 on; Linux's number
SLACK = 8 << 32  # bytes before and after an array
MOST = (1 << 31) - 1  # that an int holds
SIZE = (1 << 32) + 4 * 77 + 3  # of a row of numbers
SAME = (1, 1, 1, 1, 1, 0, 0)  # an axis, as geometries have them: nothing happens along it


def of(geometries):
    return pytest.mark.parametrize("g", geometries.values(), ids=geometries)


class Large(Simulator):
    """A simulator that runs chosen blocks, reports integers that overflow, and whose new arrays have no memory.

    folder: where the sources are
    """

    folder = FOLDER

    def __init__(self, blocks):
        super().__init__(sanitizer="overflow", blocks=blocks)

    def run(self, file, *launch):
        super().run(str(self.folder / file), *launch)

    def empty(self, shape, dtype):
        return reserve(shape, dtype)


@contextlib.contextmanager
def running(blocks):
    """Run only these blocks of each launch: a function of the kernel's name and how many there are."""
    before = launcher_of(np.empty(0).view(SimArray))
    register(SimArray, Large(blocks))
    try:
        yield
    finally:
        register(SimArray, before)


def reserve(shape, dtype=np.float32):
    """An array of zeros on the device sim, which has no memory until something else is written."""
    count = math.prod(shape) if isinstance(shape, tuple) else int(shape)
    size = 2 * SLACK + count * np.dtype(dtype).itemsize
    try:
        space = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
    except (OSError, ValueError) as error:
        raise AssertionError(
            f"the system refuses {size / 2**30:.0f} GB of addresses without memory ({error}), which these tests need: "
            "see `ulimit -v`, and /proc/sys/vm/overcommit_memory, which must not be 2"
        ) from error
    with contextlib.suppress(OSError):  # a system without huge pages
        space.madvise(mmap.MADV_NOHUGEPAGE)  # 2 MB for each number that is written
    return np.frombuffer(space, dtype, count, SLACK).reshape(shape).view(SimArray)


def flat(array):
    """All elements in a row, as NumPy's."""
    return np.asarray(array).reshape(-1)


def mark(rng, array, places, scale=1.0, signs=(-1, 1)):
    """Set elements, by number, to random ones that are not zero, of few bits: their products are exact, in TF32 too."""
    sizes = rng.integers(32, 64, np.shape(places)) * (scale / 64)
    flat(array)[places] = sizes * rng.choice(signs, np.shape(places))


def far(rng, total):
    """Numbers of elements of an array: its ends, both sides of 2^31 and 2^32, and some others beyond 2^31."""
    edges = [edge + by for edge in (1 << 31, 1 << 32) for by in (-1, 0)]
    chosen = [0, *edges, *rng.integers(min(1 << 31, total // 2), total, 3), *range(total - 3, total)]
    return np.unique([number for number in chosen if number < total])


def owners(samples, run=1):
    """The blocks of those elements in a grid of a thread for each, or for each run of them; and the first block."""

    def blocks(kernel, count):
        return np.unique([0, *(samples // run // THREADS % count)]).tolist()

    return blocks


def first(kernel, count):
    """The first block."""
    return [0]


def last(kernel, count):
    """The last block."""
    return [count - 1]


def corners(tiles):
    """The blocks of a cut matrix that have its corners: runs of rows, of so many tiles of columns each."""

    def blocks(kernel, count):
        return sorted({number % count for number in (0, tiles - 1, count - tiles, count - 1)})

    return blocks


def pixels_of(g, windows, taps=None):
    """For windows by number of (N, OH, OW, C): their pixels by number of (N, H, W, C), h * W + w, and whether there
    are any: a column for each tap, or for each of these."""
    n, oh, ow, c = (index[:, None] for index in np.unravel_index(windows, (g.N, g.OH, g.OW, g.C)))
    kh, kw = np.divmod(np.arange(g.KH * g.KW) if taps is None else taps, g.KW)
    h, w = oh * g.SH - g.PT + kh * g.DH, ow * g.SW - g.PL + kw * g.DW
    inside = (h >= 0) & (h < g.H) & (w >= 0) & (w < g.W)
    place = np.where(inside, h * g.W + w, 0)
    return (n * g.H * g.W + place) * g.C + c, place, inside


def windows_of(g, pixels, taps=None):
    """For pixels by number of (N, H, W, C): the windows that read them, by number of (N, OH, OW, C), and whether there
    are any: a column for each tap, or for each of these."""
    n, h, w, c = (index[:, None] for index in np.unravel_index(pixels, g.image))
    kh, kw = np.divmod(np.arange(g.KH * g.KW) if taps is None else taps, g.KW)
    (oh, down), (ow, along) = np.divmod(h + g.PT - kh * g.DH, g.SH), np.divmod(w + g.PL - kw * g.DW, g.SW)
    inside = (down == 0) & (oh >= 0) & (oh < g.OH) & (along == 0) & (ow >= 0) & (ow < g.OW)
    return np.where(inside, ((n * g.OH + oh) * g.OW + ow) * g.C + c, 0), inside
