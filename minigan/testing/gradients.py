"""Compare gradients with central differences, and check adjoints by their definition.

Let S0(x, u) = <u, f(x)> for a random upstream gradient u, and S1 = <grad S0, v>, S2 = <grad S1, v'>, ... for random
directions v, v', ... The exact derivative of S(k-1) along a direction must equal its central difference. This checks
the gradients of order k, with respect to every argument and the upstream gradient, with two more values of S(k-1).
Since the differences are of exact derivatives, each order is checked as accurately as the one before.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from minigan.autograd import grad
from minigan.autograd.graph import keeping
from minigan.autograd.tensor import Tensor

# A central difference with step h has a truncation error of h^2 / 6 of the third derivative, and a rounding error of
# eps / h of the value. h = eps^(1/3) makes both about 1e-11. RELATIVE allows a third derivative about a thousand times
# the first, ROUNDING a few hundred accumulated rounding errors. A wrong factor or element causes a far larger error.
STEP = np.finfo(np.float64).eps ** (1 / 3)
RELATIVE = 1e-7
ROUNDING = 256 * np.finfo(np.float64).eps / STEP
ELEMENTS = 1000  # arrays of up to this many elements are also checked one by one, to report which is wrong


def check_grads(
    f: Callable,
    args: Sequence | np.ndarray | Tensor,
    order: int = 2,
    *,
    seed: int = 0,
    float32: bool = True,
    tolerance: float = RELATIVE,
) -> None:
    """Raise AssertionError unless the gradients of f at args are correct, up to `order`.

    f: takes Tensors, returns one or a tuple of them; args must be at least 1e-5 away from its kinks
    args: floating point arrays or Tensors, whose gradients are checked in float64; other values are passed on. A
        single array or Tensor need not be in a list
    seed: for the random upstream gradient and directions
    float32: also check that float32 arguments give float32 results and gradients
    tolerance: the allowed difference of exact and numeric derivative, relative to the sum of its terms' magnitudes

    Also checks that arguments are unchanged; that each gradient has the dtype and shape of its argument, and shares no
    memory with another gradient, an argument or the upstream gradient; that gradients with respect to intermediate
    values equal those with respect to leaves, at every order; and that each gradient is the same if requested alone.
    """
    args = [args] if isinstance(args, Tensor | np.ndarray) else args
    point = _Point(f, args, seed)
    before = [np.array(a) for a in point.arrays]
    point.check_ownership()
    point.check_alone()
    for k in range(1, order + 1):
        point.check_order(k, tolerance)
    point.check_intermediates(order)
    if float32:
        _check_float32(f, args)
    for i, (array, copy) in enumerate(zip(point.arrays, before, strict=True)):
        if array.tobytes() != copy.tobytes():
            raise AssertionError(f"{point.names[i]} was changed by computing with it: now {array}, before {copy}")


class _Point:
    """A function, its arguments in float64, and the upstream gradients and directions drawn for them."""

    def __init__(self, f, args, seed):
        self.f, self.seed = f, seed
        given = [a.data if isinstance(a, Tensor) else a for a in args]
        self.constants = [None if _is_float(a) else (arg,) for a, arg in zip(given, args, strict=True)]
        arguments = [np.asarray(a, np.float64) for a in given if _is_float(a)]
        if not arguments:
            raise AssertionError("check_grads: there is nothing to check, as no argument is a floating point array")
        ys = self.call([Tensor(a, True) for a in arguments])
        if not any(y.requires_grad for y in ys):
            raise AssertionError(
                "check_grads: the result of f does not depend on its arguments in a differentiable way"
            )
        rng = np.random.default_rng(seed)
        upstream = [_away_from_zero(rng, y.shape) for y in ys]
        self.count = len(arguments)
        self.arrays = [*arguments, *upstream]
        places = [i for i, constant in enumerate(self.constants) if constant is None]
        self.names = [f"argument {i}" for i in places] + [f"upstream gradient {j}" for j in range(len(ys))]

    def call(self, xs):
        """Call f with xs in place of the floating point arguments, and return its results as a tuple."""
        xs = iter(xs)
        ys = self.f(*(next(xs) if constant is None else constant[0] for constant in self.constants))
        ys = ys if isinstance(ys, tuple) else (ys,)
        if not all(isinstance(y, Tensor) for y in ys):
            raise AssertionError("check_grads: f must return a Tensor or a tuple of Tensors when called with Tensors")
        return ys

    def projected(self, values):
        """S0 for Tensors of arguments and upstream gradients, and the sum of its terms' magnitudes."""
        ys = self.call(values[: self.count])
        return _inner(values[self.count :], ys)

    def directions(self, k):
        rng = np.random.default_rng([self.seed, k])
        return [_away_from_zero(rng, a.shape) for a in self.arrays]

    def derivative(self, arrays, k, intermediate=False):
        """S(k) at these arrays, the sum of its terms' magnitudes, and the Tensors that it is a function of."""
        values = [Tensor(a, True) for a in arrays]
        if intermediate:
            values = [v * 1.0 for v in values]
        S, magnitude = self.projected(values)
        for order in range(1, k + 1):
            S, magnitude = _inner(_gradients(S, values, create_graph=True), self.directions(order))
        return S, magnitude, values

    def check_order(self, k, tolerance):
        S, magnitude, values = self.derivative(self.arrays, k - 1)
        gradients = _gradients(S, values)
        for i, (name, direction) in enumerate(zip(self.names, self.directions(k), strict=True)):
            terms = gradients[i] * direction
            exact = terms.sum()
            ahead, behind = (self.moved(i, sign * STEP * direction, k - 1) for sign in (1, -1))
            numeric = (ahead - behind) / (2 * STEP)
            allowed = tolerance * np.abs(terms).sum() + ROUNDING * magnitude
            if not abs(exact - numeric) <= allowed:  # also true if one of them is NaN
                raise AssertionError(
                    f"order {k} gradient with respect to {name}, of shape {self.arrays[i].shape}: "
                    f"exact {exact:.12g}, numeric {numeric:.12g}, difference {abs(exact - numeric):.3g}, "
                    f"allowed {allowed:.3g} (seed {self.seed}){self.worst_element(i, k, gradients[i])}"
                    f"{self.wrong_operation(k, tolerance)}"
                )

    def worst_element(self, i, k, gradient):
        """The end of a message: the element of array i with the worst gradient, and the ratio there."""
        if not 0 < gradient.size <= ELEMENTS:
            return ""
        numeric = np.empty(gradient.shape)
        for index in np.ndindex(gradient.shape):
            step = np.zeros(gradient.shape)
            step[index] = STEP
            numeric[index] = (self.moved(i, step, k - 1) - self.moved(i, -step, k - 1)) / (2 * STEP)
        apart = np.abs(gradient - numeric)
        worst = np.unravel_index(np.where(np.isnan(apart), np.inf, apart).argmax(), gradient.shape)
        ratio = f", a ratio of {gradient[worst] / numeric[worst]:.6g}" if numeric[worst] else ""
        element = f"element {tuple(map(int, worst))}" if worst else "its only element"
        return f"; worst at {element}: {gradient[worst]:.6g} instead of {numeric[worst]:.6g}{ratio}"

    def wrong_operation(self, k, tolerance):
        """The end of a message: the first operation called by f whose own rules are wrong for its arguments."""
        with keeping():
            ys = self.call([Tensor(a, True) for a in self.arrays[: self.count]])
        nodes, waiting = {}, [y.node for y in ys if y.node is not None]
        while waiting:
            node = waiting.pop()
            if id(node) not in nodes:
                nodes[id(node)] = node
                waiting += [arg.node for arg in node.args if isinstance(arg, Tensor) and arg.node is not None]
        if len(nodes) == 1:
            return f"; the rule is one of {next(iter(nodes.values())).op.__name__}"
        for node in sorted(nodes.values(), key=lambda node: node.tick):
            try:
                alone = _Point(functools.partial(node.op, **node.static), node.arrays, self.seed)
            except AssertionError:  # this operation alone cannot be checked
                continue
            alone.wrong_operation = alone.worst_element = lambda *_: ""
            try:
                alone.check_order(k, tolerance)
            except AssertionError:
                return f"; the rules of {node.op.__name__} are wrong there"
        return ""

    def moved(self, i, step, k):
        """S(k) with array i moved by a step."""
        arrays = list(self.arrays)
        arrays[i] = arrays[i] + step
        return float(self.derivative(arrays, k)[0].data)

    def check_ownership(self):
        """Check that each gradient has its argument's dtype and shape, and shares no memory."""
        xs = [Tensor(a, True) for a in self.arrays[: self.count]]
        ys = self.call(xs)
        upstream = self.arrays[self.count :]
        used = [y.requires_grad for y in ys]
        ys = [y for y, u in zip(ys, used, strict=True) if u]
        upstream = [g for g, u in zip(upstream, used, strict=True) if u]
        gradients = grad(ys, [*xs, *ys], upstream, allow_unused=True)
        names = [*self.names[: self.count], *(f"result {j}" for j in range(len(ys)))]
        others = [(f"the value of {n}", t.data) for n, t in zip(names, [*xs, *ys], strict=True)]
        others += [(f"upstream gradient {j}", g) for j, g in enumerate(upstream)]
        for name, x, g in zip(names, [*xs, *ys], gradients, strict=True):
            if g is None:
                continue
            if g.shape != x.shape or g.dtype != x.dtype:
                raise AssertionError(
                    f"the gradient of {name} has shape {g.shape} and dtype {g.dtype}, expected {x.shape} and {x.dtype}"
                )
            if not g.flags.writeable:
                raise AssertionError(f"the gradient of {name} is read-only: a view of something else")
            for other, array in others:
                if np.shares_memory(g, array):
                    raise AssertionError(f"the gradient of {name} shares memory with {other}")
            others.append((f"the gradient of {name}", g))

    def check_alone(self):
        """Check each gradient requested alone, with constants for the other arguments."""
        S, _, values = self.derivative(self.arrays, 0)
        together = _gradients(S, values)
        for i in range(self.count):
            values = [Tensor(a, j == i) for j, a in enumerate(self.arrays)]
            alone = _gradients(self.projected(values)[0], [values[i]])[0]
            self.same(together[i], alone, f"order 1 gradient with respect to {self.names[i]}: requested alone, it is")

    def check_intermediates(self, order):
        for k in range(order):
            leaves, inside = (self.derivative(self.arrays, k, intermediate) for intermediate in (False, True))
            pairs = zip(_gradients(leaves[0], leaves[2]), _gradients(inside[0], inside[2]), strict=True)
            for name, (g_leaf, g_inside) in zip(self.names, pairs, strict=True):
                self.same(g_leaf, g_inside, f"order {k + 1} gradient with respect to {name}: as an intermediate, it is")

    def same(self, expected, actual, words):
        apart = np.abs(_values(actual) - expected)
        if not (apart <= 1e-10 * np.abs(expected).max(initial=0)).all():  # also true if one of them is NaN
            raise AssertionError(f"{words} {actual}, but {expected} as a leaf together with the others")


