"""What is recorded: primitives, and the nodes that their calls leave.

A primitive is a function of arrays with one rule (a vector-Jacobian product, vjp) for each argument. Called with
Tensors it records a Node. A node points at its arguments and never at the Tensor it made: no reference cycle, and
memory is free as soon as the last Tensor goes.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from minigan.autograd.memory import LARGE, drop_unsaved, tick, unsaved_positions
from minigan.autograd.operands import FLOAT32, Arguments, F, Primitive, explain, settled
from minigan.autograd.tensor import Tensor
from minigan.devices import unmasked
from minigan.errors import GraphError

ndarray = np.ndarray
new = object.__new__

watch = None  # looks at what every primitive and every rule returns, if set: a minigan.debug.Watch


class _Mode(threading.local):
    recording = True
    keeping = False  # all values, also those that no rule reads

    def __init__(self):
        self.before = []  # whether it recorded, outside each no_grad that was entered


_mode = _Mode()


class Node:
    """One recorded call: the primitive, its arguments as given and as arrays, and what it returned."""

    __slots__ = ("args", "arrays", "op", "out", "static", "tick")


class no_grad:
    """Record nothing inside. A context manager, and a decorator of functions and generators."""

    _wanted = False

    def __enter__(self):
        _mode.before.append(_mode.recording)
        _mode.recording = self._wanted

    def __exit__(self, *_):
        _mode.recording = _mode.before[-1]  # before the call of pop, after which Ctrl-C may come
        _mode.before.pop()

    def __call__(self, function: F) -> F:
        if not callable(function):
            raise GraphError(f"no_grad: it decorates functions, but got a {type(function).__name__}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise GraphError(
                f"no_grad: {function.__name__} is asynchronous, and nothing would be recorded while it waits; "
                "write `with mg.no_grad():` around what it computes between two awaits"
            )

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        @functools.wraps(function)
        def generator(*args, **kwargs):
            return (yield from _resumed_in(self, function(*args, **kwargs)))

        return generator if inspect.isgeneratorfunction(function) else wrapped


class recording(no_grad):
    """Record inside; with False, do not."""

    def __init__(self, recording: bool):
        self._wanted = recording


def _resumed_in(context, generator):
    """What a generator yields, each part of it run in a context that its caller is not in."""
    resume, sent = generator.send, None
    while True:
        try:
            with context:
                given = resume(sent)
        except StopIteration as stop:
            return stop.value
        try:
            resume, sent = generator.send, (yield given)
        except BaseException as error:  # GeneratorExit too: the generator is closed by it
            resume, sent = generator.throw, error


class keeping:
    """Inside, keep even the values that no rule reads."""

    def __enter__(self):
        self._before, _mode.keeping = _mode.keeping, True

    def __exit__(self, *_):
        _mode.keeping = self._before


def is_recording() -> bool:
    return _mode.recording


def value(tensor: Tensor):
    """What a Tensor stands for: the key under which its gradient is collected."""
    if tensor.node is None:
        return tensor
    return tensor.node if tensor.index is None else (tensor.node, tensor.index)


@overload
def primitive(forward: np.ufunc, *, saves: str | None = None) -> Primitive[...]: ...


@overload
def primitive(forward: Callable[Arguments, Any]) -> Primitive[Arguments]: ...


@overload
def primitive(
    *, saves: str | None = None, operands: slice | None = None
) -> Callable[[Callable[Arguments, Any]], Primitive[Arguments]]: ...


@overload
def primitive(
    forward: Callable[Arguments, Any], *, saves: str | None = None, operands: slice | None = None
) -> Primitive[Arguments]: ...


def primitive(forward=None, *, saves: str | None = None, operands: slice | None = None) -> Any:
    """Make a function of arrays differentiable.

    forward(*arrays, **static) returns an array or a tuple of them. Its positional arguments may be Tensors; its
    keyword-only arguments are constants, which a caller may also pass by position, after the arrays. Called with arrays
    alone, the primitive is the plain function.
    saves: the names of the arguments whose values its rules read, and "y" for the result; the others may be dropped
        or overwritten before the backward pass. All by default.
    operands: which positional arguments meet in one dtype, by the rule of operands.py, where NumPy's promotion would
        widen the result; all arguments of a ufunc, none by default
    The rules are registered with `.vjp`; None from a rule is a gradient of zero:

        @primitive
        def cube(x):
            return x**3

        @cube.vjp(0)
        def _(g, y, x):  # gradient of the result, result, arguments
            return g * 3 * x**2
    """
    if forward is None:
        return functools.partial(primitive, saves=saves, operands=operands)

    names, keywords, variadic = _parameters(forward)
    most = sys.maxsize if variadic else len(names)
    elementwise = isinstance(forward, np.ufunc)
    operands = slice(None) if elementwise else operands

    def call(*args, **static):
        if len(args) > most:
            args, static = _with_constants(call, args, static, most, keywords)
        if static:
            if elementwise:
                raise GraphError(f"{call.__name__}: {', '.join(static)} would change what the gradient does not see")
            for keyword, constant in static.items():
                _no_tensor_in(call, constant, keyword)
                if constant.__class__ in _CHANGEABLE and keyword not in _INDICES:
                    static[keyword] = _fixed(constant)
        for arg in args:
            if arg.__class__ is not ndarray:
                arrays, attached, listed = [], None, False
                break
        else:  # rules call it with arrays alone
            try:
                out = forward(*args, **static) if static else forward(*args)
            except Exception as error:
                explain(call, args, error)
                raise
            if operands is not None and out.dtype is not FLOAT32:
                out = settled(call, operands, args, args, static, out)[2]
            return out
        for arg in args:
            kind = arg.__class__
            if kind is Tensor:
                arrays.append(arg.data)
                attached = attached or arg.requires_grad
            else:
                arrays.append(arg)
                if kind is not ndarray and kind in _LOOKED_AT:
                    if kind in _NOT_PLAIN:
                        arrays[-1] = unmasked(arg)
                    else:
                        _no_tensor_in(call, arg)
                        listed = True
        try:
            out = forward(*arrays, **static) if static else forward(*arrays)
        except Exception as error:
            explain(call, arrays, error)
            raise
        if operands is not None and (out.dtype is not FLOAT32 or listed):
            args, arrays, out = settled(call, operands, args, arrays, static, out)
        if attached is None:  # no Tensor among them
            return out
        if watch is not None:
            out = watch.forward(call, arrays, out)
        if not attached or not _mode.recording:
            if out.__class__ is ndarray:
                return Tensor(out)
            return tuple(map(Tensor, out)) if out.__class__ is tuple else Tensor(as_array(out))
        node = Node()
        node.op = call
        node.args = args
        node.arrays = arrays
        node.static = static
        node.tick = tick()
        if out.__class__ is ndarray:
            node.out = out
            results = new(Tensor)  # Tensor(out, True, node), in half the time
            results.data = out
            results.requires_grad = True
            results.node = node
            results.index = results.grad = None
            if unsaved and (reduces or out.nbytes >= LARGE):
                _drop(node)
        elif out.__class__ is tuple:
            node.out = out
            results = tuple(Tensor(o, True, node, i) for i, o in enumerate(out))
            _drop(node)
        else:
            node.out = as_array(out)
            results = Tensor(node.out, True, node)
            _drop(node)
        return results

    functools.update_wrapper(call, forward)
    unsaved = unsaved_positions(forward, names, saves)
    # where a ufunc's result is not large, neither are its arguments
    reduces = not elementwise and any(position != -1 for position in unsaved)
    call.forward, call.rules, call.joint, call.unsaved = forward, {}, None, unsaved
    call.vjp = functools.partial(_register, call)
    return call


def _drop(node):
    if watch is None and not _mode.keeping:  # a watch knows values by their arrays
        drop_unsaved(node)


_SEQUENCES = {list, tuple, dict}
_NOT_PLAIN = {np.ma.MaskedArray, np.matrix}  # their methods and operators mean something else
_LOOKED_AT = {*_SEQUENCES, *_NOT_PLAIN}
_CHANGEABLE = {list, ndarray}
_INDICES = {"index", "indices"}  # the callers of primitives have copied these already


def _register(call, *positions):
    """`@f.vjp(0)`: the rule for argument 0. `@f.vjp(0, 1)`: one rule for both. It is called with `wanted=`, a bool
    for each argument of the call, and returns a tuple of gradients with None where none is wanted. `@f.vjp(...)`: such
    a rule for all arguments, for functions of any number of arrays."""

    def register(rule):
        if len(positions) == 1 and positions[0] is not ...:
            call.rules[positions[0]] = rule
        else:
            call.joint = rule, None if positions == (...,) else frozenset(positions)
        return rule

    return register


def _no_tensor_in(call, constant, keyword=None):
    """A Tensor among constants would silently lose its gradient."""
    if constant.__class__ in _SEQUENCES:
        for item in constant.values() if constant.__class__ is dict else constant:
            _no_tensor_in(call, item, keyword)
    elif isinstance(constant, Tensor):
        where = f"the keyword {keyword!r}" if keyword else "a list"
        raise GraphError(
            f"{call.__name__}: a Tensor in {where} would be a constant without a gradient; "
            "pass it as an argument of its own, or its .detach().numpy() if a constant is meant"
        )


def _fixed(constant):
    """A copy of a constant that its owner cannot change before the rules read it: of a list, a tuple."""
    if isinstance(constant, ndarray):
        return constant.copy()
    return tuple(map(_fixed, constant)) if isinstance(constant, list | tuple) else constant


def nondifferentiable(forward: Callable[Arguments, Any]) -> Callable[Arguments, Tensor]:
    """A function of arrays whose result never has a gradient (comparisons, rounding): Tensors in, Tensor out."""

    @functools.wraps(forward)
    def call(*args, **static):
        arrays = [a.data if isinstance(a, Tensor) else a for a in args]
        try:
            out = forward(*arrays, **static)
        except Exception as error:
            explain(call, arrays, error)
            raise
        return Tensor(as_array(out)) if any(isinstance(a, Tensor) for a in args) else out

    call.forward = forward
    return call


def as_array(out):
    """What a function returned, as an array: NumPy's scalars are converted, arrays of other devices stay."""
    if isinstance(out, np.ma.MaskedArray):
        return unmasked(out)
    return np.asarray(out) if isinstance(out, np.generic) or not hasattr(out, "dtype") else out


def _parameters(forward):
    """The names of a function's array arguments and of its constants, and whether it takes any number of arrays."""
    if isinstance(forward, np.ufunc):
        return ["a", "b"][: forward.nin], [], False
    parameters = inspect.signature(forward).parameters.values()
    arrays = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    constants = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return arrays, constants, any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _with_constants(call, args, static, most, keywords):
    """Constants that were given by position, moved to where their keywords would be."""
    extra = args[most:]
    if len(extra) > len(keywords) or any(name in static for name in keywords[: len(extra)]):
        raise TypeError(
            f"{call.__name__} takes {most} arrays{' and ' + ', '.join(keywords) if keywords else ''}, "
            f"but got {len(args)} positional arguments{' and ' + ', '.join(static) if static else ''}"
        )
    return args[:most], {**dict(zip(keywords, extra, strict=False)), **static}
