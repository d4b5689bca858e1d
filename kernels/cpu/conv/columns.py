"""im2col and its adjoint: of whole arrays, and block by block, for the convolutions.

The feature side is cut into regions: rectangles of output pixels whose windows meet the image in the same taps. Inside
a region no product with padding is computed. A region's pixels are numbered image by image, row by row; a block of
columns holds one row per pixel, `stride` elements apart in a flat buffer, ordered (kh, kw, c) over the region's taps.
"""

from typing import NamedTuple

from minigan.kernels.cpu.runtime.compile import kernel, outlined
from minigan.kernels.cpu.runtime.threads import Tasks, empty, misfit, plain, round_up, share
from minigan.kernels.cpu.runtime.vectors import ROWS, add_run, clear_run, copy_run

BLOCK = 1 << 15  # elements per task of im2col
FEW = 4  # channels: for fewer, a masked vector is slower than one at a time
SHORT = 64  # elements of a kernel row


class Region(NamedTuple):
    """Output rows top to bottom and columns left to right, and the taps they use."""

    top: int
    bottom: int
    left: int
    right: int
    first_kh: int
    last_kh: int
    first_kw: int
    last_kw: int


def regions(g, images, top, bottom):
    """Output rows top to bottom of several images as a list of regions.

    If cutting would save little, there is one region, padding included: tiles take ROWS pixels at a time, and starting
    and ending a tile costs more than a few elements of depth.
    """
    everything = whole(g)._replace(top=top, bottom=bottom)
    rows = stretches(top, bottom, g.KH, g.SH, g.DH, g.PT, g.H)
    columns = stretches(0, g.OW, g.KW, g.SW, g.DW, g.PL, g.W)
    cut = [Region(*r[:2], *c[:2], *r[2:], *c[2:]) for r in rows for c in columns]
    nothing = dict.fromkeys(Region._fields[4:], 0)  # the taps if an axis has none in the image
    cut = [r if r.first_kh < r.last_kh and r.first_kw < r.last_kw else r._replace(**nothing) for r in cut]

    def cost(region):
        pixels = images * (region.bottom - region.top) * (region.right - region.left)
        taps = (region.last_kh - region.first_kh) * (region.last_kw - region.first_kw)
        return round_up(pixels, ROWS) * taps

    saves = g.KW * g.C // g.G >= SHORT and sum(map(cost, cut)) < 0.98 * cost(everything)
    return cut if saves else [everything]


