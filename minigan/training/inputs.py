"""What a call was given, checked: images, labels, numbers, how long, and how many at a time."""

from __future__ import annotations

import importlib.metadata
import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from minigan.data import Augment, Dataset, to_uint8
from minigan.data.arrays import check_channels, images_from, labels_from
from minigan.data.dataset import Identity, digest_of_arrays
from minigan.errors import DataError, RunError, TrainingError

if TYPE_CHECKING:
    from minigan.models import Model

PACKAGES = ("numpy", "numba", "llvmlite")
TOOL = ("click", "rich", "threadpoolctl")  # what the command line needs besides
REPORTING = ("pillow", "matplotlib", "jinja2", "safetensors")  # what a run folder needs besides
MEASURING = ("scikit-image", "scipy")  # what figures of restored images need besides


def images_of(images, labels=None, call: str = "fit") -> tuple[np.ndarray, np.ndarray | None, Source]:
    """The images of a Dataset or of an array, (N, H, W, 1 or 3), their labels or None, and where they are from.

    labels: (N,), take the place of the Dataset's own
    raises DataError for anything that `minigan.data.arrays` does not take
    """
    name, dataset = "an array", None
    if isinstance(images, Dataset):
        name, dataset = images.name, images if labels is None else None
        images, labels = images.images, images.labels if labels is None else labels
    elif not isinstance(images, np.ndarray):
        raise DataError(
            f"{call}: images are a {type(images).__name__}; it takes a Dataset (mg.data.load) or an array (N, H, W, C)"
        )
    images = images_from(call, images)
    if not images.size:
        raise DataError(f"{call}: images have shape {images.shape}, so there are none")
    check_channels(call, images)
    labels = None if labels is None else labels_from(call, labels, len(images))
    return images, labels, Source(name, images, labels, dataset)


@dataclass(frozen=True)
class Source:
    """Where the images of a run are from.

    dataset: the set with exactly these labels; None where there is none
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None
    dataset: Dataset | None

    def plain(self) -> dict:
        """What config.json records: a name, how many images, and what they are."""
        if self.dataset is None:
            classes = () if self.labels is None else tuple(map(str, range(int(self.labels.max()) + 1)))
            identity = Identity("array", None, digest_of_arrays(self.images, self.labels), classes, len(self.images))
        else:
            identity = self.dataset.identity
        return {"data": self.name, "images": len(self.images), "dataset": identity.plain()}


def whole(name: str, number, least: int = 1, needed: bool = False) -> int | None:
    """A whole number of at least so much, NumPy's too, as an int; None is passed over unless it is needed.

    raises TrainingError
    """
    if number is None and not needed:
        return None
    try:
        value = operator.index(number)
    except TypeError as error:
        raise TrainingError(f"{name.replace('_', ' ')} must be a whole number, not {number!r}") from error
    if value < least:
        bound = "above 0" if least == 1 else f"a whole number from {least} on"
        raise TrainingError(f"{name.replace('_', ' ')} must be {bound}, not {value}")
    return value


def real(
    name: str, number, *, above: float | None = None, least: float | None = None, needed: bool = False
) -> float | None:
    """A finite number above a bound or at least as large, NumPy's too, as a float.

    None is passed over unless a number is needed.

    raises TrainingError
    """
    if number is None and not needed:
        return None
    if isinstance(number, np.ndarray) and number.ndim == 0:
        number = number[()]
    bound = f"above {above}" if above is not None else f"{least} or above"
    if not isinstance(number, Real):
        raise TrainingError(f"{name.replace('_', ' ')} must be a number {bound}, not {number!r}")
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value) or not (value > above if above is not None else value >= least):
        raise TrainingError(f"{name.replace('_', ' ')} must be {bound}, not {number}")
    return value


def check_whole(**numbers) -> None:
    """Raise TrainingError for anything that is not a whole number above 0."""
    for name, number in numbers.items():
        whole(name, number, needed=True)


def check_model(call: str, model, *kinds: type) -> None:
    """Raise TrainingError for anything but a model of one of these classes."""
    if not isinstance(model, kinds):
        wanted = " or ".join(f"mg.models.{kind.__name__}" for kind in kinds)
        raise TrainingError(
            f"{call}: it takes a {wanted}, but got a {type(model).__name__}; a result of fit has its model as an "
            "attribute (result.gan), and load(folder) reads that of a run"
        )


def check_seed(seed) -> int:
    """A seed as an int. Raises TrainingError for anything but a whole number from 0 on."""
    return whole("seed", seed, least=0, needed=True)


def steps_and_batch(
    count: int, steps, epochs, batch, *, usual: int, first_run: tuple[int, int]
) -> tuple[int | None, int]:
    """(steps, batch) of a run on `count` images; steps is None where epochs say how long.

    usual: images in a batch by default
    first_run: (steps, batch) where neither is given
    raises TrainingError where steps and epochs are both given, or a batch needs more images than there are
    """
    steps, epochs, batch = whole("steps", steps), whole("epochs", epochs), whole("batch", batch)
    if steps is not None and epochs is not None:
        raise TrainingError(f"fit: steps={steps} and epochs={epochs} are two answers to one question; give one")
    if steps is None and epochs is None:
        steps, few = first_run
        batch = few if batch is None else batch
    batch = usual if batch is None else batch
    if batch > count:
        raise TrainingError(f"a batch of {batch} needs at least as many images, but there are {count}")
    return steps, batch


def check_augment(augment) -> None:
    """Raise TrainingError for anything but an Augment or None."""
    if augment is not None and not isinstance(augment, Augment):
        raise TrainingError(f"fit: augment is {augment!r}, but mg.data.Augment(flip=True, shift=2) is one")


def plain(augment: Augment | None) -> dict | None:
    """What was asked of an augmentation, as JSON keeps it."""
    return None if augment is None else dict(vars(augment))


def held_out(images: Dataset | np.ndarray, model: Model) -> np.ndarray:
    """Held-out images as bytes, (N, H, W, C), checked against the model.

    raises DataError where they are no images, ShapeError where the model is for others
    """
    images, _, _ = images_of(images, call="fit, test")
    model.check(images)
    return images if images.dtype == np.uint8 else to_uint8(images)


def version(package: str) -> str | None:
    """A package's version, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing(packages: Iterable[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [package for package in packages if version(package) is None]


def require(packages: Iterable[str], purpose: str) -> None:
    """Raise RunError, saying how to get them, unless all are installed."""
    absent = missing(packages)
    if absent:
        raise RunError(f"{purpose} needs {', '.join(absent)}, not installed here: pip install 'minigan[train]'")
