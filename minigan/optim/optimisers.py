"""The optimisers. Each class states its formula; a kernel computes it in one pass over all parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from numbers import Integral, Real

import numpy as np

from minigan import devices, kernels
from minigan.autograd import memory
from minigan.autograd.operands import constructor
from minigan.autograd.tensor import Tensor
from minigan.errors import DtypeError, GraphError, MiniganError, ShapeError


class Optimiser:
    """The base class of all optimisers: groups of parameters with settings, and the state of each parameter."""

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

        gradients: one for each parameter, in order (None skips it); by default each parameter's `.grad`
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
        devices.at_each_replay(self._count)
        for group, updates in together.values():
            for data, _, state in updates:
                if not state:
                    self._begin(state, data)
            parameters, gradients, states = zip(*updates, strict=True)
            moments = [[state[name] for state in states] for name in self.moments]
            devices.at_each_replay(partial(_advance, states))
            step = devices.replayed_number(partial(states[0].get, "step"))
            rate = devices.replayed_number(partial(group.get, "lr"))
            self._update(kernels.of(parameters[0]), parameters, gradients, *moments, group, rate, step)
            for data in parameters:
                memory.note_write(data)

    def _count(self):
        self.steps += 1

    def _begin(self, state, data):
        devices.refuse_in_capture(f"makes the state of {type(self).__name__}")
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
        """Restore what `state_dict` returned for the same parameters; changes nothing if it does not fit."""
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
    """Whether this has the structure of what `state_dict` returns."""
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


def _advance(states) -> None:
    """Count a step in the states of all these parameters, which are at the same one."""
    step = states[0]["step"] + 1
    for state in states:
        state["step"] = step


def _overwrite(mine: dict, saved: dict, like) -> None:
    """Copy a saved state into the arrays of a parameter's state, because captured steps use those arrays.

    like: the parameter; missing arrays get its dtype and device
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
    """Stochastic gradient descent, with momentum:

        g = g + weight_decay * p
        v = momentum * v + g
        p = p - lr * (g + momentum * v if nesterov else v)

    The first v is g, as in PyTorch.
    source: Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013
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
    """The gradient divided by a running root mean square of itself:

        g = g + weight_decay * p
        s = decay * s + (1 - decay) * g**2
        p = p - lr * g / (sqrt(s) + eps)

    source: Hinton, Coursera lecture 6e (2012)
    """

    moments = ("square",)

    @constructor
    def __init__(self, parameters, lr: float = 0.01, *, decay=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr=lr, decay=decay, eps=eps, weight_decay=weight_decay)

    def _update(self, kernel, parameters, gradients, squares, group, rate, step):
        kernel.rmsprop_update(parameters, gradients, squares, rate, group["decay"], group["eps"], group["weight_decay"])


class Adam(Optimiser):
    """Running means m of the gradient and v of its square, corrected for their bias towards 0 at step t = 1, 2, ...:

        g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    source: Kingma & Ba, arXiv:1412.6980, algorithm 1
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
    """Adam with weight decay that shrinks the parameter itself, apart from the gradient:

        p = p - lr * weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    source: Loshchilov & Hutter, arXiv:1711.05101, algorithm 2
    """

    decoupled = True

    @constructor
    def __init__(self, parameters, lr: float = 1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)