def stretches(first, last, kernel_size, stride, dilation, padding, size):
    """Outputs first to last of one axis, as [start, stop, first tap, last tap] with the same taps in the image."""
    found = []
    for output in range(first, last):
        start = output * stride - padding
        low = min(max(-(start // dilation), 0), kernel_size)
        high = max(min((size - 1 - start) // dilation + 1, kernel_size), low)
        if found and found[-1][2:] == [low, high]:
            found[-1][1] = output + 1
        else:
            found.append([output, output + 1, low, high])
    return found


@kernel
def region_at(table, number):
    """A region of an int64 table, which kernels take as a flat array."""
    r = table[8 * number : 8 * number + 8]
    return Region(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])


@kernel
def locate(pixel, region):
    """(image, output row, output column) of a region's pixel."""
    width = region.right - region.left
    row, height = pixel // width, region.bottom - region.top
    return row // height, region.top + row % height, region.left + pixel % width


@kernel
def in_one_piece(region, g):
    """Whether a region's pixels are contiguous in memory."""
    return region.right - region.left == g.OW and region.bottom - region.top == g.OH


@outlined
def gather_columns(x, g, channel, channels, image, region, first, last, columns, stride):
    """Fill the rows of a region's pixels first to last from x (flat), starting at image `image`: `channels` channels of
    each tap. If these are all channels of the image, and taps are adjacent, a kernel row is copied in one run.
    """
    taps = region.last_kw - region.first_kw if channels == g.C and g.DW == 1 else 1
    n, oh, ow = locate(first, region)
    for pixel in range(first, last):
        to = (pixel - first) * stride
        for kh in range(region.first_kh, region.last_kh):
            h = oh * g.SH - g.PT + kh * g.DH
            row = ((image + n) * g.H + h) * g.W
            kw = region.first_kw
            while kw < region.last_kw:  # a range would divide by `taps`, which costs as much as a short run
                w = ow * g.SW - g.PL + kw * g.DW
                source = (row + w) * g.C + channel
                if not 0 <= h < g.H:
                    clear_run(columns, to, taps * channels)
                elif w >= 0 and w + taps <= g.W:
                    copy_run(x, source, columns, to, taps * channels)
                else:  # some of the run's taps lie in the padding: those before `start` and from `stop` on
                    start = min(max(-w, 0), taps) * channels
                    stop = max(min(taps, g.W - w) * channels, start)
                    clear_run(columns, to, start)
                    copy_run(x, source + start, columns, to + start, stop - start)
                    clear_run(columns, to + stop, taps * channels - stop)
                to += taps * channels
                kw += taps
        ow += 1
        if ow == region.right:
            n, oh, ow = locate(pixel + 1, region)


@outlined
def scatter_columns(columns, stride, g, channel, channels, image, region, first, last, x):
    """Add the columns of a region's pixels first to last to the pixels of x (flat) from which they are read.

    The caller owns these images and channels, so each pixel is summed in one fixed order, without atomics.
    """
    start = first
    while start < last:  # a run of pixels of one row at a time
        n, oh, ow = locate(start, region)
        length = min(region.right - ow, last - start)
        tap = 0
        for kh in range(region.first_kh, region.last_kh):
            h = oh * g.SH - g.PT + kh * g.DH
            if 0 <= h < g.H:
                row = ((image + n) * g.H + h) * g.W
                for kw in range(region.first_kw, region.last_kw):
                    w = ow * g.SW - g.PL + kw * g.DW
                    begin = max(-(w // g.SW), 0)  # the pixels whose tap kw is in the image
                    end = min((g.W - 1 - w) // g.SW + 1, length)
                    source = (start - first + begin) * stride + (tap + kw - region.first_kw) * channels
                    to = (row + w + begin * g.SW) * g.C + channel
                    add_pixels(columns, source, stride, x, to, g.SW * g.C, channels, end - begin)
            tap += region.last_kw - region.first_kw
        start += length


@outlined
def add_pixels(source, at, stride, to, to_at, to_stride, channels, count):
    """Add `count` runs of channels to `count` others; `stride` and `to_stride` are between runs."""
    if channels < FEW:  # one channel at a time: a masked vector would wait for the previous store
        for c in range(channels):
            for i in range(count):
                to[to_at + c + i * to_stride] += source[at + c + i * stride]
        return
    for _ in range(count):
        add_run(source, at, to, to_at, channels)
        at += stride
        to_at += to_stride


@outlined
def gather_pixels(y, g, channel, channels, image, region, first, last, out, stride):
    """Copy channels of a region's pixels first to last of y (flat) into rows of out."""
    n, oh, ow = locate(first, region)
    for pixel in range(first, last):
        place = ((image + n) * g.OH + oh) * g.OW + ow
        copy_run(y, place * g.K + channel, out, (pixel - first) * stride, channels)
        ow += 1
        if ow == region.right:
            n, oh, ow = locate(pixel + 1, region)


@outlined
def place_pixels(results, stride, g, channel, channels, image, region, first, last, y):
    """The inverse of gather_pixels."""
    n, oh, ow = locate(first, region)
    for pixel in range(first, last):
        place = ((image + n) * g.OH + oh) * g.OW + ow
        copy_run(results, (pixel - first) * stride, y, place * g.K + channel, channels)
        ow += 1
        if ow == region.right:
            n, oh, ow = locate(pixel + 1, region)


def im2col(x, g):
    (x,) = plain(x)
    if x.shape != g.image:
        misfit("im2col", x)
    cols = empty(g.columns, x.dtype)
    if not cols.size:
        return cols
    rows = max(BLOCK // cols.shape[1], 1)
    share(gather_rows, -(-len(cols) // rows), cols.size * 1e-9, x, g, whole(g), cols, rows)
    return cols


@Tasks
def gather_rows(number, x, g, everything, cols, rows):
    """`rows` rows of im2col."""
    first, width = number * rows, g.KH * g.KW * g.C
    last = min(first + rows, g.N * g.OH * g.OW)
    gather_columns(x, g, 0, g.C, 0, everything, first, last, cols[first * width :], width)


def col2im(cols, g):
    (cols,) = plain(cols)
    if cols.shape != g.columns:
        misfit("col2im", cols)
    x = empty(g.image, cols.dtype)
    share(scatter_image, g.N, cols.size * 1e-9, cols, g, whole(g), x)
    return x


@Tasks
def scatter_image(number, cols, g, everything, x):
    pixels, width = g.OH * g.OW, g.KH * g.KW * g.C
    clear_run(x, number * g.H * g.W * g.C, g.H * g.W * g.C)
    scatter_columns(cols[number * pixels * width :], width, g, 0, g.C, number, everything, 0, pixels, x)


def whole(g):
    """All of the feature side and all taps, padding included."""
    return Region(0, g.OH, 0, g.OW, 0, g.KH, 0, g.KW)
