"""Reverse-mode differentiation of any order.

A primitive is a function of arrays with one rule (a vector-Jacobian product, vjp) for each argument. Called with
Tensors it records a Node. `grad` walks the nodes backwards, newest first, and calls the rules. The rules are written
in primitives themselves, so fed with arrays they give gradients, and fed with Tensors they give gradients that can be
differentiated again: one formula serves every order.

A value is its place in the graph (a node, or a node and an output's index), or itself if it is a leaf. Two Tensors
can share a place, so a Tensor's identity is never the answer. A node points at its arguments and never at the Tensor
it made: no reference cycle, and memory is free as soon as the last Tensor goes.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
import threading

import numpy as np

from minigan import writes
from minigan.errors import DtypeError, GraphError, MiniganError, ShapeError
from minigan.tensor import Tensor

ndarray = np.ndarray
LARGE = 1 << 16  # bytes from which on a value that no rule reads is not kept


watch = None  # looks at what every primitive and every rule returns, if set: a minigan.debug.Watch


class _Mode(threading.local):
    recording = True


_mode = _Mode()


class Node:
    """One recorded call: the primitive, its arguments as given and as arrays, and what it returned."""

    __slots__ = ("args", "arrays", "op", "out", "static", "tick")


class no_grad:
    """Nothing is recorded inside; a context manager and a decorator."""

    def __enter__(self):
        self._before, _mode.recording = _mode.recording, False

    def __exit__(self, *_):
        _mode.recording = self._before

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with no_grad():
                return function(*args, **kwargs)

        return wrapped


class _recording(no_grad):
    def __init__(self, recording: bool):
        self._wanted = recording

    def __enter__(self):
        self._before, _mode.recording = _mode.recording, self._wanted


def is_recording() -> bool:
    return _mode.recording


# --------------------------------------------------------------------------------------------- primitives


def primitive(forward=None, *, saves: str | None = None):
    """Make a function of arrays differentiable.

    forward(*arrays, **static) returns an array or a tuple of them. Its positional arguments may be Tensors; its
    keyword-only ones are constants, which a caller may also give by position, after the others. Called with arrays
    alone, the primitive is the plain function.
    saves: the names of the arguments whose values its rules read, and "y" for the result; the others may be dropped
        or overwritten before the backward pass. All by default.
    The rules are registered with `.vjp`; None from a rule is a gradient of zero:

        @primitive
        def cube(x):
            return x**3

        @cube.vjp(0)
        def _(g, y, x):  # gradient of the result, result, arguments
            return g * 3 * x**2
    """
    if forward is None:
        return functools.partial(primitive, saves=saves)

    names, keywords, variadic = _parameters(forward)
    most = sys.maxsize if variadic else len(names)

    def call(*args, **static):
        if len(args) > most:
            args, static = _with_constants(call, args, static, most, keywords)
        arrays = []
        wrapped = attached = False
        for arg in args:
            if arg.__class__ is Tensor:
                wrapped = True
                arrays.append(arg.data)
                if arg.requires_grad:
                    attached = True
            else:
                arrays.append(arg)
                if arg.__class__ in _SEQUENCES:
                    _no_tensor_in(call, arg)
        if static:
            for keyword, constant in static.items():
                _no_tensor_in(call, constant, keyword)
        if not wrapped:
            return forward(*arrays, **static)
        try:
            out = forward(*arrays, **static)
        except MiniganError:
            raise
        except (ValueError, IndexError) as error:  # NumPy's own words, with the call and its shapes
            shapes = ", ".join(str(np.shape(a)) for a in arrays)
            raise ShapeError(f"{call.__name__}: {error} (called with shapes {shapes})") from error
        if watch is not None:
            out = watch.forward(call, arrays, out)
        if not attached or not _mode.recording:
            if out.__class__ is ndarray:
                return Tensor(out)
            return tuple(map(Tensor, out)) if out.__class__ is tuple else Tensor(np.asarray(out))
        node = Node()
        node.op, node.args, node.arrays, node.static, node.tick = call, args, arrays, static, writes.tick()
        if out.__class__ is tuple:
            node.out = out
            results = tuple(Tensor(o, True, node, i) for i, o in enumerate(out))
        else:
            if out.__class__ is not ndarray:
                out = np.asarray(out)
            node.out = out
            results = Tensor(out, True, node)
        if call.unsaved:
            _drop_unsaved(node)
        return results

    functools.update_wrapper(call, forward)
    call.forward, call.rules, call.joint = forward, {}, None
    call.unsaved = _unsaved_positions(forward, names, saves)
    call.vjp = functools.partial(_register, call)
    return call


_SEQUENCES = {list, tuple, dict}


def _register(call, *positions):
    """`@f.vjp(0)`: the rule for argument 0. `@f.vjp(0, 1)`: one rule for both, told with `wanted=` (a bool for each
    argument of the call) which gradients are asked for, returning a tuple with None for the others. `@f.vjp(...)`:
    such a rule for all arguments, however many."""

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


def nondifferentiable(forward):
    """A function of arrays whose result never has a gradient (comparisons, rounding): Tensors in, Tensor out."""

    @functools.wraps(forward)
    def call(*args, **static):
        arrays = [a.data if isinstance(a, Tensor) else a for a in args]
        out = forward(*arrays, **static)
        return Tensor(np.asarray(out)) if any(isinstance(a, Tensor) for a in args) else out

    return call


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


def _unsaved_positions(forward, names, saves):
    """Positions of the arguments that no rule reads, -1 for the result; empty where nothing is known."""
    if saves is None:
        return ()
    saved = set(saves.split())
    unknown = saved - {*names, "y"}
    if unknown:
        raise TypeError(f"primitive {forward.__name__}: saves names {sorted(unknown)}, but its arguments are {names}")
    return tuple(i for i, name in enumerate(names) if name not in saved) + (() if "y" in saved else (-1,))


def _drop_unsaved(node):
    """Replace large values that no rule reads by arrays of their shape that take no memory."""
    if watch is not None:
        return  # it knows values by their arrays
    for position in node.op.unsaved:
        if position == -1:
            if node.out.__class__ is ndarray and node.out.nbytes >= LARGE:
                node.out = _shell(node.out)
        elif position < len(node.args):
            arg = node.args[position]
            if arg.__class__ is Tensor and arg.data.nbytes >= LARGE:
                shell = _shell(arg.data)
                node.arrays[position] = shell
                if arg.node is not None or not arg.requires_grad:  # a leaf stands for itself and stays
                    stand_in = Tensor(shell, arg.requires_grad, arg.node, arg.index)
                    node.args = (*node.args[:position], stand_in, *node.args[position + 1 :])


def _shell(array):
    """An array of the same shape and dtype, all NaN from one element: a rule that reads it by mistake shows."""
    if array.__class__ is not ndarray or array.dtype.kind != "f":
        return array
    return np.ndarray(array.shape, array.dtype, np.full(1, np.nan, array.dtype), strides=(0,) * array.ndim)


# ----------------------------------------------------------------------------------------- backward passes


def value(tensor: Tensor):
    """What a Tensor stands for: the key under which its gradient is collected."""
    if tensor.node is None:
        return tensor
    return tensor.node if tensor.index is None else (tensor.node, tensor.index)


def grad(ys, xs, grad_ys=None, *, create_graph=False, retain_graph=None, allow_unused=False):
    """Gradients of ys with respect to xs, which may be leaves or values in between.

    ys, xs: a Tensor or a list of them; a single x gives a single gradient, a list gives a list
    grad_ys: what the gradients of ys are, arrays or Tensors; not needed for scalars (it is 1)
    create_graph: return Tensors that can be differentiated again, instead of plain arrays
    retain_graph: keep what was saved for another pass; defaults to create_graph
    allow_unused: None for an x that ys does not depend on, instead of a GraphError
    Only the rules of what lies between ys and xs are run.
    """
    single = isinstance(xs, Tensor)
    xs = [xs] if single else list(xs)
    for x in xs:
        if not isinstance(x, Tensor):
            raise GraphError(f"grad: xs holds a {type(x).__name__}, but only Tensors have gradients")
    seeds = _seeds("grad", ys, grad_ys, allow_constant=allow_unused)
    gradients = _Pass(seeds, [value(x) for x in xs], create_graph, retain_graph).run()
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
    """Add the gradients of ys to `.grad` of every leaf they depend on."""
    run = _Pass(_seeds("backward", ys, grad_ys), None, False, retain_graph)
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
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(function)
    def with_gradients(*args, **kwargs):
        leaves = {i: Tensor(np.asarray(args[i]), True) for i in positions}
        for i, leaf in leaves.items():
            if leaf.dtype.kind != "f":
                raise DtypeError(f"value_and_grad: argument {i} is {leaf.dtype}, which has no gradients")
        with _recording(True):
            y = function(*(leaves.get(i, arg) for i, arg in enumerate(args)), **kwargs)
        gradients = grad(y, list(leaves.values()))
        return y.detach(), gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return with_gradients


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
        with _recording(True):
            ys = function(*tensors, **static)
        asked = [t for t, w in zip(tensors, wanted, strict=True) if w]
        gradients = iter(partial_grad(ys, g, asked))
        return tuple(next(gradients) if w else None for w in wanted)

    return rule


def partial_grad(ys, gs, xs):
    """Partial derivatives: gradients with respect to xs, each x an end, whatever the xs depend on among themselves.

    For rules. ys and gs: one or a tuple; a g may be None; Tensors in gs ask for Tensors back.
    """
    pairs = zip(ys, gs, strict=True) if ys.__class__ is tuple else ((ys, gs),)
    seeds = [(y, g) for y, g in pairs if g is not None and y.requires_grad]
    create_graph = any(g.__class__ is Tensor for _, g in seeds)
    found = _Pass(seeds, map(value, xs), create_graph, True, partial=True).run()
    return [found.get(value(x)) for x in xs]


def _seeds(caller, ys, grad_ys, allow_constant=False):
    """Pairs of a Tensor and the gradient a pass starts with there."""
    single = isinstance(ys, Tensor)
    ys = [ys] if single else list(ys)
    gs = [grad_ys] if single or grad_ys is None else list(grad_ys)
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
            g = np.asarray(g, y.dtype)
        if g.shape != y.shape:
            raise ShapeError(f"{caller}: y has shape {y.shape}, but the gradient given for it has {g.shape}")
        seeds.append((y, g))
    return seeds


def _apart(gradients):
    """The same gradients, none of them sharing an array with another."""
    seen, results = set(), []
    for g in gradients:
        if g.__class__ is ndarray:
            if id(g) in seen:
                g = g.copy()
            seen.add(id(g))
        results.append(g)
    return results


@functools.partial(primitive, saves="")
def _alias(x):
    return x.view()


_alias.vjp(0)(lambda g, y, x: g)

_tick_of = operator.attrgetter("tick")


class _Pass:
    """One walk from ys back to the places that gradients are wanted for (all leaves if none are named).

    partial: places wanted are ends; what they depend on is not looked at.
    """

    def __init__(self, seeds, wanted, create_graph, retain_graph, partial=False):
        self.seeds, self.create_graph = seeds, create_graph
        self.wanted = None if wanted is None else frozenset(wanted)
        self.retain = create_graph if retain_graph is None else retain_graph
        self.partial = partial
        self.pending = {}  # place -> gradient so far
        self.own = set()  # places whose gradient is an array that this pass made and nothing else holds
        self.zero = False  # whether some rule returned None, a gradient of zero

    def run(self):
        edges = self._mark()
        with _recording(self.create_graph):
            for y, g in self.seeds:
                place = value(y)
                if self.create_graph and g.__class__ is not Tensor:
                    g = Tensor(g)
                elif not self.create_graph and g.__class__ is Tensor:
                    g = g.data
                self._receive(place, g, False)
            found = {}
            for node in sorted(edges, key=_tick_of, reverse=True):
                self._visit(node, edges[node], found)
        for place, g in self.pending.items():
            if self.wanted is None or place in self.wanted:
                found[place] = self._finished(place, g)
        if self.zero:
            self._fill_with_zeros(edges, found)
        return found

    def _fill_with_zeros(self, edges, found):
        """What ys depend on, but only through rules that returned None."""
        for links in edges.values():
            for _, place in links:
                if place not in found and (place.__class__ is Tensor if self.wanted is None else place in self.wanted):
                    zero = np.zeros_like(_array_at(place))
                    found[place] = Tensor(zero) if self.create_graph else zero

    def _mark(self):
        """The nodes whose rules have to run, each with its (position, place) pairs that lead to something wanted."""
        wanted, partial, edges = self.wanted, self.partial, {}
        stack = [y.node for y, _ in self.seeds if y.node is not None]
        if partial:
            stack = [y.node for y, _ in self.seeds if y.node is not None and value(y) not in wanted]
        while stack:
            node = stack.pop()
            if node in edges:
                continue
            if node.args is None:
                raise GraphError(
                    f"backward through {node.op.__name__} a second time: what it saved was freed by the first pass; "
                    "pass retain_graph=True to that one, or detach() what should be a constant"
                )
            edges[node] = links = []
            for position, arg in enumerate(node.args):
                if arg.__class__ is Tensor and arg.requires_grad:
                    origin = arg.node
                    if origin is None:
                        links.append((position, arg))
                    else:
                        place = origin if arg.index is None else (origin, arg.index)
                        links.append((position, place))
                        if origin not in edges and not (partial and place in wanted):
                            stack.append(origin)
        if wanted is None:
            return edges
        # oldest first: whether an argument leads to something wanted is settled before its uses
        leading = {}
        for node in sorted(edges, key=_tick_of):
            links = [
                link
                for link in edges[node]
                if link[1] in wanted or (link[1][0] if link[1].__class__ is tuple else link[1]) in leading
            ]
            if links or node in wanted or self._has_wanted_output(node):
                leading[node] = links
        return leading

    def _has_wanted_output(self, node):
        return node.out.__class__ is tuple and any((node, i) in self.wanted for i in range(len(node.out)))

    def _visit(self, node, links, found):
        pending, wanted, out = self.pending, self.wanted, node.out
        if out.__class__ is tuple:
            g = tuple(pending.pop((node, i), None) for i in range(len(out)))
            if all(part is None for part in g):
                return
            places = [((node, i), part) for i, part in enumerate(g) if part is not None]
        else:
            g = pending.pop(node, None)
            if g is None:
                return
            places = ((node, g),)
        if wanted is not None:
            for place, part in places:
                if place in wanted:
                    found[place] = self._finished(place, part, shared=True)
            if not links:
                return
        if node.tick < writes.latest:
            _refuse_overwritten(node)
        if self.create_graph:  # the same values, attached to the same places
            args = node.args
            y = (
                tuple(Tensor(o, True, node, i) for i, o in enumerate(out))
                if out.__class__ is tuple
                else Tensor(out, True, node)
            )
        else:
            args, y = node.arrays, out
        op, static = node.op, node.static
        if op.joint is None:
            rules = op.rules
            for position, place in links:
                rule = rules.get(position)
                if rule is None:
                    _refuse_without_rule(op, position)
                if watch is not None:
                    rule = watch.rule(op, rule)
                g_arg = rule(g, y, *args, **static)
                self._receive(place, g_arg, _is_fresh(g_arg, g, y, args))
        else:
            for place, g_arg in self._joint(op, g, y, args, static, links):
                self._receive(place, g_arg, False)
        if not self.retain:
            node.args = node.arrays = node.static = None

    def _joint(self, op, g, y, args, static, links):
        rule, covered = op.joint
        rules = op.rules
        if watch is not None:
            rule = watch.rule(op, rule)
            rules = {position: watch.rule(op, other) for position, other in rules.items()}
        asked = {position for position, _ in links if covered is None or position in covered}
        gradients = ()
        if asked:
            gradients = rule(g, y, *args, wanted=tuple(i in asked for i in range(len(args))), **static)
        for position, place in links:
            if position in asked:
                g_arg = gradients[position]
            elif position in rules:
                g_arg = rules[position](g, y, *args, **static)
            else:
                _refuse_without_rule(op, position)
            yield place, g_arg

    def _receive(self, place, g, own):
        """Add a gradient to what a place has. Added up in place only in arrays that this pass made itself."""
        if g is None:
            self.zero = True
            return
        pending = self.pending
        before = pending.get(place)
        if before is None:
            pending[place] = g
            if own:
                self.own.add(place)
        elif place in self.own and g.dtype == before.dtype:
            np.add(before, g, out=before)
        else:
            total = before + g
            pending[place] = total
            if total.__class__ is ndarray:
                self.own.add(place)

    def _finished(self, place, g, shared=False):
        """A gradient as the caller gets it: of the value's dtype, and memory of its own."""
        dtype = _array_at(place).dtype
        if g.__class__ is Tensor:
            return g if g.dtype == dtype else g.astype(dtype)
        if shared or place not in self.own or g.dtype != dtype:
            return np.array(g, dtype)
        return g


