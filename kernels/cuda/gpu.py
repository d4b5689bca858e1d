"""The device "cuda": an NVIDIA GPU, through CuPy."""

from __future__ import annotations

import contextlib
import functools
import re

import numpy as np

from minigan import devices
from minigan.errors import DeviceError
from minigan.kernels import own
from minigan.kernels.cuda.launch import FOLDER, register
from minigan.kernels.cuda.tiling import ON_TENSOR_CORES

try:
    import cupy
except ImportError as error:
    raise DeviceError("the device cuda needs CuPy, which is not installed: pip install 'minigan[gpu]'") from error

# CUDA's error for calls that synchronise or use another stream, and CuPy's for calls of cuBLAS
REFUSALS = cupy.cuda.runtime.CUDARuntimeError, NotImplementedError
INCLUDE = re.compile(r'^#include "(.+)"$', re.MULTILINE)


class Gpu:
    """A launcher for the current GPU, which also moves arrays to and from it."""

    def run(self, file, kernel, real, blocks, threads, arguments):
        function(file, real, kernel)(blocks, threads, tuple(arguments))

    def matmul(self, a, b):
        devices.refuse_in_capture("multiplies matrices by cuBLAS")
        return cupy.matmul(a, b)

    def empty(self, shape, dtype):
        return cupy.empty(shape, dtype)

    def put(self, array: np.ndarray):
        devices.refuse_in_capture("copies an array of the CPU to the GPU")
        return cupy.asarray(array, order="C")

    def get(self, array) -> np.ndarray:
        devices.refuse_in_capture("copies an array to the CPU")
        return cupy.asnumpy(array)

    def address_of(self, array) -> int:
        return array.data.ptr

    def overwrite(self, array, values: np.ndarray) -> None:
        # the values are in pageable memory, so CUDA has read them when this returns
        array.data.copy_from_host_async(values.ctypes.data, values.nbytes, cupy.cuda.get_current_stream())

    def captured(self, function):
        # The step's arrays come from a separate pool that lives as long as the graph, so no one else gets their memory.
        pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
        cupy.cuda.get_current_stream().synchronize()
        cupy.get_default_memory_pool().free_all_blocks()  # give this pool the memory that the step's first call used
        with cupy.cuda.using_allocator(pool.malloc), stream:
            stream.begin_capture()
            try:
                function()
            except BaseException as error:
                with contextlib.suppress(cupy.cuda.runtime.CUDARuntimeError):  # the capture may already be invalid
                    stream.end_capture()
                if isinstance(error, REFUSALS):
                    raise DeviceError(f"a captured step does what CUDA or CuPy cannot capture: {error}") from error
                raise
            try:
                graph = stream.end_capture()
            except cupy.cuda.runtime.CUDARuntimeError as error:
                raise DeviceError(f"a captured step did what CUDA cannot capture: {error}") from error

        def replay(pool=pool):
            graph.launch()

        return replay


@functools.cache
def function(file: str, real: str, kernel: str):
    """A kernel from its file's module. CuPy compiles the module at its first use and caches the result."""
    capability = cupy.cuda.Device().compute_capability
    if kernel.endswith(ON_TENSOR_CORES) and int(capability) < 80:
        raise DeviceError(
            f"{kernel}: this GPU's compute capability is {capability}, but tensor cores have TF32 and bfloat16 from 80 "
            "on; use precision float32"
        )
    return _module(file, real).get_function(kernel)


@functools.cache
def _module(file, real):
    return cupy.RawModule(code=in_one(file), options=("--std=c++17", f"-DREAL={real}"))


def in_one(file: str, already: set | None = None) -> str:
    """A source with its headers pasted in, each once: CuPy's cache compares only the source itself."""
    already = set() if already is None else already
    if file in already:
        return ""
    already.add(file)
    return INCLUDE.sub(lambda found: in_one(found[1], already), (FOLDER / file).read_text())


def _check():
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(f"the device cuda: CuPy {cupy.__version__} finds no GPU that it can use: {error}") from error
    if not count:
        raise DeviceError("the device cuda: there is no NVIDIA GPU here; --device sim runs the same kernels on the CPU")


_check()
DEVICE = Gpu()
own(cupy.ndarray, "cuda", "cuda")
register(cupy.ndarray, DEVICE)
