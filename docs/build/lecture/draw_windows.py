"""Windows: im2col and its adjoint, and the phases of a transposed convolution."""

from __future__ import annotations

import numpy as np

from docs.build.lecture.draw import COLOURS, FAINT, GREY, INK, OURS, PEER, bare, cell, frame
from docs.build.lecture.operations import phases
from minigan.kernels import reference
from minigan.kernels.geometry import ConvGeometry

WINDOW = ConvGeometry.of_window((1, 5, 5, 1), kernel_size=3, stride=2, padding=1)
CHOSEN = (1, 0)  # a window, (oh, ow)
PIXEL = (1, 3)  # the pixel that col2im sums
PHASES = ConvGeometry.of_conv((1, 8, 8, 1), (4, 4, 1, 1), stride=2, padding=1)


def im2col(pyplot):
    """A window becomes a row; the adjoint gathers the copies of one pixel from all rows."""
    g = WINDOW
    numbers = np.arange(1.0, 1 + g.H * g.W).reshape(g.image)
    columns = reference.im2col(numbers, g).astype(int)  # pixel + 1, or 0 for padding
    figure, grid = pyplot.subplots(
        2, 2, figsize=(8.6, 7.2), gridspec_kw={"width_ratios": (7, 9.6), "wspace": 0.12, "hspace": 0.22}
    )
    of_window, of_pixel = CHOSEN[0] * g.OW + CHOSEN[1], PIXEL[0] * g.W + PIXEL[1]
    _image(grid[0, 0], g, f"x: {g.H} x {g.W} pixels, padding {g.PT}")
    frame(grid[0, 0], g.SW * CHOSEN[1], g.SH * CHOSEN[0], g.KW, g.KH, OURS)
    grid[0, 0].text(
        -0.1, 8.1, f"the window (oh, ow) = {CHOSEN}: {g.KH} x {g.KW}, stride {g.SH}", color=OURS, fontsize=8.5
    )
    _matrix(grid[0, 1], g, columns, lambda row, pixel: row == of_window, OURS, "im2col: a thread owns an element")
    _image(grid[1, 0], g, "x: col2im's result", {of_pixel: PEER})
    _matrix(
        grid[1, 1], g, columns, lambda row, pixel: pixel == of_pixel, PEER, "col2im: a thread owns a pixel, and sums"
    )
    taps = int((columns == of_pixel + 1).sum())
    grid[1, 0].text(-0.1, 8.1, f"pixel {of_pixel} is in {taps} windows: a gather of {taps}", color=PEER, fontsize=8.5)
    return figure


def _image(axes, g, title, marked=None):
    """Numbered pixels with their padding."""
    bare(axes, g.W + g.PL + g.PR, g.H + g.PT + g.PB + 1.2, title)
    for row in range(g.H + g.PT + g.PB):
        for column in range(g.W + g.PL + g.PR):
            h, w = row - g.PT, column - g.PL
            inside = 0 <= h < g.H and 0 <= w < g.W
            colour = (marked or {}).get(h * g.W + w, FAINT) if inside else "white"
            ink = "white" if colour not in (FAINT, "white") else INK
            text, edge = (h * g.W + w, "white") if inside else ("0", FAINT)
            cell(axes, column, row, colour, text, edge=edge, ink=ink if inside else GREY)


def _matrix(axes, g, columns, marks, colour, title):
    bare(axes, columns.shape[1] + 1.6, columns.shape[0] + 1.2, title)
    for row, numbers in enumerate(columns):
        axes.text(1.4, row + 0.5, f"{row // g.OW},{row % g.OW}", ha="right", va="center", fontsize=7.5, color=GREY)
        for column, number in enumerate(numbers):
            marked = marks(row, number - 1)
            fill = colour if marked else FAINT if number else "white"
            text = number - 1 if number else "0"
            ink = "white" if marked else INK if number else GREY
            cell(axes, column + 1.6, row, fill, text, edge="white" if number or marked else FAINT, ink=ink)
    for column in range(columns.shape[1]):
        axes.text(
            column + 2.1,
            columns.shape[0] + 0.35,
            f"{column // g.KW},{column % g.KW}",
            ha="center",
            va="center",
            fontsize=7,
            color=GREY,
        )
    axes.text(columns.shape[1] + 1.6, columns.shape[0] + 0.95, "tap kh, kw", ha="right", fontsize=7.5, color=GREY)
    axes.text(1.4, columns.shape[0] + 0.35, "oh, ow", ha="right", va="center", fontsize=7.5, color=GREY)


def transposed(pyplot):
    """The same taps reach all pixels of a phase; each phase is a convolution of the features with stride 1."""
    g = PHASES
    figure, grid = pyplot.subplots(
        1, 3, figsize=(8.8, 3.9), gridspec_kw={"width_ratios": (8.3, 4.6, 4.9), "wspace": 0.1}
    )
    image, taps, features = grid
    bare(image, g.W, g.H + 1.3, f"x, {g.H} x {g.W}: pixels by phase")
    bare(taps, g.KW + 0.3, g.H + 1.3, f"w, {g.KH} x {g.KW}: taps by phase")
    bare(features, g.OW + 0.5, g.H + 1.3, f"y, {g.OH} x {g.OW}: what one pixel reads")
    down, along = (
        phases(g.H, g.KH, g.SH, g.PT, g.DH),
        phases(g.W, g.KW, g.SW, g.PL, g.DW),
    )
    for row in range(g.OH):
        for column in range(g.OW):
            cell(features, column + 0.2, row + 1, FAINT, row * g.OW + column)
    for number, (p, q) in enumerate((p, q) for p in down for q in along):
        colour = COLOURS[number]
        for h in p.pixels:
            for w in q.pixels:
                cell(image, w, h, colour, f"{h},{w}", ink="white", size=6.5)
        for kh in p.taps:
            for kw in q.taps:
                cell(taps, kw + 0.15, kh + 1, colour, f"{kh},{kw}", ink="white", size=7)
        h, w = p.pixels[1], q.pixels[1]
        frame(image, w, h, 1, 1)
        rows, columns = (
            [(pixel + pad - tap * dilation) // stride for tap in found]
            for pixel, pad, dilation, stride, found in (
                (h, g.PT, g.DH, g.SH, p.taps),
                (w, g.PL, g.DW, g.SW, q.taps),
            )
        )
        inset = 0.07 * number + 0.05
        frame(
            features,
            min(columns) + 0.2 + inset,
            min(rows) + 1 + inset,
            len(columns) - 2 * inset,
            len(rows) - 2 * inset,
            colour,
            2.2,
        )
    image.text(0, g.H + 0.9, f"stride {g.SH}: {g.SH * g.SW} phases, a product each", fontsize=8.5)
    taps.text(
        0.15, g.KH + 1.9, f"{len(down[0].taps)} x {len(along[0].taps)} of {g.KH} x {g.KW} for each:", fontsize=8.5
    )
    taps.text(0.15, g.KH + 2.6, "no product with a zero", fontsize=8.5)
    taps.text(0.15, g.KH + 3.3, "between pixels", fontsize=8.5)
    features.text(0.2, g.OH + 1.9, "of the four framed pixels:", fontsize=8.5)
    features.text(0.2, g.OH + 2.6, "each meets 2 x 2 features", fontsize=8.5)
    return figure
