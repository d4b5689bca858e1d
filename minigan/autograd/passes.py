"""The walk back through what was recorded, newest first.

A value is its place in the graph (a node, or a node and an output's index), or itself if it is a leaf. Two Tensors
can share a place, so a Tensor's identity is never the answer.
"""

from __future__ import annotations

import operator
from sys import getrefcount

import numpy as np

from minigan import devices
from minigan.autograd import graph, memory
from minigan.autograd.graph import recording, value
from minigan.autograd.tensor import Tensor
from minigan.errors import GraphError

ndarray = np.ndarray
LITTLE = 64  # bytes that a kernel's result may have before and after it (LINE_BYTES)
_tick_of = operator.attrgetter("tick")


class Pass:
    """One walk from ys back to the places that gradients are wanted for (all leaves if none are named).

    partial: the pass ends at the places that are wanted, and does not look at what they depend on.
    """

    def __init__(self, seeds, wanted, create_graph, retain_graph, partial=False):
        self.seeds, self.create_graph = seeds, create_graph
        self.wanted = None if wanted is None else frozenset(wanted)
        self.retain = create_graph if retain_graph is None else retain_graph
        self.partial, self.watch = partial, graph.watch
        self.pending = {}  # place -> gradient so far
        self.zero = False  # whether some rule returned None, a gradient of zero

    def run(self):
        edges = self._mark()
        pending, found = self.pending, {}
        with recording(self.create_graph):
            for y, g in self.seeds:
                if self.create_graph and g.__class__ is not Tensor:
                    g = Tensor(g)
                elif not self.create_graph and g.__class__ is Tensor:
                    g = g.data
                self._add(value(y), g)
            for node in sorted(edges, key=_tick_of, reverse=True):
                if node.out.__class__ is not tuple:
                    g = pending.pop(node, None)
                else:
                    g = self._of_outputs(node)
                if g is not None:
                    self._visit(node, g, edges[node], found)
        for place in list(pending):
            g = pending.pop(place)
            alone = getrefcount(g) == ALONE  # asked before g is also an argument of a call
            if self.wanted is None or place in self.wanted:
                found[place] = self._finished(place, g, alone)
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

    def _of_outputs(self, node):
        """The gradients of a node's outputs, a tuple; None if no output has one."""
        parts = tuple(self.pending.pop((node, i), None) for i in range(len(node.out)))
        return None if all(part is None for part in parts) else parts

    def _visit(self, node, g, links, found):
        """Pass a node's gradient on to its arguments by the rules of its operation."""
        out, op, pending = node.out, node.op, self.pending
        if self.wanted is not None:
            self._keep_wanted(node, g, found)
            if not links:
                return
        if node.tick < memory.latest:
            _refuse_overwritten(node)
        if not self.create_graph:
            args, y = node.arrays, out
        else:  # the same values, attached to the same places
            args = node.args
            if out.__class__ is not tuple:
                y = Tensor(out, True, node)
            else:
                y = tuple(Tensor(o, True, node, i) for i, o in enumerate(out))
        if op.joint is None and self.watch is None:
            rules, static = op.rules, node.static
            for position, place in links:
                if position not in rules:
                    _refuse_without_rule(op, position)
                rule = rules[position]
                part = rule(g, y, *args, **static) if static else rule(g, y, *args)
                if place in pending or part is None:
                    self._add(place, part)
                else:
                    pending[place] = part
        else:
            for place, part in self._joint(op, g, y, args, node.static, links):
                self._add(place, part)
        if not self.retain:
            node.args = node.arrays = node.static = None
            if out.__class__ is not ndarray or out.nbytes >= memory.LARGE:
                memory.drop_result(node)

    def _keep_wanted(self, node, g, found):
        """Keep the gradients of outputs that the caller asked for, as copies, since they are also passed on."""
        if node.out.__class__ is not tuple:
            if node in self.wanted:
                found[node] = self._finished(node, g, False)
        else:
            for i, part in enumerate(g):
                if part is not None and (node, i) in self.wanted:
                    found[node, i] = self._finished((node, i), part, False)

    def _joint(self, op, g, y, args, static, links):
        """Pairs of a place and its gradient, from the joint rule if it applies, else from each argument's rule."""
        rule, covered = op.joint or (None, ())
        rules = op.rules
        if self.watch is not None:
            rule = rule and self.watch.rule(op, rule)
            rules = {position: self.watch.rule(op, other) for position, other in rules.items()}
        asked = {position for position, _ in links if covered is None or position in covered}
        gradients = ()
        if asked:
            gradients = rule(g, y, *args, wanted=tuple(i in asked for i in range(len(args))), **static)
        pairs = []
        for position, place in links:
            if position in asked:
                part = gradients[position]
            else:
                rule = rules.get(position) or _refuse_without_rule(op, position)
                part = rule(g, y, *args, **static)
            pairs.append((place, part))
        return pairs

    def _add(self, place, g):
        """Add a gradient to what a place has, in place if nothing else holds that array.

        Something else may: rules can return their arguments or keep their results, and then two places, or a place and
        a caller, share an array.
        """
        pending = self.pending
        before = pending.get(place)
        if g is None:
            self.zero = True
        elif before is None:
            pending[place] = g
        elif (
            _is_array(before)
            and getrefcount(before) == ALONE + 1  # `pending` holds it too
            and (before.base is None or _owns_memory(before))
            and g.dtype is before.dtype
        ):
            before += g
        else:
            pending[place] = before + g

    def _finished(self, place, g, alone):
        """A gradient as the caller gets it: of the value's dtype, in memory of its own.

        alone: whether nothing else holds it
        """
        array = _array_at(place)
        dtype = array.dtype
        if np.shape(g) != array.shape:
            raise GraphError(
                f"a rule gave a gradient of shape {np.shape(g)} to a value of shape {array.shape}; "
                "mg.testing.check_grads finds out which"
            )
        if self.create_graph and g.__class__ is not Tensor:
            g = Tensor(graph.as_array(g))
        if g.__class__ is Tensor:
            return g if g.dtype == dtype else g.astype(dtype)
        if alone and _is_array(g) and _owns_memory(g) and g.dtype == dtype:
            return g
        return graph.as_array(g).astype(dtype)


def _array_at(place):
    if place.__class__ is Tensor:
        return place.data
    return place[0].out[place[1]] if place.__class__ is tuple else place.out


def _is_array(value):
    """Whether this is an array, on any device."""
    return value.__class__ is ndarray or devices.device_of(value) != "cpu"


def _owns_memory(array):
    """Whether nothing else can see this array's memory: it owns it, or is the only view of the array that does.

    Such a view has no repeated elements and leaves at most LITTLE of that memory unused.
    """
    base = array.base
    return base is None or (
        base.__class__ is ndarray
        and base.base is None
        and 0 <= base.nbytes - array.nbytes <= LITTLE
        and array.flags.forc
        and array.flags.writeable
        and getrefcount(base) == ALONE + 1  # the view holds it too
    )


def _references_to_one_holder():
    array = np.empty(0)
    return getrefcount(array)


ALONE = _references_to_one_holder()  # what getrefcount says of an array that only one local variable holds


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
        if hasattr(array, "dtype") and memory.written_after(array, node.tick):
            raise GraphError(
                f"backward through {node.op.__name__}: its {name}, of shape {array.shape}, was written in place after "
                "the forward pass used it; take the step after backward(), or give the forward pass a copy"
            )
