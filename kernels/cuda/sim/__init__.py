"""The device "sim": runs CUDA kernels on the CPU from the same sources, for machines without a GPU."""

from minigan.kernels.cuda.sim.array import SimArray
from minigan.kernels.cuda.sim.building import SimulatorError
from minigan.kernels.cuda.sim.checking import Verdict, check
from minigan.kernels.cuda.sim.simulator import RaceWarning, Simulator

__all__ = ["DEVICE", "RaceWarning", "SimArray", "Simulator", "SimulatorError", "Verdict", "check"]

DEVICE = Simulator()
