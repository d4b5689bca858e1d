"""Penalties on a discriminator's slope, differentiated through the gradient that they measure."""

from collections.abc import Callable

from minigan.autograd import grad
from minigan.autograd.tensor import Tensor
from minigan.ops import mean, sqrt, square, sum

TINY = 1e-12  # under the root: a slope of 0 has a gradient too, and one of 1 is changed by half of it


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mixing) -> Tensor:
    """The mean of (norm of the critic's gradient - 1)^2 at points between real and generated images.

    real, fake: (N, H, W, C), taken for constants
    mixing: (N, 1, 1, 1), each in [0, 1]: the real image's share of its point
    Each score may depend on its own image alone (no batch norm), else the norm is not that of a slope.
    source: Gulrajani et al., arXiv:1704.00028, algorithm 1
    """
    points = Tensor(real.data * mixing + fake.data * (1 - mixing), True)
    squares = _squared_slopes(critic(points), points)
    return mean(square(sqrt(squares + TINY) - 1))


def r1(scores: Tensor, images: Tensor) -> Tensor:
    """The mean squared norm of the gradient of scores with respect to the real images they belong to.

    scores: (N, 1), computed from images, which require gradients
    source: Mescheder, Geiger & Nowozin, arXiv:1801.04406, equation 9; a loss has gamma / 2 times it
    """
    return mean(_squared_slopes(scores, images))


def _squared_slopes(scores, points):
    """(N,): for each point the squared norm of the gradient of its score, differentiable."""
    slopes = grad(sum(scores), points, create_graph=True)
    return sum(square(slopes), axis=tuple(range(1, slopes.ndim)))
