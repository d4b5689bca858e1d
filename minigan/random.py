"""Random streams, one for each use, so that drawing from one never changes another.

`mg.seed(0)` starts them all again. A generator may also be handed to whatever draws, by `rng=`. Streams are NumPy's
generators, but for noise, of which a GAN wants much in every step: a `Philox` is drawn from in a tenth of the time.
"""

from __future__ import annotations

import zlib

import numpy as np

from minigan import devices, kernels
from minigan.errors import DtypeError

_seed = 0
_streams = {}


def seed(number: int) -> None:
    """Start every stream again from this seed."""
    global _seed
    _seed = number
    for key in list(_streams):
        if isinstance(key, tuple):  # in place: a captured step draws from this very stream
            _streams[key].start(number)
        else:
            del _streams[key]


def stream(name: str) -> np.random.Generator:
    """The stream of this name, for example "init" for weights or "dropout" for masks."""
    if name not in _streams:
        _streams[name] = derived(_seed, name)
    return _streams[name]


def philox(name: str) -> Philox:
    """The counter-based stream of this name, for what draws much, or on a GPU."""
    if (Philox, name) not in _streams:
        _streams[Philox, name] = Philox(_seed, name)
    return _streams[Philox, name]


def derived(number: int, *names) -> np.random.Generator:
    """A generator of its own for a seed and names (strings or non-negative integers)."""
    return np.random.default_rng(_entropy(number, names))


class Philox:
    """A stream of random numbers of which each is a function of the stream's key and its place there.

    number, names: the seed and what the stream is for, as in `derived`
    key, block: all there is to its state; a block is four numbers, and each draw begins with one
    source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11 (2011)
    """

    def __init__(self, number: int, *names):
        self.names = names
        self.start(number)

    def start(self, number: int) -> None:
        """Begin again from a seed."""
        low, high = np.random.SeedSequence(_entropy(number, self.names)).generate_state(2)
        self.key, self.block = int(low) | int(high) << 32, 0

    def standard_normal(self, size: int | tuple[int, ...], dtype=np.float32, device: str = "cpu") -> np.ndarray:
        """The next numbers of the standard normal distribution, an array of this shape, made where it is to be.

        raises DtypeError for anything but float32, which is as fine as 32 random bits are
        """
        return self._draw("standard_normal", "standard_normal", size, dtype, device)

    def random(self, size: int | tuple[int, ...], dtype=np.float32, device: str = "cpu") -> np.ndarray:
        """The next numbers of the uniform distribution from 0 to below 1, multiples of 2^-24; as `standard_normal`.

        raises DtypeError for anything but float32
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
        """The first of the next `blocks` blocks, which are then used up."""
        first, self.block = self.block, self.block + blocks
        return first


def normal_noise(count: int, size: int, rng: Philox | np.random.Generator, device: str):
    """Standard normal noise, an array (count, size) of float32 on a device."""
    if isinstance(rng, Philox):
        return rng.standard_normal((count, size), np.float32, device)
    return devices.move(rng.standard_normal((count, size), np.float32), device)


def _entropy(number, names):
    return [number, *(zlib.crc32(n.encode()) if isinstance(n, str) else n for n in names)]
