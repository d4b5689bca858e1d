"""Why a loss stopped being a number, and what to do about it."""

import math
from collections.abc import Callable

import numpy as np

from minigan import debug
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.training.errors import DivergedError


def check(
    trainer, whose: str, loss: Tensor, images: Tensor | np.ndarray, forward: Callable[[], object], learning_rate: float
) -> None:
    """Raise DivergedError for a loss that is NaN or infinite: when, where it began, what to try.

    trainer: has `networks()`, `seed` and `step`
    forward: computes again what led to the loss, for the tracer
    """
    number = loss.item()
    if math.isfinite(number):
        return
    raise DivergedError(
        f"step {trainer.step + 1}: {whose} is {number}; {_origin(trainer.networks(), images, forward)}. "
        f"Try a smaller learning rate than {learning_rate:g}, another seed than {trainer.seed}, "
        f"or a larger batch than {len(images)}"
    )


def _origin(networks, images, forward):
    """Where the first value that is not finite is: the images, a weight, or an operation."""
    images = images.numpy() if isinstance(images, Tensor) else images
    if not np.isfinite(images).all():
        return "the images hold values that are not numbers"
    for title, network in networks.items():
        for name, array in network.state_dict().items():
            if not np.isfinite(array).all():
                return f"the {title.lower()}'s {name} {array.shape} is not finite, so the step before left it so"
    return _traced(networks, forward) or "all weights are finite, so it arose in this step"


def _traced(networks, forward):
    """The tracer's words on the first operation whose result is not finite; None if there is none."""
    try:
        with no_grad(), debug.trace_nans(inf=True, **{title.lower(): network for title, network in networks.items()}):
            forward()
    except debug.NanError as error:
        return str(error)
    return None
