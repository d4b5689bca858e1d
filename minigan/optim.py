"""Optimisers, learning-rate schedules and gradient clipping.

An optimiser takes a list of parameters, or a list of groups that override its settings:

    Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))
    SGD([{"parameters": body}, {"parameters": head, "lr": 0.1}], lr=0.01)

`step(gradients)` takes what `mg.grad` returned; `step()` uses what `backward()` left in `.grad`. Each update is one
pass over all parameters. The state of an optimiser is kept in the order of its parameters and can be saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from numbers import Integral, Number, Real

import numpy as np

from minigan import devices, kernels
from minigan.autograd import writes
from minigan.autograd.tensor import Tensor
from minigan.errors import DtypeError, GraphError, MiniganError, ShapeError
from minigan.kernels import capture
from minigan.ops.checks import constructor


class Optimiser:
    """What all optimisers share: groups of parameters with settings, and one state of arrays for each parameter."""

    moments: tuple[str, ...] = ()  # the names of the arrays kept for each parameter

    @constructor
    def __init__(self, parameters: Iterable, **settings):
        given = list(parameters)
        groups = given if given and isinstance(given[0], dict) else [{"parameters": given}]
        if not all(isinstance(group, dict) and "parameters" in group for group in groups):
            raise MiniganError(f"{type(self).__name__}: each group is a dictionary with a list of 'parameters'")
        self.groups = [{**settings, **group, "parameters": list(group["parameters"])} for group in groups]
        name = type(self).__name__
        for group in self.groups:
            unknown = set(group) - set(settings) - {"parameters"}
            if unknown:
                raise MiniganError(
                    f"{name}: a group has unknown settings {sorted(unknown)}; known are {list(settings)}"
                )
            self._check(group)
        everything = [p for group in self.groups for p in group["parameters"]]
        if not everything or not all(isinstance(p, Tensor) and p.is_leaf for p in everything):
            raise MiniganError(
                f"{name}: needs a list of parameters (leaf Tensors), got {everything or 'an empty list'}"
            )
        for p in everything:
            if p.dtype.kind != "f":
                raise DtypeError(f"{name}: a parameter of shape {p.shape} is {p.dtype}, which has no gradients")
            flags = p.data.flags
            if not flags.c_contiguous or not getattr(flags, "writeable", True):
                raise MiniganError(
                    f"{name}: a parameter of shape {p.shape} is not contiguous or read-only, and cannot be updated "
                    "in place; mg.tensor(..., requires_grad=True) makes one that can"
                )
        if len(set(map(id, everything))) != len(everything):
            raise MiniganError(f"{name}: a parameter is listed twice and would be updated twice a step")
        self.parameters = everything
        self._group_of = [group for group in self.groups for _ in group["parameters"]]
        self.steps = 0
        self.state = [{} for _ in everything]

    def _check(self, group):
        for setting in {"lr", "momentum", "decay", "eps", "weight_decay"} & set(group):
            given = group[setting]
            if not isinstance(given, Real) or not 0 <= given < math.inf:
                name = "the learning rate" if setting == "lr" else setting
                raise MiniganError(f"{type(self).__name__}: {name} is {given!r}, but it is a number from 0 up")

    def step(self, gradients: Sequence | None = None) -> None:
        """Update every parameter that has a gradient.

        gradients: one for each parameter in order (None leaves it as it is), or None to use `.grad`
        """
        if gradients is None:
            gradients = [p.grad for p in self.parameters]
            if not any(g is not None for g in gradients):
                raise GraphError(
                    f"{type(self).__name__}.step: no parameter has a gradient; call backward() on the loss first"
                )
        if not isinstance(gradients, Sequence) or not all(g is None or hasattr(g, "dtype") for g in gradients):
            raise ShapeError(f"{type(self).__name__}.step: gradients are a list of arrays, one for each parameter")
        if len(gradients) != len(self.parameters):
            raise ShapeError(
                f"{type(self).__name__}.step: {len(gradients)} gradients for {len(self.parameters)} parameters"
            )
        together = {}  # what one call of a kernel can update
        for parameter, gradient, state, group in zip(
            self.parameters, gradients, self.state, self._group_of, strict=True
        ):
            if gradient is not None:
                data = parameter.data
                gradient = gradient.data if gradient.__class__ is Tensor else gradient
                if gradient.shape != data.shape:
                    raise ShapeError(
                        f"{type(self).__name__}.step: a gradient has shape {gradient.shape}, its parameter {data.shape}"
                    )
                if gradient.dtype != data.dtype:
                    if gradient.dtype.kind not in "fiub":
                        raise DtypeError(f"{type(self).__name__}.step: a gradient is {gradient.dtype}; they are real")
                    gradient = gradient.astype(data.dtype)
                key = id(group), state.get("step", 0), data.dtype
                together.setdefault(key, (group, []))[1].append((data, gradient, state))
        capture.each_time(self._count)
        for group, updates in together.values():
            for data, _, state in updates:
                if not state:
                    self._begin(state, data)
            parameters, gradients, states = zip(*updates, strict=True)
            moments = [[state[name] for state in states] for name in self.moments]
            # both are read again at each replay of a captured step
            step, rate = capture.number(partial(_advance, states)), capture.number(partial(group.get, "lr"))
            self._update(kernels.of(parameters[0]), parameters, gradients, *moments, group, rate, step)
            for data in parameters:
                writes.note(data)

    def _count(self):
        self.steps += 1

    def _begin(self, state, data):
        capture.refuse(f"makes the state of {type(self).__name__}")
        state.update(step=0, **{name: np.zeros_like(data) for name in self.moments})

    def _update(self, kernel, parameters, gradients, *moments_group_rate_step):
        """Update parameters of one group and dtype in place: arrays, their gradients and moments, as lists."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients that `backward()` left."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict:
        """Copies of the state and the settings: numbers, strings and arrays only."""
        return {
            "steps": self.steps,
            "state": [_copied(state) for state in self.state],
            "groups": [{k: v for k, v in group.items() if k != "parameters"} for group in self.groups],
        }

    def load_state_dict(self, saved: dict) -> None:
        """Take over what `state_dict` returned for the same parameters; changes nothing if it does not fit."""
        if not _is_saved(saved):
            raise ShapeError(f"{type(self).__name__}.load_state_dict: it takes what state_dict() returned")
        if len(saved["state"]) != len(self.state) or len(saved["groups"]) != len(self.groups):
            raise ShapeError(
                f"{type(self).__name__}.load_state_dict: saved for {len(saved['state'])} parameters in "
                f"{len(saved['groups'])} groups, but here are {len(self.state)} in {len(self.groups)}"
            )
        for parameter, state in zip(self.parameters, saved["state"], strict=True):
            if state and (set(state) != {"step", *self.moments} or state_shapes(state) - {parameter.shape}):
                raise ShapeError(f"{type(self).__name__}.load_state_dict: state of another optimiser or parameter")
        for group, settings in zip(self.groups, saved["groups"], strict=True):
            self._check({**group, **settings})
        self.steps = saved["steps"]
        for mine, state, parameter in zip(self.state, saved["state"], self.parameters, strict=True):
            _overwrite(mine, state, parameter.data)
        for group, settings in zip(self.groups, saved["groups"], strict=True):
            group.update(settings)


