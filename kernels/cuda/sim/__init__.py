"""The device "sim": CUDA kernels on the CPU, from the same sources, for machines without a GPU."""

import numpy as np

from minigan.kernels.cuda.sim.array import SimArray
from minigan.kernels.cuda.sim.simulator import Simulator

__all__ = ["DEVICE", "SimArray", "Simulator"]


class Sim:
    """Arrays to and from the simulated device."""

    @staticmethod
    def put(array: np.ndarray) -> SimArray:
        return np.array(array, order="C").view(SimArray)

    @staticmethod
    def get(array: SimArray) -> np.ndarray:
        return np.array(array.view(np.ndarray))

    @staticmethod
    def empty(shape, dtype) -> SimArray:
        return np.empty(shape, dtype).view(SimArray)


DEVICE = Sim()
