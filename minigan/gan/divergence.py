"""Why a loss stopped being a number, and what to do about it."""

import numpy as np

from minigan import debug
from minigan.autograd import no_grad
from minigan.tensor import Tensor
from minigan.training.errors import DivergedError


def explain(trainer, player: str, loss: float, drawn) -> DivergedError:
    """The error for a loss that is NaN or infinite: when, where it began, what to try.

    drawn: what the update was computed from, a `trainer.Drawn`
    """
    rate = getattr(trainer.recipe, f"{player}_rate")
    return DivergedError(
        f"step {trainer.step + 1}: the {player}'s loss is {loss}; {_origin(trainer.gan, drawn)}. "
        f"Try a smaller learning rate than {rate:g}, another seed than {trainer.seed}, "
        f"or a larger batch than {len(drawn.real)}"
    )


def _origin(gan, drawn):
    """Where the first value that is not finite is: the images, a weight, or an operation."""
    if not np.isfinite(drawn.real.numpy()).all():
        return "the images hold values that are not numbers"
    for player in ("generator", "discriminator"):
        for name, array in getattr(gan, player).state_dict().items():
            if not np.isfinite(array).all():
                return f"the {player}'s {name} {array.shape} is not finite, so the step before left it so"
    return _traced(gan, drawn) or "all weights are finite, so it arose in this step"


def _traced(gan, drawn):
    """The tracer's words on the first operation of either network whose result is not finite; None if there is none."""
    try:
        with no_grad(), debug.trace_nans(inf=True, generator=gan.generator, discriminator=gan.discriminator):
            gan.scores(gan.generated(drawn.noise, drawn.labels), drawn.labels)
            gan.scores(Tensor(drawn.real.data), drawn.labels)
    except debug.NanError as error:
        return str(error)
    return None
