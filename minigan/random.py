"""Random streams, a separate one for each purpose, so that drawing from one never changes another.

`mg.seed(0)` restarts all of them. Functions that draw also accept a generator as `rng=`. Streams are NumPy generators,
except for a GAN's noise, which comes from a `Philox`: it draws large arrays in a tenth of the time.
"""

from __future__ import annotations

import zlib

import numpy as np

from minigan import devices, kernels
from minigan.errors import DtypeError

_seed = 0
_streams = {}


def seed(number: int) -> None:
    """Restart every stream from this seed."""
    global _seed
    _seed = number
    for key in list(_streams):
        if isinstance(key, tuple):  # in place, because a captured step may hold this stream
            _streams[key].start(number)
        else:
            del _streams[key]


def stream(name: str) -> np.random.Generator:
    """Return the stream of this name, for example "init" for weights or "dropout" for masks."""
    if name not in _streams:
        _streams[name] = derived(_seed, name)
    return _streams[name]


def philox(name: str) -> Philox:
    """Return the counter-based stream of this name, for large draws and draws on a GPU."""
    if (Philox, name) not in _streams:
        _streams[Philox, name] = Philox(_seed, name)
    return _streams[Philox, name]


def derived(number: int, *names) -> np.random.Generator:
    """Return a new generator, determined by a seed and names (strings or non-negative integers)."""
    return np.random.default_rng(_entropy(number, names))


class Philox:
    """A counter-based random stream: each number is a function of the stream's key and the number's position.

    number, names: the seed and the names, as in `derived`
    key, block: the complete state; a block is four numbers, and each draw begins at a new block
    source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11 (2011)
    """

    def __init__(self, number: int, *names):
        self.names = names
        self.start(number)

    def start(self, number: int) -> None:
        """Restart from a seed."""
        low, high = np.random.SeedSequence(_entropy(number, self.names)).generate_state(2)
        self.key, self.block = int(low) | int(high) << 32, 0

    def standard_normal(self, size: int | tuple[int, ...], dtype=np.float32, device: str = "cpu") -> np.ndarray:
        """Draw standard normal numbers, an array of this shape, generated on `device`.

        raises DtypeError for any dtype but float32, because each number is made from 32 random bits
        """
        return self._draw("standard_normal", "standard_normal", size, dtype, device)

    def random(self, size: int | tuple[int, ...], dtype=np.float32, device: str = "cpu") -> np.ndarray:
        """Draw uniform numbers in [0, 1), multiples of 2^-24, as `standard_normal` does.

        raises DtypeError for any dtype but float32
        """
        return self._draw("random", "uniform", size, dtype, device)

    def _draw(self, call, kernel, size, dtype, device):
        if np.dtype(dtype) != np.float32:
            raise DtypeError(f"Philox.{call}: draws float32, not {np.dtype(dtype)}; convert what it returns")
        out = devices.on(device).empty(size, np.float32)
        blocks = -(-out.size // 4)
        key, block = devices.replayed_number(lambda: self.key), devices.replayed_number(lambda: self._take(blocks))
        getattr(kernels.of(out), kernel)(out, key, block)
        return out

    def _take(self, blocks):
        """Advance by `blocks` blocks. Returns the first of them."""
        first, self.block = self.block, self.block + blocks
        return first


def normal_noise(count: int, size: int, rng: Philox | np.random.Generator, device: str):
    """Draw standard normal noise, (count, size), float32, on a device."""
    if isinstance(rng, Philox):
        return rng.standard_normal((count, size), np.float32, device)
    return devices.move(rng.standard_normal((count, size), np.float32), device)


def _entropy(number, names):
    return [number, *(zlib.crc32(n.encode()) if isinstance(n, str) else n for n in names)]
