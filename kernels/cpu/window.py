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
def scatter_columns(columns, at, stride, first_row, g, channel, channels, n, first, last, x):
    """Image n's rows first to last of x (flat), in `channels` channels from `channel` on: the sum of all columns that
    read them. The columns' first row is the image's output pixel (first_row, 0).

    Whoever calls owns these rows and channels: each pixel sums its taps in one fixed order, without atomics.
    """
    for h in range(first, last):
        image_row = (n * g.H + h) * g.W * g.C + channel
        for w in range(g.W):
            clear_run(x, image_row + w * g.C, channels)
        for kh in range(g.KH):
            oh = h + g.PT - kh * g.DH
            if oh < 0 or oh % g.SH or oh // g.SH >= g.OH:
                continue
            row = at + (oh // g.SH - first_row) * g.OW * stride + kh * g.KW * channels
            for kw in range(g.KW):
                w = kw * g.DW - g.PL
                start = max(-(w // g.SW), 0)  # the outputs whose tap kw is in the image
                stop = min((g.W - 1 - w) // g.SW + 1, g.OW)
                source = row + start * stride + kw * channels
                to = image_row + (w + start * g.SW) * g.C
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
    x = np.empty(g.image, cols.dtype)
    flat, to = cols.reshape(-1), x.reshape(-1)
    pixels, width = g.OH * g.OW, g.KH * g.KW * g.C

    def scatter(task):
        n, (first, last) = task
        scatter_columns(flat, n * pixels * width, width, 0, g, 0, g.C, n, first, last, to)

    rows = blocks(g.H, max(BLOCK // (g.W * g.C), 1))
    run(scatter, [(n, block) for n in range(g.N) for block in rows], cols.size * 1e-9)
    return x
