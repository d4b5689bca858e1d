"""Random numbers that are functions of a key and a position in its stream: random.cu."""

import numpy as np

from minigan.errors import DtypeError
from minigan.kernels.cuda.graph import supplied
from minigan.kernels.cuda.launch import each, run


def standard_normal(out, key, block):
    fill("standard_normal", out, key, block)


def uniform(out, key, block):
    fill("uniform", out, key, block)


def fill(kernel, out, key, block):
    """Fill `out` with the numbers of a stream, starting at a block. A block has four numbers and one thread."""
    if out.dtype != np.float32:
        raise DtypeError(f"{kernel}: draws float32, not {out.dtype}; convert what it fills")
    if out.size:
        place = supplied(lambda: (int(key) & 0xFFFFFFFF, int(key) >> 32, int(block)), 3, np.int64, out)
        run("random.cu", kernel, each(-(-out.size // 4)), out, place, out.size)
