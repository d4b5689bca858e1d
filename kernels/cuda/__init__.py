"""The kernels in CUDA C, for CuPy's arrays on a GPU and for those of the device sim, which has none."""

from minigan.kernels import own
from minigan.kernels.cuda.launch import register
from minigan.kernels.cuda.sim import SimArray, Simulator
from minigan.kernels.cuda.window import col2im, im2col

own(SimArray, "cuda", "sim")
register(SimArray, Simulator())

__all__ = ["col2im", "im2col"]
