"""What a call of `fit` was given, checked: images, how long, and how many at a time."""

import numpy as np

from minigan.data import Augment, Dataset, to_uint8
from minigan.errors import DataError
from minigan.models import Model
from minigan.training.errors import TrainingError


def images_of(images, labels=None) -> tuple[np.ndarray, np.ndarray | None, str]:
    """The array of a Dataset or the array itself, (N, H, W, C), its labels or None, and what to call it.

    raises DataError for anything else
    """
    if isinstance(images, Dataset):
        labels = images.labels if labels is None else labels
        source, images = images.name, images.images
    else:
        source = "an array"
    if not isinstance(images, np.ndarray):
        raise DataError(
            f"fit: images are a {type(images).__name__}; it takes a Dataset (mg.data.load) or an array (N, H, W, C)"
        )
    if images.ndim != 4 or not images.size:
        hint = "; grey images have C = 1: images[..., None]" if images.ndim == 3 else ""
        raise DataError(f"fit: images have shape {images.shape}, but (N, H, W, C) is what it takes{hint}")
    return images, labels, source


def check_whole(**numbers) -> None:
    """Raise TrainingError for a number that is not whole or not above 0; None is passed over."""
    for name, number in numbers.items():
        if number is not None and not hasattr(number, "__index__"):
            raise TrainingError(f"{name.replace('_', ' ')} must be a whole number, not {number!r}")
    check_positive(**numbers)


def check_positive(**numbers) -> None:
    """Raise TrainingError for a number that is not above 0; None is passed over."""
    for name, number in numbers.items():
        if number is not None and not number > 0:
            raise TrainingError(f"{name.replace('_', ' ')} must be above 0, not {number}")


def check_seed(seed) -> None:
    """Raise TrainingError for anything but a whole number from 0 on."""
    if not hasattr(seed, "__index__") or seed < 0:
        raise TrainingError(f"seed must be a whole number from 0 on, not {seed!r}")


def length(count: int, steps, epochs, batch, *, usual: int, first_run: tuple[int, int]) -> tuple[int | None, int]:
    """(steps, batch) of a run on `count` images; steps is None where epochs say how long.

    usual: images in a batch unless given
    first_run: (steps, batch) of a run that is told neither how long nor how many
    raises TrainingError where steps and epochs are both given, or a batch needs more images than there are
    """
    check_whole(steps=steps, epochs=epochs, batch=batch)
    if steps is not None and epochs is not None:
        raise TrainingError(f"fit: steps={steps} and epochs={epochs} are two answers to one question; give one")
    if steps is None and epochs is None:
        steps, few = first_run
        batch = few if batch is None else batch
    batch = usual if batch is None else batch
    if batch > count:
        raise TrainingError(f"a batch of {batch} needs at least as many images, but there are {count}")
    return steps, batch


def plain(augment: Augment | None) -> dict | None:
    """What was asked of an augmentation, as JSON keeps it."""
    return None if augment is None else dict(vars(augment))


def held_out(images: Dataset | np.ndarray, model: Model) -> np.ndarray:
    """Held-out images as bytes, (N, H, W, C), checked against the model.

    raises DataError where they are no images, ShapeError where the model is for others
    """
    images, _, _ = images_of(images)
    model.check(images)
    return images if images.dtype == np.uint8 else to_uint8(images)
