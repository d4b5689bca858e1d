"""The walk back through what was recorded, newest first.

A value is its place in the graph (a node, or a node and an output's index), or itself if it is a leaf. Two Tensors
can share a place, so a Tensor's identity is never the answer.
"""

from __future__ import annotations

import operator
import sys

import numpy as np

from minigan import graph, writes
from minigan.errors import GraphError
from minigan.graph import recording, value
from minigan.tensor import Tensor

ndarray = np.ndarray
_tick_of = operator.attrgetter("tick")


class Pass:
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
        with recording(self.create_graph):
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
                if graph.watch is not None:
                    rule = graph.watch.rule(op, rule)
                g_arg = rule(g, y, *args, **static)
                # made by the rule and held by nobody else: not handed on, not kept, not a view
                own = g_arg.__class__ is ndarray and g_arg.base is None and sys.getrefcount(g_arg) == ALONE
                self._receive(place, g_arg, own)
        else:
            gradients = list(self._joint(op, g, y, args, static, links))
            for place, g_arg in gradients:  # which the list holds too
                own = g_arg.__class__ is ndarray and g_arg.base is None and sys.getrefcount(g_arg) == ALONE + 1
                self._receive(place, g_arg, own)
        if not self.retain:
            node.args = node.arrays = node.static = None

    def _joint(self, op, g, y, args, static, links):
        rule, covered = op.joint
        rules = op.rules
        if graph.watch is not None:
            rule = graph.watch.rule(op, rule)
            rules = {position: graph.watch.rule(op, other) for position, other in rules.items()}
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
        array = _array_at(place)
        dtype = array.dtype
        if np.shape(g) != array.shape:
            raise GraphError(
                f"a rule gave a gradient of shape {np.shape(g)} to a value of shape {array.shape}; "
                "mg.testing.check_grads finds out which"
            )
        if self.create_graph and g.__class__ is not Tensor:
            g = Tensor(np.asarray(g))
        if g.__class__ is Tensor:
            return g if g.dtype == dtype else g.astype(dtype)
        if shared or place not in self.own or g.dtype != dtype:
            return np.array(g, dtype)
        return g


def _array_at(place):
    if place.__class__ is Tensor:
        return place.data
    return place[0].out[place[1]] if place.__class__ is tuple else place.out


def _references_to_one_holder():
    array = np.empty(0)
    return sys.getrefcount(array)


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
        if isinstance(array, ndarray) and writes.written_after(array, node.tick):
            raise GraphError(
                f"backward through {node.op.__name__}: its {name}, of shape {array.shape}, was written in place after "
                "the forward pass used it; take the step after backward(), or give the forward pass a copy"
            )
