"""Memory that a recorded call need not keep: large values that no rule reads give way to arrays without memory."""

import numpy as np

from minigan.autograd.tensor import Tensor

ndarray = np.ndarray
LARGE = 1 << 16  # bytes from which on a value that no rule reads is not kept


def unsaved_positions(forward, names, saves):
    """Positions of the arguments that no rule reads, -1 for the result; empty where nothing is known."""
    if saves is None:
        return ()
    saved = set(saves.split())
    unknown = saved - {*names, "y"}
    if unknown:
        raise TypeError(f"primitive {forward.__name__}: saves names {sorted(unknown)}, but its arguments are {names}")
    return tuple(i for i, name in enumerate(names) if name not in saved) + (() if "y" in saved else (-1,))


def drop_unsaved(node):
    """Replace large values that no rule reads by arrays of their shape that take no memory."""
    for position in node.op.unsaved:
        if position == -1:
            if node.out.__class__ is not tuple and node.out.nbytes >= LARGE:
                node.out = _shell(node.out)
        elif position < len(node.args):
            arg = node.args[position]
            if arg.__class__ is Tensor and arg.data.nbytes >= LARGE:
                shell = _shell(arg.data)
                node.arrays[position] = shell
                if arg.node is not None or not arg.requires_grad:  # a leaf stands for itself and stays
                    stand_in = Tensor(shell, arg.requires_grad, arg.node, arg.index)
                    node.args = (*node.args[:position], stand_in, *node.args[position + 1 :])


def drop_result(node):
    """Let go of what a node returned, where it is large, once nobody needs more of it than its shape."""
    out = node.out
    if out.__class__ is not tuple:
        if out.nbytes >= LARGE:
            node.out = _shell(out)
    else:
        node.out = tuple(_shell(part) for part in out)


def _shell(array):
    """An array of the same shape and dtype, all NaN from one element: a rule that reads it by mistake shows."""
    if array.dtype.kind != "f":
        return array
    kind = array.__class__, array.dtype
    nan = _NANS.get(kind)
    if nan is None:
        nan = _NANS[kind] = np.full_like(array, np.nan, shape=(1,))
    if array.__class__ is not ndarray:
        return np.broadcast_to(nan, array.shape)
    return ndarray(array.shape, array.dtype, nan, strides=(0,) * array.ndim)


_NANS = {}
