"""The objectives of GANs: losses on the discriminator's scores, and penalties on its gradient."""

from collections.abc import Callable
from dataclasses import dataclass

from minigan.autograd import grad
from minigan.autograd.tensor import Tensor
from minigan.errors import UnknownNameError
from minigan.ops import binary_cross_entropy_with_logits, mean, relu, sqrt, square, sum


@dataclass(frozen=True)
class Objective:
    """The losses that the two players minimise, each a scalar Tensor.

    discriminator: (scores of real images, scores of generated images) -> loss; an objective with labels takes the label
        of real images as a third argument, 1 by default
    generator: (scores of generated images) -> loss
    labels: whether scores are compared with labels, 1 for real and 0 for generated
    boundary: the score above which an image is classified as real; None if only differences of scores have a meaning
    Scores are (N, 1).
    """

    name: str
    summary: str
    discriminator: Callable[..., Tensor]
    generator: Callable[[Tensor], Tensor]
    labels: bool = False
    boundary: float | None = 0.0


def cross_entropy(real: Tensor, fake: Tensor, label: float = 1) -> Tensor:
    """-log sigmoid(real) - log(1 - sigmoid(fake)), averaged over each batch.

    label: the target probability for real images, below 1 for one-sided label smoothing
    source: Goodfellow et al., arXiv:1406.2661, equation 1; smoothing: Salimans et al., arXiv:1606.03498, section 3.4
    """
    return binary_cross_entropy_with_logits(real, label) + binary_cross_entropy_with_logits(fake, 0)


def saturating(fake: Tensor) -> Tensor:
    """log(1 - sigmoid(fake)), averaged: the negative of the discriminator's loss on fakes, as in a zero-sum game.

    Its gradient vanishes while the discriminator recognises fakes easily.
    source: Goodfellow et al., arXiv:1406.2661, equation 1
    """
    return -binary_cross_entropy_with_logits(fake, 0)


def non_saturating(fake: Tensor) -> Tensor:
    """-log sigmoid(fake), averaged. Its gradient is strong even while the discriminator recognises fakes easily.

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
    """max(0, 1 - real) + max(0, 1 + fake), averaged: scores beyond the margins add nothing.

    source: Lim & Ye, arXiv:1705.02894; Miyato et al., arXiv:1802.05957, equation 16
    """
    return mean(relu(1 - real)) + mean(relu(1 + fake))


def difference(real: Tensor, fake: Tensor) -> Tensor:
    """mean(fake) - mean(real): the negative Wasserstein distance, if the critic is the best 1-Lipschitz function.

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
            "the discriminator separates real from generated images, the generator opposes it: one value for both",
            cross_entropy,
            saturating,
            labels=True,
        ),
        Objective(
            "non-saturating",
            "the discriminator separates real from generated images, the generator wants its images taken for real",
            cross_entropy,
            non_saturating,
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
            "the discriminator scores real images above 1 and generated ones below -1, the generator wants high scores",
            margins,
            low_score,
        ),
        Objective(
            "wasserstein",
            "a critic of bounded slope maximises the difference of mean scores, the generator wants high scores",
            difference,
            low_score,
            boundary=None,
        ),
    )
}


def objective_of(choice: str | Objective) -> Objective:
    """Return an objective by its name; an Objective is returned unchanged.

    raises UnknownNameError for a name that is not in OBJECTIVES
    """
    if isinstance(choice, Objective):
        return choice
    UnknownNameError.check("objective", choice, OBJECTIVES)
    return OBJECTIVES[choice]


TINY = 1e-12  # added under the root, so that its gradient exists at a slope of 0; a slope of 1 changes by half of it


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mixing) -> Tensor:
    """The mean of (norm of the critic's gradient - 1)^2 at points between real and generated images.

    real, fake: (N, H, W, C), treated as constants
    mixing: (N, 1, 1, 1) in [0, 1], the weight of the real image at each point
    Each score must depend only on its own image (no batch norm); otherwise the norm is not that of its gradient.
    source: Gulrajani et al., arXiv:1704.00028, algorithm 1
    """
    points = Tensor(real.data * mixing + fake.data * (1 - mixing), True)
    squares = _squared_slopes(critic(points), points)
    return mean(square(sqrt(squares + TINY) - 1))


def r1(scores: Tensor, images: Tensor) -> Tensor:
    """The mean squared norm of the gradient of each score with respect to its real image.

    scores: (N, 1), computed from images, which require gradients
    source: Mescheder, Geiger & Nowozin, arXiv:1801.04406, equation 9; the loss contains gamma / 2 times this
    """
    return mean(_squared_slopes(scores, images))


def _squared_slopes(scores, points):
    """The squared norm of the gradient of each point's score, (N,), differentiable."""
    slopes = grad(sum(scores), points, create_graph=True)
    return sum(square(slopes), axis=tuple(range(1, slopes.ndim)))
