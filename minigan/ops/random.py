"""Operations that draw random numbers, always from a generator that is handed to them."""

from numbers import Number

import numpy as np

from minigan.autograd.recompute import once
from minigan.autograd.tensor import Tensor
from minigan.devices import device_of, move
from minigan.errors import DtypeError, ShapeError
from minigan.ops.checks import operation
from minigan.ops.elementwise import where
from minigan.random import Philox


@operation
def dropout(x, rate: float, rng: Philox | np.random.Generator):
    """Each value 0 with probability `rate`, and the others divided by 1 - rate so that the mean stays.

    rng: a Philox draws where x is; NumPy's generators draw on the CPU, which a captured step cannot do
    source: Srivastava et al., Dropout, JMLR 15 (2014)
    """
    if not isinstance(rng, Philox | np.random.Generator):
        raise DtypeError(
            f"dropout: rng is a {type(rng).__name__}, but it is a generator: mg.random.Philox(seed) or one of NumPy's"
        )
    if not isinstance(rate, Number) or not 0 <= rate < 1:
        raise ShapeError(f"dropout: rate is {rate}, but it is a probability from 0 to below 1")
    if rate == 0:
        return x
    x = x.astype(np.float32) if x.dtype.kind in "biu" else x
    device = x.device if isinstance(x, Tensor) else device_of(x)
    kept = once(lambda: _uniform(x.shape, rng, device) >= rate)
    one = x.dtype.type(1)
    return where(kept, x, x.dtype.type(0)) * (one / x.dtype.type(1 - rate))


def _uniform(shape, rng, device):
    if isinstance(rng, Philox):
        return rng.random(shape, np.float32, device)
    return move(rng.random(shape, np.float32), device)
