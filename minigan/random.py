"""Random streams, one for each use, so that drawing from one never changes another.

`mg.seed(0)` starts them all again. A generator may also be handed to whatever draws, by `rng=`.
"""

import zlib

import numpy as np

_seed = 0
_streams = {}


def seed(number: int) -> None:
    """Start every stream again from this seed."""
    global _seed
    _seed = number
    _streams.clear()


def stream(name: str) -> np.random.Generator:
    """The stream of this name, for example "init" for weights or "dropout" for masks."""
    if name not in _streams:
        _streams[name] = derived(_seed, name)
    return _streams[name]


def derived(number: int, *names) -> np.random.Generator:
    """A generator of its own for a seed and names (strings or non-negative integers)."""
    keys = (zlib.crc32(n.encode()) if isinstance(n, str) else n for n in names)
    return np.random.default_rng([number, *keys])
