"""Sums of columns: how a matrix is cut and its sums are folded; and how fibers run between barriers."""

from __future__ import annotations

import numpy as np

from docs.build.lecture.draw import COLOURS, FAINT, GREY, INK, OURS, PALE, PEER, arrow, bare, cell
from docs.build.lecture.traced import Tracer
from docs.build.lecture.watched import launching
from minigan.kernels import cuda
from minigan.kernels.cuda.columns import cut, cut_to_join
from minigan.kernels.cuda.launch import THREADS
from minigan.kernels.cuda.sim import SimArray

ROWS, CHANNELS = 200, 40  # of the matrix in the picture
SEED = 3


def rounds(step: int) -> list[list[tuple[int, int]]]:
    """For each round of `fold`, pairs of the lane that adds and the lane whose sum it adds."""
    found, size = [], step
    while size > 1:
        half = (size + 1) // 2
        found.append([(lane, lane + half) for lane in range(size - half)])
        size = half
    return found


def fold(pyplot):
    """A matrix in runs of rows, the lanes that read a run, and how their sums are combined."""
    how = cut(ROWS, CHANNELS)
    step = THREADS // how.width
    figure, (matrix, tree, joined) = pyplot.subplots(
        1, 3, figsize=(9, 4.6), gridspec_kw={"width_ratios": (4.4, 5.6, 3.4), "wspace": 0.12}
    )
    _cut(matrix, how, step)
    _fold(tree, step)
    _joined(joined, how)
    return figure


def _cut(axes, how, step):
    """The matrix as runs below each other; the second one shows the lane of each row."""
    bare(axes, 9, 15, f"g, {ROWS} x {CHANNELS}: {how.runs} runs", 0.3)
    height = 12.5 / how.runs
    for run in range(how.runs):
        cell(axes, 0, run * height, FAINT if run == 1 else PALE, width=4.4, height=height)
        axes.text(0.15, (run + 0.5) * height, f"run {run}", va="center", fontsize=8, color=INK)
    for row in range(2 * step):
        lane, top = row % step, 0.9 + row * 0.82
        cell(axes, 5.4, top, COLOURS[lane % 4], f"lane {lane}", width=3.4, height=0.82, ink="white")
    arrow(axes, (4.45, 1.1 * height), (5.35, 0.9), GREY, style="-")
    arrow(axes, (4.45, 1.9 * height), (5.35, 0.9 + 2 * step * 0.82), GREY, style="-")
    words = (
        f"{how.width} columns: {step} lanes,\n{step * how.width} of {THREADS} threads;\na lane reads every {step}th row"
    )
    axes.text(0, 13.0, words, fontsize=8, va="top")


def _fold(axes, step):
    """Each round halves the number of sums; the middle one of an odd number waits."""
    steps = rounds(step)
    bare(axes, 2.6 * len(steps) + 1.6, 15, f"fold: the {step} sums of a column", 0.3)
    gap, live = 1.55, list(range(step))
    for column in range(len(steps) + 1):
        for lane in live:
            cell(
                axes, 2.6 * column, 1 + gap * lane, COLOURS[lane % 4], lane, width=1.2, height=1.0, ink="white", size=9
            )
        if column == len(steps):
            break
        for lane, other in steps[column]:
            arrow(axes, (2.6 * column + 1.25, 1.5 + gap * other), (2.6 * column + 2.55, 1.6 + gap * lane), INK)
        adding = {other for _, other in steps[column]}
        live = [lane for lane in live if lane not in adding]
        for lane in live:
            arrow(
                axes, (2.6 * column + 1.25, 1.5 + gap * lane), (2.6 * column + 2.55, 1.5 + gap * lane), GREY, style="-"
            )
        axes.text(2.6 * column + 1.9, 0.55, "barrier", ha="center", fontsize=7, color=GREY)
    words = "always the same pairs, in double:\na sum has one order"
    axes.text(0, 1.9 + gap * step, words, fontsize=8, va="top")


def _joined(axes, how):
    width, blocks = cut_to_join(CHANNELS)
    bare(axes, 6, 15, "partial, then sums", 0.3)
    for run in range(how.runs):
        for column in range(blocks):
            cell(axes, column * 1.1, 1 + run, OURS if column == 0 else PALE, width=1.1, ink="white")
        axes.text(blocks * 1.1 + 0.15, 1.5 + run, run, va="center", fontsize=7, color=GREY)
    for column in range(blocks):
        cell(axes, column * 1.1, 8.5, OURS if column == 0 else PALE, width=1.1)
    arrow(axes, (0.55, 1.1 + how.runs), (0.55, 8.4), OURS)
    words = f"{how.runs} runs x {CHANNELS} columns in double.\n"
    words += f"A block owns all rows of {width}\ncolumns, and folds them again."
    axes.text(0, 10.2, words, fontsize=8, va="top")


def fibers(pyplot):
    """All accesses to shared memory of one block, in the order of the simulator's fibers."""
    g = np.ones((ROWS, 64), np.float32).view(SimArray)
    with launching(Tracer(lambda kernel, count: [0], SEED)) as tracer:
        cuda.bias_sum(g)
    trace, width = tracer.traces[0], cut(*g.shape).width
    accesses = trace.accesses
    of_g, of_partial = (
        (begin <= accesses["address"]) & (accesses["address"] < end)
        for begin, end in (trace.ranges["g"], trace.ranges["partial"])
    )
    shared, order = ~of_g & ~of_partial, np.arange(len(accesses))
    figure, axes = pyplot.subplots(figsize=(9, 3.9))
    axes.spines[["left", "bottom"]].set_visible(True)
    kinds = (
        ("reads g", of_g, GREY),
        ("reads shared memory", shared & (accesses["write"] == 0), PEER),
        ("writes shared memory", shared & (accesses["write"] == 1), OURS),
    )
    for name, chosen, colour in kinds:
        axes.plot(order[chosen], accesses["thread"][chosen], ".", markersize=2.4, color=colour, label=name)
    before = [int(of_g.sum()), THREADS, *(3 * width * len(one) for one in rounds(THREADS // width))]
    for place in np.cumsum(before):
        axes.axvline(place - 0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.set_xlabel("accesses, in the order in which they are made")
    axes.set_ylabel("thread, a fiber")
    axes.set_yticks(range(0, THREADS + 1, 32))
    axes.set_title(f"column_sums on the device sim, one block, seed {SEED}; a dotted line is a barrier", pad=24)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0.2, handletextpad=0.1, markerscale=4)
    return figure