def _array_at(place):
    if place.__class__ is Tensor:
        return place.data
    return place[0].out[place[1]] if place.__class__ is tuple else place.out


def _is_fresh(g_arg, g, y, args):
    """Whether a rule made this array, rather than handing on one it was given or a view of it."""
    if g_arg.__class__ is not ndarray or g_arg is g or g_arg is y or y.__class__ is tuple or g_arg.base is not None:
        return False
    for arg in args:
        if arg is g_arg:
            return False
    return True


def _refuse_without_rule(op, position):
    raise GraphError(
        f"{op.__name__} has no rule for its argument {position}; register one with @{op.__name__}.vjp({position}), "
        "or detach() the argument"
    )


def _refuse_overwritten(node):
    unsaved = node.op.unsaved
    kept = [(f"argument {i}", a) for i, a in enumerate(node.arrays) if i not in unsaved]
    if -1 not in unsaved:
        kept += [("result", o) for o in (node.out if node.out.__class__ is tuple else (node.out,))]
    for name, array in kept:
        if isinstance(array, ndarray) and writes.written_after(array, node.tick):
            raise GraphError(
                f"backward through {node.op.__name__}: its {name}, of shape {array.shape}, was written in place after "
                "the forward pass used it; take the step after backward(), or give the forward pass a copy"
            )
