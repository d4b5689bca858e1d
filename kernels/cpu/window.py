"""im2col and its adjoint: whole, as functions of arrays, and block by block, for the convolutions.

A block's columns are rows of a flat buffer, `stride` elements apart, one row for each output pixel, ordered
(kh, kw, c) over a range of taps and a run of channels. Tap t is (t // KW, t % KW).
"""

import numpy as np

from minigan.kernels.cpu.arrays import blocks, plain
from minigan.kernels.cpu.compile import kernel
from minigan.kernels.cpu.threads import run

BLOCK = 1 << 16  # elements of a task


@kernel
def gather_columns(x, g, channel, channels, first_tap, last_tap, first, last, columns, at, stride):
    """Fill the rows of output pixels first to last, from x (flat): taps first_tap to last_tap of `channels` channels.

    channel: the first of them. Where they are all of the image's, and taps lie side by side, a kernel row is one run.
    """
    merged = channels == g.C and g.DW == 1
    for pixel in range(first, last):
        row = pixel // g.OW
        top = row % g.OH * g.SH - g.PT
        left = pixel % g.OW * g.SW - g.PL
        image = row // g.OH * g.H
        to = at + (pixel - first) * stride
        tap = first_tap
        while tap < last_tap:
            kh, kw = tap // g.KW, tap % g.KW
            taps = min(g.KW - kw, last_tap - tap) if merged else 1
            run_length = taps * channels
            h, w = top + kh * g.DH, left + kw * g.DW
            before, inside = 0, 0  # of the run's taps, those left of the image and those in it
            if 0 <= h < g.H:
                before = min(max(-w, 0), taps)
                inside = max(min(taps, g.W - w) - before, 0)
            start = before * channels
            stop = start + inside * channels
            source = ((image + h) * g.W + w) * g.C + channel
            for i in range(start):
                columns[to + i] = 0
            for i in range(start, stop):
                columns[to + i] = x[source + i]
            for i in range(stop, run_length):
                columns[to + i] = 0
            to += run_length
            tap += taps


@kernel
def scatter_columns(columns, at, stride, first_row, g, channel, channels, n, first, last, x):
    """Image n's rows first to last of x (flat), in `channels` channels from `channel` on: the sum of all columns that
    read them. The columns' first row is the image's output pixel (first_row, 0).

    Whoever calls owns these rows and channels: each pixel sums its taps in one fixed order, without atomics.
    """
    for h in range(first, last):
        image_row = (n * g.H + h) * g.W * g.C + channel
        for w in range(g.W):
            for c in range(channels):
                x[image_row + w * g.C + c] = 0
        for kh in range(g.KH):
            oh = h + g.PT - kh * g.DH
            if oh < 0 or oh % g.SH or oh // g.SH >= g.OH:
                continue
            row = at + (oh // g.SH - first_row) * g.OW * stride + kh * g.KW * channels
            for kw in range(g.KW):
                offset = kw * g.DW - g.PL
                for ow in range(g.OW):
                    w = ow * g.SW + offset
                    if 0 <= w < g.W:
                        source = row + ow * stride + kw * channels
                        to = image_row + w * g.C
                        for c in range(channels):
                            x[to + c] += columns[source + c]


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
    x = np.empty(g.image, cols.dtype)
    flat, to = cols.reshape(-1), x.reshape(-1)
    pixels, width = g.OH * g.OW, g.KH * g.KW * g.C

    def scatter(task):
        n, (first, last) = task
        scatter_columns(flat, n * pixels * width, width, 0, g, 0, g.C, n, first, last, to)

    rows = blocks(g.H, max(BLOCK // (g.W * g.C), 1))
    run(scatter, [(n, block) for n in range(g.N) for block in rows], cols.size * 1e-9)
    return x
