"""What the two players minimise: losses on the discriminator's scores, and penalties on its slope."""

from collections.abc import Callable
from dataclasses import dataclass

from minigan.autograd import grad
from minigan.autograd.tensor import Tensor
from minigan.errors import UnknownNameError
from minigan.ops import binary_cross_entropy_with_logits, mean, relu, sqrt, square, sum


@dataclass(frozen=True)
class Objective:
    """Two losses that their players minimise, each a scalar Tensor.

    discriminator: (scores of real images, scores of generated images) -> loss; where the objective has labels,
        (real, fake, label of real images), which is 1 unless labels are smoothed
    generator: (scores of generated images) -> loss
    labels: whether scores are compared with labels, 1 for real and 0 for generated
    boundary: the score from which on an image is taken for real; None where scores only count beside one another
    Scores are (N, 1); those of logits are above 0 for "real".
    """

    name: str
    summary: str
    discriminator: Callable[..., Tensor]
    generator: Callable[[Tensor], Tensor]
    labels: bool = False
    boundary: float | None = 0.0


def cross_entropy(real: Tensor, fake: Tensor, label: float = 1) -> Tensor:
    """-log sigmoid(real) - log(1 - sigmoid(fake)), averaged over each batch.

    label: the probability that a real image is said to be real with, for one-sided label smoothing
    source: Goodfellow et al., arXiv:1406.2661, equation 1; smoothing: Salimans et al., arXiv:1606.03498, section 3.4
    """
    return binary_cross_entropy_with_logits(real, label) + binary_cross_entropy_with_logits(fake, 0)


def told_apart(fake: Tensor) -> Tensor:
    """log(1 - sigmoid(fake)), averaged: what the discriminator gains by, so that one game has one value.

    Its gradient vanishes while the discriminator tells fakes with ease.
    source: Goodfellow et al., arXiv:1406.2661, equation 1
    """
    return -binary_cross_entropy_with_logits(fake, 0)


def taken_for_real(fake: Tensor) -> Tensor:
    """-log sigmoid(fake), averaged: strong gradients while the discriminator still tells fakes with ease.

    source: Goodfellow et al., arXiv:1406.2661, section 3
    """
    return binary_cross_entropy_with_logits(fake, 1)


def squares(real: Tensor, fake: Tensor, label: float = 1) -> Tensor:
    """Half the mean squares of real - label and of fake.

    source: Mao et al., arXiv:1611.04076, equation 9
    """
    return 0.5 * (mean(square(real - label)) + mean(square(fake)))


def square_from_real(fake: Tensor) -> Tensor:
    """Half the mean square of fake - 1. Source: Mao et al., arXiv:1611.04076, equation 9."""
    return 0.5 * mean(square(fake - 1))


def margins(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - real) + max(0, 1 + fake), averaged: scores beyond the margins count for nothing.

    source: Lim & Ye, arXiv:1705.02894; Miyato et al., arXiv:1802.05957, equation 16
    """
    return mean(relu(1 - real)) + mean(relu(1 + fake))


def difference(real: Tensor, fake: Tensor) -> Tensor:
    """mean(fake) - mean(real): minus the Wasserstein distance, for the best critic among those of slope 1.

    source: Arjovsky, Chintala & Bottou, arXiv:1701.07875, equation 2
    """
    return mean(fake) - mean(real)


def low_score(fake: Tensor) -> Tensor:
    """-mean(fake). Source: Arjovsky, Chintala & Bottou, arXiv:1701.07875, algorithm 1."""
    return -mean(fake)


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective(
            "minimax",
            "the discriminator tells real from generated, the generator keeps it from that: one value for both",
            cross_entropy,
            told_apart,
            labels=True,
        ),
        Objective(
            "non-saturating",
            "the discriminator tells real from generated, the generator wants its images taken for real",
            cross_entropy,
            taken_for_real,
            labels=True,
        ),
        Objective(
            "least-squares",
            "the discriminator scores real images 1 and generated ones 0, the generator wants 1",
            squares,
            square_from_real,
            labels=True,
            boundary=0.5,
        ),
        Objective(
            "hinge",
            "the discriminator scores real images 1 or more and generated ones -1 or less, the generator wants more",
            margins,
            low_score,
        ),
        Objective(
            "wasserstein",
            "the critic's mean scores lie as far apart as its slope lets them, the generator wants more",
            difference,
            low_score,
            boundary=None,
        ),
    )
}


def objective_of(choice: str | Objective) -> Objective:
    """An objective by its name, or the one given.

    raises UnknownNameError for a name that is not in OBJECTIVES
    """
    if isinstance(choice, Objective):
        return choice
    UnknownNameError.check("objective", choice, OBJECTIVES)
    return OBJECTIVES[choice]


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
