"""The optimisers. Each class states its formula; the kernels compute it in one pass over all parameters."""

from __future__ import annotations

from minigan.errors import MiniganError
from minigan.ops.checks import constructor
from minigan.optim.optimiser import Optimiser


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
