"""Tiles of matrix products: which threads load and own what, banks of shared memory, and the tensor cores' fragments.

Everything but the frames is drawn from traces of threads on the device sim.
"""

from __future__ import annotations

import numpy as np

from docs.build.lecture import tiles
from docs.build.lecture.draw import COLOURS, FAINT, GREY, INK, OURS, PALE, bare, cell
from docs.build.lecture.traced import BANKS, WARP, bytes_of, requests

SHOWN = "large"
SHADES = (PALE, FAINT)
LANE = 5  # the lane whose registers are shown


def ownership(pyplot):
    """Which threads load a step of both matrices, and which own the parts of a block's tile of the result."""
    tile, loaders, owners = tiles.all_tiles()[SHOWN], loaders_of(SHOWN), owners_of(SHOWN)
    figure = pyplot.figure(figsize=(9, 6.6))
    left, products, right = (
        figure.add_axes(place) for place in ((0.0, 0.0, 0.31, 0.62), (0.34, 0.0, 0.62, 0.62), (0.4, 0.72, 0.6, 0.24))
    )
    _loaded(
        left, loaders["left"][:, :16].T, f"left, {tile.depth} deep: 16\nof {tile.rows} rows, loaders", "depth", "row"
    )
    _loaded(
        right,
        loaders["right"][:, :24],
        f"right, {tile.depth} deep: 24 of {tile.columns} columns, loaders",
        "column",
        "depth",
    )
    _owned(products, tile, owners)
    return figure


def _loaded(axes, threads, title, across, down):
    """The numbers of a step with the thread that loads each; each warp has a shade."""
    bare(axes, threads.shape[1], threads.shape[0], title)
    for (row, column), thread in np.ndenumerate(threads):
        warp = thread // WARP
        colour = OURS if warp == 0 else SHADES[warp % 2]
        cell(axes, column, row, colour, thread, ink="white" if warp == 0 else INK, size=6, line=0.6)
    axes.set_xlabel(f"{across} →", fontsize=8, loc="left")
    axes.set_ylabel(f"← {down}", fontsize=8, loc="top")