def check_adjoint(forward: Callable, adjoint: Callable, x, y) -> None:
    """Raise AssertionError unless <forward(x), y> = <x, adjoint(y)>, the definition of an adjoint.

    The two sides may differ by 100 eps of the product of the norms, to allow for rounding.
    """
    x, y = _values(x), _values(y)
    image, preimage = (_values(v) for v in (forward(x), adjoint(y)))
    if image.shape != y.shape or preimage.shape != x.shape:
        raise AssertionError(
            f"forward maps {x.shape} to {image.shape} and adjoint maps {y.shape} to {preimage.shape}, but an adjoint "
            "must map the shape of forward's result to the shape of its argument"
        )
    left, right = inner(image, y), inner(x, preimage)
    size = np.linalg.norm(image) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(preimage)
    if not abs(left - right) <= 100 * np.finfo(image.dtype).eps * size:
        raise AssertionError(f"<forward(x), y> = {left:.12g}, but <x, adjoint(y)> = {right:.12g}")


def inner(a, b) -> float:
    """The inner product of two arrays or Tensors of the same shape, in float64."""
    a, b = _values(a), _values(b)
    if a.shape != b.shape:
        raise AssertionError(f"inner: shapes {a.shape} and {b.shape} differ")
    return float(np.sum(a * b.astype(np.float64)))


