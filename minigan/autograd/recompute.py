"""Trading time for memory: activations that are computed again when the backward pass needs them."""

import contextlib

from minigan.autograd import memory, partial_grad
from minigan.autograd.graph import Node, is_recording, keeping, primitive, recording, value
from minigan.autograd.memory import segments
from minigan.autograd.tensor import Tensor
from minigan.errors import GraphError


def recompute(function, *args):
    """function(*args), keeping only its inputs and outputs; values in between are computed again in the backward pass.

    function: takes and returns Tensors (one, or a tuple); a Module or any function. Gradients also reach
        parameters and other Tensors that it uses without taking them as arguments.
    Constants that it uses in this way must not change before the backward pass. Random draws and updates inside it
    (dropout's masks, batch norm's running statistics) happen once.
    source: Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174
    """
    if not callable(function):
        raise GraphError(f"recompute: it takes a function and its arguments, but got a {type(function).__name__} first")
    if not is_recording():
        return function(*args)
    began, tape = memory.tick(), []
    with keeping(), _running((*segments.tapes, tape), segments.replayed):
        returned = function(*args)
    ys = returned if isinstance(returned, tuple) else (returned,)
    entries = _entries(ys, began)
    if not entries:
        return returned
    if not all(isinstance(y, Tensor) for y in ys):
        raise GraphError(f"recompute: the function returned {[type(y).__name__ for y in ys]}, but it returns Tensors")
    node = Node()
    node.op, node.tick, node.args = _segment, memory.tick(), entries
    # what the second run will read, constants too: a write to it is noticed
    node.arrays = [e.data for e in (*entries, *(a for a in args if isinstance(a, Tensor)))]
    node.out = tuple(y.data for y in ys)
    node.static = {"function": function, "given": args, "entries": entries, "tape": tape}
    results = tuple(Tensor(y.data, True, node, i) if y.requires_grad else y for i, y in enumerate(ys))
    return results if isinstance(returned, tuple) else results[0]


@contextlib.contextmanager
def _running(tapes, replayed):
    before = segments.tapes, segments.replayed
    try:
        segments.tapes, segments.replayed = tapes, replayed
        yield
    finally:
        segments.tapes, segments.replayed = before


def _entries(ys, began):
    """The Tensors with gradients that the segment read: leaves, and values computed before it began."""
    found, seen = {}, set()
    stack = [y for y in ys if isinstance(y, Tensor) and y.requires_grad]
    while stack:
        tensor = stack.pop()
        if tensor.node is None or tensor.node.tick < began:
            found.setdefault(value(tensor), tensor)
        elif tensor.node not in seen:
            seen.add(tensor.node)
            stack.extend(a for a in tensor.node.args if isinstance(a, Tensor) and a.requires_grad)
    return tuple(found.values())


@primitive
def _segment(*entries, **static):
    raise AssertionError("recorded by recompute() itself, never called")


_segment.__name__ = "recompute"


@_segment.vjp(...)
def _(g, y, *_, wanted, function, given, entries, tape):
    with recording(True), _running((), iter(tape)):
        ys = function(*given)
    ys = ys if isinstance(ys, tuple) else (ys,)
    wanted = wanted[: len(entries)]
    asked = [entry for entry, w in zip(entries, wanted, strict=True) if w]
    gradients = iter(partial_grad(ys, g, asked))
    return tuple(next(gradients) if w else None for w in wanted)
