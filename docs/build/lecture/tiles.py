"""The tiles of tile.h: sizes from the source, and a block's accesses traced on the device sim."""

from __future__ import annotations

import functools
import importlib
import re
from typing import NamedTuple

import numpy as np

from docs.build.lecture.traced import Trace, Tracer, bytes_of, requests, turns, words_of_a_bank
from docs.build.lecture.watched import launching
from minigan.kernels.cuda.launch import FOLDER
from minigan.kernels.cuda.sim import SimArray
from minigan.kernels.cuda.tiling import SHAPES, Plan

WORD, RUN = 4, 4  # bytes; numbers that a thread reads at once
DEPTHS = re.compile(r"^struct (\w+) \{\s*static constexpr int DEPTHS = (\d+);", re.MULTILINE)
WARPS = (32, 32)  # rows and columns of a warp on tensor cores
STEPS = 2  # traced steps: one per buffer


class Tile(NamedTuple):
    """own: rows and columns of a thread's register tile, or of a warp's on tensor cores; cells: depth of a step in
    shared memory, in cells of 4 bytes; pad: cells after each row."""

    name: str
    rows: int
    columns: int
    depth: int
    own: tuple[int, int]
    cells: int
    pad: int


@functools.cache
def all_tiles() -> dict[str, Tile]:
    """By the names of tiling.py."""
    text, found = _source("tile.h"), {}
    pads = dict(re.findall(r"^struct (\w+) \{[^}]*?\bPAD = (\d+);", text, re.MULTILINE))
    depths = dict(DEPTHS.findall(_source("mma.h")))
    typedef = r"^typedef (\w*Shape)<([\d, ]+\d)(?:, (\w+))?> (?:In)?(\w+);"
    for kind, numbers, cell, name in re.findall(typedef, text, re.MULTILINE):
        rows, columns, depth, *own = map(int, numbers.split(","))
        cells = depth // int(depths.get(cell, 1))
        found[name.lower()] = Tile(name.lower(), rows, columns, depth, tuple(own or WARPS), cells, int(pads[kind]))
    return {name: found[name] for name in SHAPES}


def _source(name):
    return (FOLDER / name).read_text()


@functools.cache
def traced(name: str) -> Trace:
    """Trace a block of matmul that multiplies one whole tile in two steps.

    It reads the left matrix along the depth and the right one along the columns, as conv2d reads windows and weights.
    """
    tile, matmul = all_tiles()[name], importlib.import_module("minigan.kernels.cuda.matmul").matmul
    depth = STEPS * tile.depth
    left, right = (np.ones(shape, np.float32).view(SimArray) for shape in ((tile.rows, depth), (depth, tile.columns)))
    with launching(Tracer()) as tracer:
        matmul(left, right, how=Plan(name, 1))
    return tracer.traces[0]


class Cost(NamedTuple):
    """Costs of a block. stores, reads: turns of a request to shared memory, with and without padding."""

    flops: int
    loaded: int  # bytes, from global memory
    read: int  # bytes, by all threads from shared memory
    stores: dict[str, tuple[int, int]]  # of "left" and "right"
    reads: dict[str, tuple[int, int]]


@functools.cache
def cost(name: str) -> Cost:
    tile, trace = all_tiles()[name], traced(name)
    loaded = sum(int(trace.of(array, False)["size"].sum()) for array in ("a", "b"))
    read = int(trace.of("shared", False)["size"].sum())
    flops = 2 * tile.rows * tile.columns * tile.depth * STEPS
    stores, reads = (_turns(tile, trace.of("shared", write)) for write in (True, False))
    return Cost(flops, loaded, read, stores, reads)


def _turns(tile, accesses):
    """The maximum turns of any request to the left and to the right tiles, with and without padding."""
    border, found = right_begins(tile), {}
    for side in ("left", "right"):
        chosen = accesses[(accesses["address"] >= border) == (side == "right")]
        both = [(turns(one)[0], words_of_a_bank(unpadded(tile, bytes_of(one)))) for one in requests(chosen)]
        found[side] = max(most for most, _ in both), max(most for _, most in both)
    return found


def right_begins(tile: Tile) -> int:
    """The offset in bytes of the right matrix's tiles in Tiles."""
    return 2 * tile.cells * (tile.rows + tile.pad) * WORD


def unpadded(tile: Tile, addresses: np.ndarray) -> np.ndarray:
    """Where these bytes of Tiles would be if rows had no padding."""
    words, border, within = addresses.astype(np.int64) // WORD, right_begins(tile) // WORD, addresses % WORD
    right = words >= border
    pitch = np.where(right, tile.columns, tile.rows) + tile.pad
    row, column = np.divmod(np.where(right, words - border, words), pitch)
    moved = np.where(right, 2 * tile.cells * tile.rows, 0) + row * (pitch - tile.pad) + column
    return moved.astype("u8") * WORD + within