def _check_float32(f, args):
    """Check that float32 arguments give float32 results and gradients."""
    xs = [a.data if isinstance(a, Tensor) else a for a in args]
    xs = [Tensor(np.asarray(a, np.float32), True) if _is_float(a) else arg for a, arg in zip(xs, args, strict=True)]
    ys = f(*xs)
    ys = [y for y in (ys if isinstance(ys, tuple) else (ys,)) if y.requires_grad]
    wanted = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]
    seeds = [np.ones_like(y.data) for y in ys]
    again = grad(ys, wanted, seeds, create_graph=True, allow_unused=True)
    plain = grad(ys, wanted, seeds, allow_unused=True)
    for name, values in (("result", ys), ("differentiable gradient", again), ("gradient", plain)):
        for i, v in enumerate(values):
            if v is not None and v.dtype != np.float32:
                raise AssertionError(f"with float32 arguments, {name} {i} is {v.dtype}")


def _gradients(S, values, create_graph=False):
    """The gradients of S; zeros for values that it does not depend on."""
    if not S.requires_grad:
        return [np.zeros(v.shape) for v in values]
    gradients = grad(S, values, create_graph=create_graph, allow_unused=True)
    return [np.zeros(v.shape) if g is None else g for g, v in zip(gradients, values, strict=True)]


def _inner(lefts, rights):
    """The sum of inner products as a Tensor, and the sum of their terms' magnitudes."""
    total, magnitude = Tensor(np.zeros(())), 0.0
    for left, right in zip(lefts, rights, strict=True):
        product = left * right
        total = total + product.sum()
        magnitude += float(np.abs(_values(product)).sum())
    return total, magnitude


def _away_from_zero(rng, shape):
    """Random numbers with magnitudes from 0.5 to 1.5, so that every term contributes."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def _values(x):
    """The values of an array or Tensor."""
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)


def _is_float(value):
    return isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")