def _is_saved(saved) -> bool:
    """Whether something is built as what `state_dict` returns."""
    if not isinstance(saved, dict) or not isinstance(saved.get("steps"), Integral):
        return False
    lists = saved.get("state"), saved.get("groups")
    if not all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in lists):
        return False
    return all(
        isinstance(value, Integral) if name == "step" else getattr(getattr(value, "dtype", None), "kind", "") == "f"
        for state in saved["state"]
        for name, value in state.items()
    )


def _advance(states) -> int:
    """The number of the next step of all these parameters' states, which is written down in each."""
    step = states[0]["step"] + 1
    for state in states:
        state["step"] = step
    return step


def _overwrite(mine: dict, saved: dict, like) -> None:
    """Make a parameter's state what was saved, in the arrays that it has: a captured step knows no others.

    like: the parameter; where there are no arrays, they are made of its dtype, on its device
    """
    if mine.keys() != saved.keys():
        mine.clear()
        mine.update({name: value if name == "step" else np.zeros_like(like) for name, value in saved.items()})
    for name, value in saved.items():
        if name == "step":
            mine[name] = value
        else:
            mine[name][...] = devices.move(devices.to_cpu(value), devices.device_of(like))


def _copied(state: dict) -> dict:
    return {name: value if name == "step" else value.copy() for name, value in state.items()}


