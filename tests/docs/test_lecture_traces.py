"""What docs/kernels.md shows of accesses: they are grouped as a GPU would, and tiles and fragments lie as it says."""

import os
import shutil

import numpy as np
import pytest

from docs.build.lecture import draw_sums, draw_tiles, tiles
from docs.build.lecture.traced import ACCESS, Tracer, names_of, requests, sectors, turns
from docs.build.lecture.watched import launching
from minigan.kernels import cuda
from minigan.kernels.cuda import SimArray, Simulator
from minigan.kernels.cuda.tiling import SHAPES

COMPILER = os.environ.get("CXX", "g++")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"the device sim compiles with {COMPILER}"),
]
LANES = np.arange(32)


def request(addresses, size=4):
    accesses = np.zeros(len(addresses), ACCESS)
    accesses["address"], accesses["thread"], accesses["size"] = addresses, np.arange(len(addresses)), size
    return accesses


@pytest.mark.parametrize(
    ("addresses", "size", "expected"),
    [
        (4 * LANES, 4, 4),
        (8 * LANES, 4, 8),
        (32 * LANES, 4, 32),
        (0 * LANES, 4, 1),
        (4 * LANES + 4, 4, 5),
        (16 * LANES, 16, 16),
    ],
)
def test_sectors(addresses, size, expected):
    assert sectors(request(addresses, size)) == expected


@pytest.mark.parametrize(
    ("words", "size", "expected"),
    [
        (LANES, 4, (1, 1)),
        (0 * LANES, 4, (1, 1)),  # one word for all
        (2 * LANES, 4, (2, 1)),
        (32 * LANES, 4, (32, 1)),
        (33 * LANES, 4, (1, 1)),
        (4 * LANES, 16, (4, 4)),
        (4 * (LANES % 16), 16, (2, 2)),
    ],
)
def test_turns_of_banks(words, size, expected):
    assert turns(request(4 * words, size)) == expected


def test_requests_are_of_a_warp_at_one_place_for_the_same_time():
    """Threads run one after the other, twice through two places."""
    accesses = np.array(
        [
            (8 * thread + place + 100 * turn, place, 0, thread, 4, 0)
            for thread in range(40)
            for turn in (0, 1)
            for place in (1, 2)
        ],
        ACCESS,
    )
    found = requests(accesses)
    assert sorted(len(one) for one in found) == [8] * 4 + [32] * 4
    for one in found:
        assert len(np.unique(one["place"])) == 1
        assert (np.diff(one["address"].astype(int)) == 8).all()


def test_what_a_thread_does_at_one_place_is_not_counted_at_another():
    """One thread comes to a place by itself; at the next one it is with all others."""
    each = [(0, 1, 0, 0, 4, 0), *((8 * thread, 2, 0, thread, 4, 0) for thread in range(8))]
    assert sorted(map(len, requests(np.array(each, ACCESS)))) == [1, 8]


def test_a_trace_has_what_a_kernel_reads_and_writes():
    x = np.arange(1000, dtype=np.float32).view(SimArray)
    with launching(Tracer()) as tracer:
        y = cuda.leaky_relu(x, 0.5)
    np.testing.assert_array_equal(np.asarray(y), np.arange(1000))
    (trace,) = tracer.traces
    assert trace.kernel == "leaky_relu"
    for name, write in (("x", False), ("y", True)):
        found = trace.of(name, write)
        np.testing.assert_array_equal(np.sort(found["address"]), 16 * np.arange(250))
        np.testing.assert_array_equal(found["address"] // 16, found["thread"])  # a thread owns a run
    assert not len(trace.of("x", True))
    assert not len(trace.of("shared", True))
    assert trace.touched() == 8000


def test_arguments_have_the_names_of_the_source():
    assert names_of("reduce.cu", "join_sums") == ["partial", "sums", "runs", "C", "width"]


def test_tiles_are_those_of_the_sources():
    found = tiles.all_tiles()
    assert {name: (tile.rows, tile.columns) for name, tile in found.items()} == dict(SHAPES)
    for tile in found.values():
        loaders, owners = draw_tiles.loaders_of(tile.name), draw_tiles.owners_of(tile.name)
        assert (loaders["left"] >= 0).all()
        assert (loaders["right"] >= 0).all()
        assert owners.min() == 0
        count = np.bincount(owners.ravel())
        assert len(count) == 256
        assert (count == tile.rows * tile.columns / 256).all()


@pytest.mark.parametrize("name", ["large", "medium", "narrow"])
def test_register_tiles_are_as_large_as_the_source_says(name):
    tile = tiles.all_tiles()[name]
    assert tile.own[0] * tile.own[1] * 256 == tile.rows * tile.columns


@pytest.mark.parametrize("name", ["tf32", "bf16"])
def test_fragments_are_held_as_the_picture_says(name):
    """By what the lanes of the first warp read of shared memory for their first product, and by what they write."""
    tile, trace = tiles.all_tiles()[name], tiles.traced(name)
    a, b, d = (lanes[:, :, 0] for lanes in draw_tiles.lanes_of_fragments())
    np.testing.assert_array_equal(draw_tiles.owners_of(name)[:16, :8], d)
    read = trace.of("shared", False)
    words = read["address"][read["thread"] < 32].astype(int) // tiles.WORD
    lanes = read["thread"][read["thread"] < 32]
    for picture, begin, pitch in (
        (a.T, 0, tile.rows + tile.pad),
        (b, tiles.right_begins(tile) // 4, tile.columns + tile.pad),
    ):
        cells, items = np.divmod(words - begin, pitch)
        first = (cells >= 0) & (cells < picture.shape[0]) & (items < picture.shape[1])
        found = set(zip(cells[first].tolist(), items[first].tolist(), lanes[first].tolist(), strict=True))
        assert found == {(cell, item, lane) for (cell, item), lane in np.ndenumerate(picture)}


@pytest.mark.parametrize("step", [1, 2, 3, 6, 7, 256])
def test_rounds_add_each_lane_once(step):
    total = np.arange(1, step + 1)
    for pairs in draw_sums.rounds(step):
        writers, readers = {lane for lane, _ in pairs}, {other for _, other in pairs}
        assert not writers & readers
        for lane, other in pairs:
            total[lane] += total[other]
    assert total[0] == step * (step + 1) // 2


def test_the_simulator_itself_is_as_it_was():
    with launching(Tracer()):
        pass
    assert type(cuda.launch.launcher_of(np.empty(0).view(SimArray))) is Simulator
