"""Gradients of any order, in reverse mode.

The rules of primitives are themselves written in primitives. Given arrays they return gradients; given Tensors they
return gradients that can be differentiated again. So one formula serves every order.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

import numpy as np

from minigan import devices
from minigan.autograd.graph import as_array, is_recording, no_grad, nondifferentiable, primitive, recording, value
from minigan.autograd.passes import Pass
from minigan.autograd.tensor import Tensor, tensor
from minigan.devices import unmasked
from minigan.errors import DtypeError, GraphError, ShapeError

__all__ = [
    "backward",
    "grad",
    "is_recording",
    "no_grad",
    "nondifferentiable",
    "partial_grad",
    "primitive",
    "recording",
    "value_and_grad",
    "vjp_of",
]


@overload
def grad(ys, xs: Tensor, grad_ys=None, *, create_graph: Literal[True], **how: Any) -> Tensor: ...


@overload
def grad(ys, xs: Tensor, grad_ys=None, **how: Any) -> np.ndarray: ...


@overload
def grad(ys, xs: Iterable[Tensor], grad_ys=None, *, create_graph: Literal[True], **how: Any) -> list[Tensor]: ...


@overload
def grad(ys, xs: Iterable[Tensor], grad_ys=None, **how: Any) -> list[np.ndarray]: ...


def grad(ys, xs, grad_ys=None, *, create_graph=False, retain_graph=None, allow_unused=False) -> Any:
    """Gradients of ys with respect to xs, which may be leaves or values in between.

    ys, xs: a Tensor or a list of them; a single x gives a single gradient, a list gives a list
    grad_ys: the gradients of ys, arrays or Tensors; for scalars the default is 1
    create_graph: return Tensors that can be differentiated again, instead of plain arrays
    retain_graph: keep the saved values for another pass; defaults to create_graph
    allow_unused: return None for an x that ys does not depend on, instead of raising GraphError
    Only the rules on paths between ys and xs are run.
    """
    single = isinstance(xs, Tensor)
    xs = _several("grad", "xs", xs)
    for x in xs:
        if not isinstance(x, Tensor):
            raise GraphError(f"grad: xs holds a {type(x).__name__}, but only Tensors have gradients")
    seeds = _seeds("grad", ys, grad_ys, allow_constant=allow_unused)
    gradients = Pass(seeds, [value(x) for x in xs], create_graph, retain_graph).run()
    results = []
    for number, x in enumerate(xs):
        found = gradients.get(value(x))
        if found is None and not allow_unused:
            raise GraphError(
                f"grad: ys does not depend on xs[{number}], a tensor of shape {x.shape}"
                f"{'' if x.requires_grad else ' that does not require gradients (requires_grad=True when made)'}; "
                "pass allow_unused=True to get None for it"
            )
        results.append(found)
    return results[0] if single else _apart(results)


def backward(ys, grad_ys=None, *, retain_graph=False) -> None:
    """Add the gradients of ys to `.grad` of every leaf they depend on.

    raises DeviceError in a captured step, where `.grad` would not be set at each replay; use `grad` there
    """
    devices.refuse_in_capture("adds to .grad by backward() (grad() returns gradients)")
    run = Pass(_seeds("backward", ys, grad_ys), None, False, retain_graph)
    gradients = run.run()
    leaves = [place for place in gradients if place.__class__ is Tensor]
    for leaf, g in zip(leaves, _apart([gradients[leaf] for leaf in leaves]), strict=True):
        if leaf.grad is None:
            leaf.grad = g
        else:
            np.add(leaf.grad, g, out=leaf.grad)


def value_and_grad(function, argnums=0):
    """A function that returns (function's value, its gradients with respect to the arguments `argnums`).

    The arguments may be arrays or Tensors; the value is a detached Tensor, the gradients are plain arrays.
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums
    if not callable(function) or not isinstance(positions, Sequence) or not all(isinstance(i, int) for i in positions):
        raise GraphError("value_and_grad: it takes a function, and argnums that are an int or several")

    @functools.wraps(function)
    def with_gradients(*args, **kwargs):
        if not all(-len(args) <= i < len(args) for i in positions):
            raise ShapeError(f"value_and_grad: argnums is {argnums}, but the call has {len(args)} positional arguments")
        leaves = {range(len(args))[i]: _leaf(args[i]) for i in positions}
        for i, leaf in leaves.items():
            if leaf.dtype.kind != "f":
                raise DtypeError(f"value_and_grad: argument {i} is {leaf.dtype}, which has no gradients")
        with recording(True):
            y = function(*(leaves.get(i, arg) for i, arg in enumerate(args)), **kwargs)
        gradients = grad(y, list(leaves.values()))
        return y.detach(), gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return with_gradients


def _leaf(arg):
    """A value as a leaf whose gradient is wanted; memory is shared."""
    array = arg.data if isinstance(arg, Tensor) else arg
    return Tensor(as_array(array) if hasattr(array, "dtype") else tensor(array).data, True)


def vjp_of(function):
    """A joint rule derived from a composition of primitives that computes the same as the primitive.

    For fused primitives whose second-order speed does not matter: `fused.vjp(...)(vjp_of(composed))`.
    """

    def rule(g, y, *args, wanted, **static):
        tensors, places = [], set()
        for arg, w in zip(args, wanted, strict=True):
            tensor = arg if arg.__class__ is Tensor else Tensor(arg, w)
            if value(tensor) in places:  # one value in two places: each has a gradient of its own
                tensor = _alias(tensor)
            places.add(value(tensor))
            tensors.append(tensor)
        with recording(True):
            ys = function(*tensors, **static)
        asked = [t for t, w in zip(tensors, wanted, strict=True) if w]
        gradients = iter(partial_grad(ys, g, asked))
        return tuple(next(gradients) if w else None for w in wanted)

    return rule


def partial_grad(ys, gs, xs):
    """Partial derivatives: gradients with respect to xs, each x held independent of the others.

    For rules. ys and gs: one or a tuple; a g may be None; Tensors in gs ask for Tensors back.
    """
    pairs = zip(ys, gs, strict=True) if ys.__class__ is tuple else ((ys, gs),)
    seeds = [(y, g) for y, g in pairs if g is not None and y.requires_grad]
    create_graph = any(g.__class__ is Tensor for _, g in seeds)
    found = Pass(seeds, map(value, xs), create_graph, True, partial=True).run()
    return [found.get(value(x)) for x in xs]


def _several(caller, name, tensors):
    """A Tensor, or an iterable of them, as a list."""
    if isinstance(tensors, Tensor):
        return [tensors]
    if not isinstance(tensors, Iterable) or isinstance(tensors, str | np.ndarray):
        raise GraphError(f"{caller}: {name} is a {type(tensors).__name__}; it is a Tensor or a list of them")
    return list(tensors)


def _seeds(caller, ys, grad_ys, allow_constant=False):
    """Pairs of a Tensor and the gradient a pass starts with there."""
    single = isinstance(ys, Tensor)
    ys = _several(caller, "ys", ys)
    gs = [grad_ys] if single or grad_ys is None else grad_ys
    if not isinstance(gs, Sequence) and np.ndim(gs) == 0:
        raise GraphError(f"{caller}: {len(ys)} ys need a list of gradients, not a {type(gs).__name__}")
    gs = list(gs)
    if len(gs) == 1 and gs[0] is None:
        gs = [None] * len(ys)
    if len(gs) != len(ys):
        raise ShapeError(f"{caller}: {len(ys)} ys, but {len(gs)} gradients for them")
    seeds = []
    for y, g in zip(ys, gs, strict=True):
        if not isinstance(y, Tensor) or not y.requires_grad:
            if allow_constant:
                continue
            raise GraphError(
                f"{caller}: y depends on nothing that requires gradients; "
                "was it computed under no_grad(), detached, or from constants only?"
            )
        if g is None:
            if y.data.size != 1:
                raise ShapeError(f"{caller}: y has shape {y.shape}; sum it to a scalar or pass its gradient")
            g = np.ones_like(y.data)
        elif g.__class__ is not Tensor:
            try:
                g = unmasked(devices.to_cpu(g))
                if g.dtype.kind not in "fiub":
                    raise TypeError(f"it holds {g.dtype}, and gradients are real")
                g = devices.move(np.asarray(g, y.dtype), y.device)
            except DtypeError:
                raise
            except (TypeError, ValueError) as error:
                raise DtypeError(f"{caller}: a gradient of y is a {type(g).__name__}, but no array: {error}") from error
        elif g.dtype != y.dtype:
            g = g.astype(y.dtype)
        if g.shape != y.shape:
            raise ShapeError(f"{caller}: y has shape {y.shape}, but the gradient given for it has {g.shape}")
        seeds.append((y, g))
    return seeds


def _apart(gradients):
    """The same gradients, none of them sharing an array with another."""
    seen, results = set(), []
    for g in gradients:
        if g is not None and g.__class__ is not Tensor:
            if id(g) in seen:
                g = g.copy()
            seen.add(id(g))
        results.append(g)
    return results


@functools.partial(primitive, saves="")
def _alias(x):
    return x.view()


_alias.vjp(0)(lambda g, y, x: g)