def state_shapes(state: dict) -> set:
    """The shapes of the arrays in a parameter's state."""
    return {v.shape for k, v in state.items() if k != "step"}


class SGD(Optimiser):
    """p -= lr * v, v = momentum * v + g; with Nesterov, p -= lr * (g + momentum * v).

    weight_decay: adds weight_decay * p to g. The first v is g, as in PyTorch.
    """

    moments = ("velocity",)

    @constructor
    def __init__(self, parameters, lr: float, *, momentum=0.0, nesterov=False, weight_decay=0.0):
        super().__init__(parameters, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)

    def _check(self, group):
        super()._check(group)
        if group["nesterov"] and not group["momentum"]:
            raise MiniganError("SGD: nesterov=True needs a momentum above 0")

    def _update(self, kernel, parameters, gradients, velocities, group, rate, step):
        kernel.sgd_update(
            parameters,
            gradients,
            velocities,
            rate,
            group["momentum"],
            group["nesterov"],
            group["weight_decay"],
        )


class RMSprop(Optimiser):
    """p -= lr * g / (sqrt(s) + eps), s = decay * s + (1 - decay) * g^2. Source: Hinton, Coursera lecture 6e (2012)."""

    moments = ("square",)

    @constructor
    def __init__(self, parameters, lr: float = 0.01, *, decay=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr=lr, decay=decay, eps=eps, weight_decay=weight_decay)

    def _update(self, kernel, parameters, gradients, squares, group, rate, step):
        kernel.rmsprop_update(parameters, gradients, squares, rate, group["decay"], group["eps"], group["weight_decay"])


class Adam(Optimiser):
    """p -= lr * m / (sqrt(v) + eps), m and v the running means of g and g^2, freed of their bias towards 0.

    weight_decay: adds weight_decay * p to g. Source: Kingma & Ba, arXiv:1412.6980, algorithm 1.
    """

    moments = ("mean", "square")
    decoupled = False

    @constructor
    def __init__(self, parameters, lr: float = 1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay)

    def _check(self, group):
        super()._check(group)
        if len(group["betas"]) != 2 or not all(0 <= beta < 1 for beta in group["betas"]):
            raise MiniganError(f"{type(self).__name__}: betas are {group['betas']}; they are two, from 0 to below 1")

    def _update(self, kernel, parameters, gradients, means, squares, group, rate, step):
        kernel.adam_update(
            parameters,
            gradients,
            means,
            squares,
            rate,
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            self.decoupled,
            step,
        )


class AdamW(Adam):
    """Adam whose weight decay shrinks p by lr * weight_decay itself. Source: Loshchilov & Hutter, arXiv:1711.05101."""

    decoupled = True

    @constructor
    def __init__(self, parameters, lr: float = 1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)


# ------------------------------------------------------------------------------------------ schedules


class Schedule:
    """Multiplies an optimiser's learning rates by factor(n) after n calls of `step()`, from factor(0) at once."""

    @constructor
    def __init__(self, optimiser: Optimiser, factor: Callable[[int], float]):
        self.optimiser, self.factor, self.count = optimiser, factor, 0
        self.rates = [group["lr"] for group in optimiser.groups]
        self._apply()

    def step(self) -> None:
        capture.each_time(self._advance)

    def _advance(self):
        self.count += 1
        self._apply()

    def _apply(self):
        for group, rate in zip(self.optimiser.groups, self.rates, strict=True):
            group["lr"] = rate * self.factor(self.count)


