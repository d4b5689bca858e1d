"""Arrays of the device "sim": NumPy's, but of a class of their own, so that they meet CUDA kernels and no others."""

import numpy as np

from minigan.errors import DeviceError


class SimArray(np.ndarray):
    """An array in the memory of the simulated device. NumPy stands in for CuPy: results are on the device too."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **settings):
        for value in inputs:
            if type(value) is np.ndarray and value.ndim:
                raise DeviceError(
                    f"{ufunc.__name__}: one array is on the device sim, of shape {self.shape}, and one on the CPU, of "
                    f"shape {value.shape}; move one with .to(...)"
                )
        plain = [value.view(np.ndarray) if isinstance(value, SimArray) else value for value in inputs]
        if out is not None:
            settings["out"] = tuple(o.view(np.ndarray) if isinstance(o, SimArray) else o for o in out)
        result = getattr(ufunc, method)(*plain, **settings)
        if out is not None:
            return out[0] if len(out) == 1 else out
        if isinstance(result, tuple):
            return tuple(np.asarray(r).view(SimArray) for r in result)
        return None if result is None else np.asarray(result).view(SimArray)
