"""The device "sim": CUDA kernels on the CPU, from the same sources, for machines without a GPU."""

from minigan.kernels.cuda.sim.array import SimArray
from minigan.kernels.cuda.sim.simulator import Simulator

__all__ = ["DEVICE", "SimArray", "Simulator"]

DEVICE = Simulator()