def _at_least_one(name, steps):
    if not isinstance(steps, Number) or not steps >= 1:
        raise MiniganError(f"{name}: steps are {steps!r}, but there is at least one")


def linear(steps: int, final: float = 0.0):
    """From 1 to `final` in a straight line over `steps`, then `final`."""
    _at_least_one("linear", steps)
    return lambda n: 1 + (final - 1) * min(n / steps, 1)


def cosine(steps: int, final: float = 0.0):
    """From 1 to `final` along half a cosine over `steps`. Source: Loshchilov & Hutter, arXiv:1608.03983."""
    _at_least_one("cosine", steps)
    return lambda n: final + (1 - final) * (1 + math.cos(math.pi * min(n / steps, 1))) / 2


def exponential(rate: float):
    """rate ** n."""
    return lambda n: rate**n


def staircase(every: int, factor: float = 0.1):
    """Multiplied by `factor` once every `every` steps."""
    _at_least_one("staircase", every)
    return lambda n: factor ** (n // every)


def warmup(steps: int, then: Callable[[int], float] = lambda n: 1.0):
    """From 1 / steps up to 1 over `steps`, then another schedule from its start."""
    return lambda n: (n + 1) / steps if n < steps else then(n - steps)


# ------------------------------------------------------------------------------------------- clipping


def clip_gradient_norm(gradients: Sequence, largest: float) -> float:
    """Scale all gradients together, in place, so that their common Euclidean norm is at most `largest`.

    gradients: arrays, Tensors that were computed (of grad(create_graph=True), which get new arrays), or parameters
        whose `.grad` is meant; None is passed over
    raises GraphError for a Tensor that is neither a parameter nor computed
    returns: the norm before
    """
    arrays = _gradient_arrays("clip_gradient_norm", gradients, largest)
    norm = math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays))
    if norm > largest:
        for array in arrays:
            array *= array.dtype.type(largest / norm)
    return norm


def clip_gradient_value(gradients: Sequence, largest: float) -> None:
    """Move every element of the gradients, in place, into [-largest, largest]."""
    for array in _gradient_arrays("clip_gradient_value", gradients, largest):
        np.clip(array, -largest, largest, out=array)


def _gradient_arrays(call, gradients, largest):
    """The arrays to be changed in place, so that none is larger than `largest`."""
    if not isinstance(largest, Number) or not largest >= 0:
        raise MiniganError(f"{call}: largest is {largest!r}, but it is a number that is not negative")
    if isinstance(gradients, Tensor | np.ndarray) or not isinstance(gradients, Iterable):
        raise MiniganError(f"{call}: gradients are a {type(gradients).__name__}, but they are a list")
    arrays = []
    for g in gradients:
        if isinstance(g, Tensor) and g.node is not None:
            g.data = g.data.copy()  # what the graph keeps, and views of it, stay as they were
            arrays.append(g.data)
        elif isinstance(g, Tensor) and not g.requires_grad and g.grad is None:
            raise GraphError(
                f"{call}: a Tensor of shape {g.shape} is neither a parameter that is trained nor a computed gradient; "
                "leave it out, or pass its array"
            )
        else:
            arrays.append(g.grad if isinstance(g, Tensor) else g)
    arrays = [a for a in arrays if a is not None]
    if not all(hasattr(a, "dtype") for a in arrays):
        raise MiniganError(f"{call}: gradients are {[type(a).__name__ for a in arrays]}, but they are arrays")
    for a in arrays:
        if a.dtype.kind != "f" or not getattr(a.flags, "writeable", True):
            raise MiniganError(
                f"{call}: gradients are changed in place, but one of shape {a.shape} is read-only or not of floats "
                f"({a.dtype})"
            )
    return arrays
