"""What the two players want. An objective is two losses on logits, and a line in a table."""

from collections.abc import Callable
from dataclasses import dataclass

from minigan.errors import UnknownNameError
from minigan.ops import binary_cross_entropy_with_logits
from minigan.tensor import Tensor


@dataclass(frozen=True)
class Objective:
    """Two losses that their players minimise, each a scalar Tensor.

    discriminator: (logits of real images, logits of generated images) -> loss
    generator: (logits of generated images) -> loss
    Logits are (N, 1), above 0 for "real".
    """

    name: str
    summary: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(real) - log(1 - sigmoid(fake)), averaged over each batch.

    source: Goodfellow et al., arXiv:1406.2661, equation 1
    """
    return binary_cross_entropy_with_logits(real, 1) + binary_cross_entropy_with_logits(fake, 0)


def taken_for_real(fake: Tensor) -> Tensor:
    """-log sigmoid(fake), averaged: strong gradients while the discriminator still tells fakes with ease.

    source: Goodfellow et al., arXiv:1406.2661, section 3
    """
    return binary_cross_entropy_with_logits(fake, 1)


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective(
            "non-saturating",
            "the discriminator tells real from generated, the generator wants its images taken for real",
            cross_entropy,
            taken_for_real,
        ),
    )
}


def objective_of(choice: str | Objective) -> Objective:
    """An objective by its name, or the one given.

    raises UnknownNameError for a name that is not in OBJECTIVES
    """
    if isinstance(choice, Objective):
        return choice
    if choice not in OBJECTIVES:
        raise UnknownNameError("objective", choice, OBJECTIVES)
    return OBJECTIVES[choice]
