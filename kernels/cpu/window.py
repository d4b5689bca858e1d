"""im2col and its adjoint: whole, as functions of arrays, and block by block, for the convolutions.

A block's columns are rows of a flat buffer, `stride` elements apart, one row for each output pixel, ordered
(kh, kw, c) over a range of taps and a run of channels. Tap t is (t // KW, t % KW).
"""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run
from minigan.kernels.cpu.vectors import add_run, clear_run, copy_run

BLOCK = 1 << 16  # elements of a task


@kernel
def gather_columns(x, g, channel, channels, first_tap, last_tap, first, last, columns, at, stride):
    """Fill the rows of output pixels first to last, from x (flat): taps first_tap to last_tap of `channels` channels.

    channel: the first of them. Where they are all of the image's, and taps lie side by side, a kernel row is one run.
    """
    together = g.KW if channels == g.C and g.DW == 1 else 1
    n, oh, ow = first // (g.OH * g.OW), first // g.OW % g.OH, first % g.OW
    first_kh, first_kw = first_tap // g.KW, first_tap % g.KW
    for _ in range(first, last):
        to, tap, kh, kw = at, first_tap, first_kh, first_kw
        while tap < last_tap:
            taps = min(together, g.KW - kw, last_tap - tap)
            h, w = oh * g.SH - g.PT + kh * g.DH, ow * g.SW - g.PL + kw * g.DW
            source = ((n * g.H + h) * g.W + w) * g.C + channel
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
            tap += taps
            kw += taps
            if kw == g.KW:
                kw = 0
                kh += 1
        at += stride
        ow += 1
        if ow == g.OW:
            ow = 0
            oh += 1
            if oh == g.OH:
                oh = 0
                n += 1


@kernel
def scatter_columns(columns, at, stride, g, channel, channels, first_kh, last_kh, first, last, x):
    """Add columns of kernel rows first_kh to last_kh to the pixels of x (flat) that they are read from, in `channels`
    channels from `channel` on. The columns are those of feature rows first to last, n * OH + oh.

    Whoever calls owns these images and channels: each pixel sums in one fixed order, without atomics.
    """
    for kh in range(first_kh, last_kh):
        for row in range(first, last):
            h = row % g.OH * g.SH - g.PT + kh * g.DH
            if h < 0 or h >= g.H:
                continue
            image_row = (row // g.OH * g.H + h) * g.W
            for kw in range(g.KW):
                w = kw * g.DW - g.PL
                start = max(-(w // g.SW), 0)  # the outputs whose tap kw is in the image
                stop = min((g.W - 1 - w) // g.SW + 1, g.OW)
                source = at + ((row - first) * g.OW + start) * stride + ((kh - first_kh) * g.KW + kw) * channels
                to = (image_row + w + start * g.SW) * g.C + channel
                for _ in range(start, stop):
                    add_run(columns, source, x, to, channels)
                    source += stride
                    to += g.SW * g.C


def im2col(x, g):
    (x,) = plain(x)
    cols = np.empty(g.columns, x.dtype)
    rows, width = cols.shape
    if not cols.size:
        return cols
    flat, to = x.reshape(-1), cols.reshape(-1)

    def gather(block):
        gather_columns(flat, g, 0, g.C, 0, g.KH * g.KW, *block, to, block[0] * width, width)

    run(gather, blocks(rows, max(BLOCK // width, 1)), cols.size * 1e-9)
    return cols


def col2im(cols, g):
    (cols,) = plain(cols)
    x = np.zeros(g.image, cols.dtype)
    flat, to = cols.reshape(-1), x.reshape(-1)
    width = g.KH * g.KW * g.C

    def scatter(n):
        rows = n * g.OH, (n + 1) * g.OH
        scatter_columns(flat, rows[0] * g.OW * width, width, g, 0, g.C, 0, g.KH, *rows, to)

    run(scatter, range(g.N), cols.size * 1e-9)
    return x