def _owned(axes, tile, owners):
    """The tile of the result in squares that each belong to one thread; the squares of some threads are marked."""
    side, marked = tiles.RUN, dict(zip((0, 1, 16, 255), COLOURS, strict=True))
    bare(axes, tile.columns / side, tile.rows / side, f"the block's tile, {tile.rows} x {tile.columns}: owners")
    squares = owners[::side, ::side]
    assert (owners == np.repeat(np.repeat(squares, side, 0), side, 1)).all(), "a square has one owner"
    edges = np.arange(squares.shape[0] + 1), np.arange(squares.shape[1] + 1)
    axes.pcolormesh(edges[1], edges[0], squares // WARP % 2, cmap=_shades(), edgecolor="white", linewidth=0.6)
    for (row, column), owner in np.ndenumerate(squares):
        if owner in marked:
            cell(axes, column, row, marked[owner], owner, ink="white", size=5, line=0.6)
    words = f"a square is {side} x {side} numbers, a shade a warp;\n"
    words += f"thread 0, 1, 16 and 255 own {tile.own[0]} x {tile.own[1]} each"
    axes.set_xlabel(words, fontsize=8, loc="left")


def _shades():
    from matplotlib.colors import ListedColormap

    return ListedColormap(SHADES)


def loaders_of(name: str) -> dict[str, np.ndarray]:
    """The thread that writes each number of the first step to shared memory, (cells, items)."""
    tile, written = tiles.all_tiles()[name], tiles.traced(name).of("shared", True)
    border, found = tiles.right_begins(tile) // tiles.WORD, {}
    words = (written["address"] // tiles.WORD).astype(int)
    for side, width, begin in (("left", tile.rows, 0), ("right", tile.columns, border)):
        cells, items = np.divmod(words - begin, width + tile.pad)
        first = (cells >= 0) & (cells < tile.cells) & ((words >= border) == (side == "right"))
        owners = np.full((tile.cells, width), -1)
        owners[cells[first], items[first]] = written["thread"][first]
        found[side] = owners
    return found


def owners_of(name: str) -> np.ndarray:
    """The thread that writes each number of a block's tile of the result."""
    tile, written = tiles.all_tiles()[name], tiles.traced(name).of("out", True)
    owners = np.full(tile.rows * tile.columns, -1)
    for one in written:
        begin = int(one["address"]) // tiles.WORD
        owners[begin : begin + int(one["size"]) // tiles.WORD] = one["thread"]
    return owners.reshape(tile.rows, tile.columns)


# ------------------------------------------------------------------------------------------ banks


def banks(pyplot):
    """Which lanes access which bank, with and without padding: words in one column take one turn each."""
    figure, grid = pyplot.subplots(
        4, 1, figsize=(9, 6.6), gridspec_kw={"height_ratios": (9.2, 2.2, 5.2, 2.2), "hspace": 0.45}
    )
    large, tensor = tiles.all_tiles()["large"], tiles.all_tiles()["tf32"]
    store = _first(tiles.traced("large").of("shared", True))
    read = _first(tiles.traced("tf32").of("shared", False))
    for axes, name, tile, request, padded in (
        (grid[0], "large, a warp stores 4 rows, 8 deep", large, store, False),
        (grid[1], "the same", large, store, True),
        (grid[2], "tf32, a warp reads 8 rows, 4 cells deep", tensor, read, False),
        (grid[3], "the same", tensor, read, True),
    ):
        _banks(axes, name, tile, request, padded)
    return figure


def _first(accesses):
    """The first request of warp 0."""
    return min(requests(accesses[accesses["thread"] < WARP]), key=lambda one: one["address"].min())


def _banks(axes, name, tile, request, padded):
    first = bytes_of(request)[:: tiles.WORD]
    words = (first if padded else tiles.unpadded(tile, first)).astype(int) // tiles.WORD
    pitch = tile.rows + tile.pad * padded
    heights = np.zeros(BANKS, int)
    for bank in range(BANKS):
        axes.text(bank + 0.5, -0.45, bank, ha="center", va="center", fontsize=6.5, color=GREY)
    for lane, word in enumerate(words):
        bank, depth = word % BANKS, word // pitch
        cell(axes, bank, heights[bank], COLOURS[depth % 4], lane, ink="white", size=7)
        heights[bank] += 1
    turns = int(heights.max())
    how = f"rows of {tile.rows} + {tile.pad} words" if padded else f"rows of {tile.rows} words"
    bare(axes, BANKS, turns, f"{name}; {how}: {turns} turn{'s' * (turns > 1)}")
    axes.set_ylim(turns + 0.15, -0.9)


# ------------------------------------------------------------------------------------------ tensor cores


def fragments(pyplot):
    """Which lane holds which numbers of a warp's product in mma.h: D (16, 8) += A (16, 8 cells) @ B (8 cells, 8)."""
    figure, grid = pyplot.subplots(
        2,
        2,
        figsize=(7.4, 8.2),
        gridspec_kw={"width_ratios": (1, 1), "height_ratios": (8.8, 17), "wspace": 0.15, "hspace": 0.12},
    )
    a, b, d = lanes_of_fragments()
    _explained(grid[0, 0])
    _fragment(grid[0, 1], b, "B: 8 cells deep, 8 columns", "b")
    _fragment(grid[1, 0], a, "A: 16 rows, 8 cells deep", "a")
    _fragment(grid[1, 1], d, "D: 16 rows, 8 columns", "d")
    return figure


def lanes_of_fragments() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lane and the register of each cell of A, B and D, (rows, columns, 2)."""
    a, b, d = (np.full((*shape, 2), -1) for shape in ((16, 8), (8, 8), (16, 8)))
    for lane in range(WARP):
        group, turn = divmod(lane, 4)
        for high in range(2):
            b[turn + 4 * high, group] = lane, high
            for lower in range(2):
                a[group + 8 * lower, turn + 4 * high] = lane, lower + 2 * high
                d[group + 8 * lower, 2 * turn + high] = lane, high + 2 * lower
    return a, b, d


def _fragment(axes, lanes, title, name):
    bare(axes, lanes.shape[1], lanes.shape[0], title)
    for row, column in np.ndindex(lanes.shape[:2]):
        lane, register = lanes[row, column]
        mine = lane == LANE
        colour = OURS if mine else SHADES[lane // 4 % 2]
        cell(axes, column, row, colour, "" if mine else lane, size=9)
        if mine:
            axes.text(column + 0.5, row + 0.4, lane, ha="center", va="center", fontsize=9, color="white")
            words = f"{name}[{register}]"
            axes.text(column + 0.5, row + 0.78, words, ha="center", va="center", fontsize=6.5, color="white")


def _explained(axes):
    bare(axes, 8, 8)
    words = [
        "A number is the lane that holds the cell.",
        f"Red is lane {LANE} = 4 g + t, with g = {LANE // 4}, t = {LANE % 4},",
        "and which of its registers it is.",
        "",
        "A cell is a register of 32 bits:",
        "one number in TF32 (m16n8k8),",
        "two neighbours of the depth in bf16,",
        "the first in the lower half (m16n8k16).",
        "",
        "The sums D are float.",
    ]
    for line, text in enumerate(words):
        axes.text(0, 1.2 + 0.75 * line, text, fontsize=9, va="center")
