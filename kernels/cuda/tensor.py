"""The implicit products on tensor cores: float32 factors are rounded to TF32 or bfloat16, and sums are float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan.errors import DtypeError
from minigan.kernels.cuda import implicit


class TensorCores(NamedTuple):
    """The three convolutions with factors rounded to "tf32" or "bf16"."""

    numbers: str

    def conv2d(self, x, w, g, bias, slope):
        return implicit.conv2d(self.checked(x), w, g, bias, slope, numbers=self.numbers)

    def conv2d_transpose(self, y, w, g, bias):
        return implicit.conv2d_transpose(self.checked(y), w, g, bias, numbers=self.numbers)

    def conv2d_weight(self, x, y, g):
        return implicit.conv2d_weight(self.checked(x), y, g, numbers=self.numbers)

    def checked(self, array):
        if array.dtype != np.float32:
            raise DtypeError(
                f"algorithm {self.numbers!r} is for float32, not {array.dtype}; convert with astype, or use 'implicit'"
            )
        return array
