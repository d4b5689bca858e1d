"""Why a loss stopped being a number, and what to do about it."""

import numpy as np

from minigan import debug
from minigan.autograd import no_grad
from minigan.tensor import Tensor
from minigan.training.errors import DivergedError


def explain(trainer, player: str, loss: float, images: np.ndarray, noise: Tensor) -> DivergedError:
    """The error for a loss that is NaN or infinite: when, where it began, what to try."""
    gan = trainer.gan
    return DivergedError(
        f"step {trainer.step + 1}: the {player}'s loss is {loss}; {_origin(gan, images, noise)}. "
        f"Try a smaller learning rate than {trainer.learning_rate:g}, another seed than {trainer.seed}, "
        f"or a larger batch than {len(images)}"
    )


def _origin(gan, images, noise):
    """Where the first value that is not finite is: the images, a weight, or an operation."""
    if not np.isfinite(images).all():
        return "the images hold values that are not numbers"
    for player in ("generator", "discriminator"):
        for name, array in getattr(gan, player).state_dict().items():
            if not np.isfinite(array).all():
                return f"the {player}'s {name} {array.shape} is not finite, so the step before left it so"
    return _traced(gan, images, noise) or "all weights are finite, so it arose in this step"


def _traced(gan, images, noise):
    """The tracer's words on the first operation of either network whose result is not finite; None if there is none."""
    try:
        with no_grad(), debug.trace_nans(inf=True, generator=gan.generator, discriminator=gan.discriminator):
            gan.discriminator(gan.generator(noise))
            gan.discriminator(Tensor(images))
    except debug.NanError as error:
        return str(error)
    return None
