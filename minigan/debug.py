"""Find the operation that produces a NaN.

    with mg.debug.trace_nans(generator=generator, critic=critic):
        loss = ...
        loss.backward()

raises at the first operation, forward or backward, that produces a NaN from inputs without one. The error names the
operation and its layer.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

import numpy as np

from minigan.autograd import graph
from minigan.autograd.tensor import Tensor
from minigan.errors import MiniganError


class NanError(MiniganError, FloatingPointError):
    """An operation produced a NaN (or, if requested, an infinity) from inputs without one."""


@contextlib.contextmanager
def trace_nans(*, inf: bool = False, **modules) -> Iterator[Watch]:
    """Raise NanError at the first operation whose result contains a NaN although its inputs contain none.

    inf: look for infinities too
    modules: names of the outermost modules in the message, for example generator=g; their parts have names already
    Every result is checked, so computation is slower inside, and values that no rule reads are kept. NumPy's own
    warnings about invalid values are disabled inside. All threads are watched.
    """
    before, watch = graph.watch, Watch(inf, modules)
    try:
        graph.watch = watch
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            yield watch
    finally:
        graph.watch = before


class Watch:
    """Observes every result, every rule and the running layer while NaNs are traced."""

    def __init__(self, inf: bool, modules: dict):
        self.inf = inf
        self.names = {id(module): name for name, module in modules.items()}
        self.here = threading.local()  # .layers: (name, module) of running layers; .rules: operations in backward
        self.made_in = {}  # id of a result's array -> (a weak reference that removes the entry, the layer's path)

    # ------------------------------------------------------------------------------------------ autograd

    def forward(self, op, arrays, out):
        """Check a primitive's result, and return it as arrays."""
        out = out if isinstance(out, tuple) else np.asarray(out)
        if self.found_in(out) and not self.found_in(arrays):
            rules = getattr(self.here, "rules", ())
            if rules:  # inside a rule that is recorded for a second derivative, or that recomputes a segment
                outer, layer = rules[-1]
                self.refuse(outer, arrays, out, f" after its {_name(op)}", layer or None, backward=True)
            self.refuse(op, arrays, out)
        for array in out if isinstance(out, tuple) else (out,):
            self.remember(array)
        return out

    def rule(self, op, rule):
        """Wrap a rule to check its gradients."""

        def watched(g, y, *args, **static):
            layer = self.layer_of(y[0] if isinstance(y, tuple) else y)
            before = getattr(self.here, "rules", ())
            self.here.rules = (*before, (op, layer))
            try:
                gradients = rule(g, y, *args, **static)
            finally:
                self.here.rules = before
            if self.found_in(gradients) and not self.found_in((g, y, args)):
                self.refuse(op, args, gradients, "", layer, backward=True)
            if self.found_in(g) and not self.found_in((y, args)):  # from backward()'s argument, or a sum of gradients
                self.refuse(op, args, g, " in the gradient that reaches its result", layer, backward=True)
            return gradients

        return watched

    # -------------------------------------------------------------------------------------------- layers

    @contextlib.contextmanager
    def layer(self, module):
        """A context around a module's forward, which names the module by its path in its caller."""
        layers = getattr(self.here, "layers", ())
        name = self.names.get(id(module))
        if name is None and layers:
            parent, caller = layers[-1]
            part = next((n for n, m in caller.named_modules() if m is module), None)
            name = f"{parent}.{part}" if part else None
        self.here.layers = (*layers, (name or type(module).__name__, module))
        try:
            yield
        finally:
            self.here.layers = layers

    def current_layer(self) -> str:
        layers = getattr(self.here, "layers", ())
        if not layers:
            return ""
        path, module = layers[-1]
        kind = type(module).__name__
        return path if path == kind else f"{path} {kind}"

    def remember(self, array):
        layer = self.current_layer()
        if layer:
            key = id(array)
            self.made_in[key] = weakref.ref(array, lambda _: self.made_in.pop(key, None)), layer

    def layer_of(self, result) -> str:
        array = result.data if isinstance(result, Tensor) else result
        known, layer = self.made_in.get(id(array), (lambda: None, ""))
        return layer if known() is array else ""

    # -------------------------------------------------------------------------------------------- checks

    def found_in(self, values) -> bool:
        """Whether an array, a Tensor, or a tuple or list of them contains a NaN (or an infinity, if requested)."""
        if isinstance(values, tuple | list):
            return any(map(self.found_in, values))
        array = values.data if isinstance(values, Tensor) else values
        if not isinstance(array, np.ndarray | np.floating | float) or np.asarray(array).dtype.kind != "f":
            return False
        return not np.isfinite(array).all() if self.inf else bool(np.isnan(array).any())

    def refuse(self, op, arguments, result, where="", layer=None, backward=False):
        layer = self.current_layer() if layer is None else layer
        shapes = ", ".join(str(np.shape(a.data if isinstance(a, Tensor) else a)) for a in arguments)
        raise NanError(
            f"{'the gradient of ' if backward else ''}{_name(op)}{f' in {layer}' if layer else ''}, called with "
            f"shapes {shapes}: {self.count(result)}{where}, but none in its inputs"
        )

    def count(self, result):
        parts = [
            np.asarray(r.data if isinstance(r, Tensor) else r)
            for r in (result if isinstance(result, tuple) else (result,))
            if r is not None
        ]
        bad = sum(int(np.count_nonzero(~np.isfinite(p) if self.inf else np.isnan(p))) for p in parts)
        return f"{bad} of {sum(p.size for p in parts)} values are {'NaN or infinite' if self.inf else 'NaN'}"


def _name(op):
    return op.__name__
