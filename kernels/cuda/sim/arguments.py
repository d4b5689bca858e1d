"""Checks a kernel's arguments against its declaration and converts them for C."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np

from minigan.errors import DtypeError
from minigan.kernels.cuda.launch import record
from minigan.kernels.cuda.sim.array import SimArray
from minigan.kernels.cuda.sim.building import Parameter, SimulatorError
from minigan.kernels.geometry import ConvGeometry

NO_ARRAY = 2 ** (8 * np.dtype(np.uintp).itemsize) - 1
MOST_THREADS, MOST_OF_A_BLOCK, MOST_OF_A_GRID = 1024, (1024, 1024, 64), ((1 << 31) - 1, 65535, 65535)
MOST_SHARED = 227 << 10  # bytes of shared memory per block on an H100 or H200


def passed(kernel: str, parameters: Sequence[Parameter], arguments: Sequence) -> list[np.ndarray]:
    """The arguments as C values; for an array, its address.

    raises DtypeError, which names the argument, if one does not match the kernel's declaration
    """
    if len(arguments) != len(parameters):
        declared = ", ".join(f"{one.type} {one.name}" for one in parameters)
        raise DtypeError(f"{kernel}({declared}) takes {len(parameters)} arguments, and was given {len(arguments)}")
    return [
        (address if one.pointer else by_value)(f"{kernel}: argument {i + 1}, {one.type} {one.name}, ", one, argument)
        for i, (one, argument) in enumerate(zip(parameters, arguments, strict=True))
    ]


def address(words: str, parameter: Parameter, argument) -> np.ndarray:
    if not isinstance(argument, SimArray):
        what = f"an array of the CPU, {argument.dtype}" if isinstance(argument, np.ndarray) else repr(argument)[:80]
        raise DtypeError(f"{words}was given {what}; move arrays there with minigan.devices.move(array, 'sim')")
    if not argument.flags.c_contiguous:
        raise DtypeError(f"{words}was given an array of strides {argument.strides}, not contiguous; pass array.copy()")
    if not argument.dtype.isnative:
        raise DtypeError(f"{words}was given an array whose bytes are in the other order; convert with astype")
    if not parameter.type.startswith("const ") and not argument.flags.writeable:
        raise DtypeError(f"{words}was given an array that is read-only; pass a copy, or declare the pointer const")
    if not fits(parameter, argument.dtype):
        raise DtypeError(f"{words}was given an array of {argument.dtype}; convert with astype, or change the kernel")
    if parameter.size and parameter.kind != "V" and argument.ctypes.data % parameter.size:
        raise DtypeError(f"{words}was given an array that is not aligned; pass array.copy()")
    return np.array(argument.ctypes.data, np.uintp)


def fits(parameter: Parameter, dtype: np.dtype) -> bool:
    """Whether a pointer can point to elements of a dtype. For a struct, one size must be a multiple of the other."""
    kind, size = ("u" if dtype.kind == "b" else dtype.kind), dtype.itemsize
    if parameter.kind == "V":
        return not parameter.size or (size > 0 and (parameter.size % size == 0 or size % parameter.size == 0))
    if parameter.size == 1 or parameter.kind == "b":
        return size == 1
    return kind == parameter.kind and size == parameter.size


def by_value(words: str, parameter: Parameter, argument) -> np.ndarray:
    if isinstance(argument, np.ndarray) and (argument.ndim or isinstance(argument, SimArray)):
        raise DtypeError(f"{words}is a single value, but was given an array of shape {argument.shape}")
    if parameter.kind == "V":
        value = record(argument) if isinstance(argument, ConvGeometry) else np.asarray(argument)
        if value.dtype.kind == "O" or value.dtype.itemsize != parameter.size:
            raise DtypeError(
                f"{words}has {parameter.size} bytes, but was given {argument!r}; pass a NumPy record of that size"
            )
        return value
    if isinstance(argument, np.ndarray):
        argument = argument[()]
    if parameter.kind == "f":
        return real_number(words, parameter, argument)
    try:
        number = operator.index(argument) if not isinstance(argument, np.bool_) else int(argument)
    except TypeError:
        raise DtypeError(f"{words}is an integer, but was given {argument!r}") from None
    low, high = limits(parameter)
    if not low <= number <= high:
        raise DtypeError(f"{words}holds {low} to {high}, but was given {number}")
    kind = "u" if parameter.kind == "b" else parameter.kind
    return np.array(number, f"{kind}{parameter.size}")


def limits(parameter: Parameter) -> tuple[int, int]:
    if parameter.kind == "b":
        return 0, 1
    bits = 8 * parameter.size
    return (-1 << bits - 1, (1 << bits - 1) - 1) if parameter.kind == "i" else (0, (1 << bits) - 1)


def real_number(words: str, parameter: Parameter, argument) -> np.ndarray:
    if isinstance(argument, bool | np.bool_) or not isinstance(argument, int | float | np.integer | np.floating):
        raise DtypeError(f"{words}is a real number, but was given {argument!r}")
    with np.errstate(over="ignore"):
        try:
            value = np.array(argument).astype(f"f{parameter.size}")
        except (TypeError, OverflowError):
            value = np.array(np.inf, f"f{parameter.size}")
    if not np.isfinite(value) and (isinstance(argument, int | np.integer) or math.isfinite(argument)):
        raise DtypeError(f"{words}holds up to {np.finfo(value.dtype).max:.3g}, but was given {argument!r}")
    return value


def sizes_of(arguments: Sequence) -> list[int]:
    return [a.nbytes if isinstance(a, SimArray) else NO_ARRAY for a in arguments]


def shape_of(kernel: str, blocks, threads, shared: int) -> tuple[int, ...]:
    """x, y, z of the grid, then of a block. Raises SimulatorError if a GPU could not launch them."""
    grid, block = numbers_of(kernel, "blocks", blocks), numbers_of(kernel, "threads", threads)
    what = f"{kernel}: a grid of {grid} blocks of {block} threads cannot be launched: "
    for words, found, most in (("blocks", grid, MOST_OF_A_GRID), ("threads", block, MOST_OF_A_BLOCK)):
        if any(not 1 <= n <= limit for n, limit in zip(found, most, strict=True)):
            raise SimulatorError(f"{what}there must be 1 to {most} {words}")
    if math.prod(block) > MOST_THREADS:
        raise SimulatorError(f"{what}a block has at most {MOST_THREADS} threads, not {math.prod(block)}")
    if not 0 <= operator.index(shared) <= MOST_SHARED:
        raise SimulatorError(f"{kernel}: a launch gives 0 to {MOST_SHARED} bytes of shared memory, not {shared}")
    return *grid, *block


def numbers_of(kernel: str, words: str, given) -> tuple[int, int, int]:
    values = given if isinstance(given, Sequence | np.ndarray) else (given,)
    try:
        found = tuple(operator.index(value) for value in values)
    except TypeError:
        found = ()
    if not 1 <= len(found) <= 3:
        raise SimulatorError(f"{kernel}: {words} are one to three integers, not {given!r}")
    return *found, *(1,) * (3 - len(found))
