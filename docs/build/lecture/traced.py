"""Traces every memory access of a kernel's threads on the device sim.

A GPU serves a warp at once: the accesses of its 32 lanes in one instruction are a request. The simulator runs lanes one
after the other, so a request is put together from the lanes' n-th accesses at one place in the program. It gives the
number of 32-byte sectors, and the number of different words per bank of shared memory. Both are counted from the
kernels' addresses; neither is a GPU's time.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from docs.build.lecture.watched import Watched
from minigan.kernels.cuda.launch import FOLDER
from minigan.kernels.cuda.sim import SimArray
from minigan.kernels.cuda.sim.sources import kernels_of

ACCESS = np.dtype(
    [("address", "u8"), ("place", "u8"), ("block", "u4"), ("thread", "u4"), ("size", "u4"), ("write", "u4")]
)
WARP, SECTOR, BANKS, WORD = 32, 32, 32, 4  # lanes; bytes; of shared memory; bytes


class Trace(NamedTuple):
    """One launch: arrays by the names of the kernel's arguments, and all accesses to them and to shared memory."""

    kernel: str
    ranges: dict[str, tuple[int, int]]  # where an array begins and ends
    accesses: np.ndarray  # of ACCESS

    def of(self, name: str, write: bool) -> np.ndarray:
        """The reads or writes of an array, with addresses relative to its beginning; or of "shared" memory, relative to
        the lowest address used."""
        address = self.accesses["address"]
        if name == "shared":
            inside = [(begin <= address) & (address < end) for begin, end in self.ranges.values()]
            chosen = ~np.logical_or.reduce(inside)
            begin = address[chosen].min(initial=np.iinfo("u8").max)
        else:
            begin, end = self.ranges[name]
            chosen = (begin <= address) & (address < end)
        found = self.accesses[chosen & (self.accesses["write"] == write)]
        found["address"] -= np.uint64(begin)
        return found

    def touched(self) -> int:
        """The number of different bytes of arrays that the launch reads, plus those that it writes."""
        return sum(
            len(np.unique(bytes_of(self.of(name, write)))) for name in distinct(self.ranges) for write in (False, True)
        )


class Tracer(Watched):
    """A simulator that keeps a Trace of each launch."""

    header = "traced.h"
    # g++ calls functions of traced.h at each access; a run of 16 bytes stays one access
    to_compile = "-fsanitize=thread", "-U__SANITIZE_THREAD__", "-fno-tree-sra"

    def __init__(self, blocks=None, seed=0):
        super().__init__(seed, blocks=blocks)
        self.traces: list[Trace] = []
        self.addressed = []  # arrays whose addresses the next launch receives

    def address_of(self, array):
        self.addressed.append(array)
        return super().address_of(array)

    def watch(self, library, file, kernel, blocks, threads, arguments):
        given = dict(zip(names_of(file, kernel), arguments, strict=True))
        given = {name: array for name, array in given.items() if isinstance(array, SimArray)}
        given |= {f"array {number}": array for number, array in enumerate(self.addressed)}
        self.addressed = []
        ranges = {name: (array.ctypes.data, array.ctypes.data + array.nbytes) for name, array in given.items()}
        flat = [address for both in ranges.values() for address in both]
        kept = (ctypes.c_uint64 * len(flat))(*flat)
        library.functions.trace_begin(kept, ctypes.c_size_t(len(ranges)))
        self.launch(library, kernel, blocks, threads, arguments)
        library.functions.trace_end.restype = ctypes.c_size_t
        start = ctypes.c_void_p()
        accesses = np.empty(library.functions.trace_end(ctypes.byref(start)), ACCESS)
        if len(accesses):
            ctypes.memmove(accesses.ctypes.data, start, accesses.nbytes)
        self.traces.append(Trace(kernel, ranges, accesses))


def names_of(file: str, kernel: str) -> list[str]:
    """The names of a kernel's arguments."""
    return list(kernels_of((FOLDER / file).read_text())[kernel].parameters)


def distinct(ranges: dict[str, tuple[int, int]]) -> list[str]:
    """The names without duplicates of the same array."""
    return [name for number, name in enumerate(ranges) if ranges[name] not in list(ranges.values())[:number]]


# ------------------------------------------------------------------------------------------ requests


def bytes_of(accesses: np.ndarray) -> np.ndarray:
    """The address of every byte of these accesses."""
    size = accesses["size"].astype(np.int64)
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    return np.repeat(accesses["address"], size) + within.astype("u8")


def requests(accesses: np.ndarray) -> list[np.ndarray]:
    """Group accesses into requests: the n-th ones of one warp's lanes at one place, in the order of the lanes."""
    order = np.lexsort((np.arange(len(accesses)), accesses["thread"], accesses["block"], accesses["place"]))
    ordered = accesses[order]
    begins = np.ones(len(ordered), bool)
    begins[1:] = np.logical_or.reduce([ordered[k][1:] != ordered[k][:-1] for k in ("place", "block", "thread")])
    numbers = np.arange(len(ordered))
    time = numbers - np.maximum.accumulate(np.where(begins, numbers, 0))
    keys = np.stack([ordered["thread"] // WARP, ordered["block"], time, ordered["place"]]).astype("u8")
    by_request = np.lexsort(keys)
    changes = np.flatnonzero((keys[:, by_request[1:]] != keys[:, by_request[:-1]]).any(axis=0)) + 1
    return np.split(ordered[by_request], changes) if len(ordered) else []


def sectors(request: np.ndarray) -> int:
    """The number of sectors that a request touches."""
    return len(np.unique(bytes_of(request) // SECTOR))


def words_of_a_bank(addresses: np.ndarray) -> int:
    """The number of different words in the busiest bank, which is the number of turns."""
    words = np.unique(addresses // WORD)
    return int(np.bincount((words % BANKS).astype(int)).max())


def turns(request: np.ndarray) -> tuple[int, int]:
    """(turns of a request to shared memory, minimum for its number of words)."""
    addresses = bytes_of(request)
    return words_of_a_bank(addresses), -(-len(np.unique(addresses // WORD)) // BANKS)
