"""Checks of the arguments of `fit` and similar calls: images, labels, numbers, steps and batch."""

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
TOOL = ("click", "rich", "threadpoolctl")  # also needed by the command line
REPORTING = ("pillow", "matplotlib", "jinja2", "safetensors")  # also needed to write run folders
MEASURING = ("scikit-image", "scipy")  # also needed to measure restored images


def images_of(images, labels=None, call: str = "fit") -> tuple[np.ndarray, np.ndarray | None, Source]:
    """Return the images of a Dataset or an array, (N, H, W, 1 or 3), their labels or None, and their source.

    labels: (N,), replace the Dataset's own
    raises DataError for images or labels that `minigan.data.arrays` refuses
    """
    name, dataset = "an array", None
    if isinstance(images, Dataset):
        name, dataset = images.name, images if labels is None else None
        images, labels = images.images, images.labels if labels is None else labels
    elif not isinstance(images, np.ndarray):
        raise DataError(
            f"{call}: images are a {type(images).__name__}; pass a Dataset (mg.data.load) or an array (N, H, W, C)"
        )
    images = images_from(call, images)
    if not images.size:
        raise DataError(f"{call}: there are no images (shape {images.shape})")
    check_channels(call, images)
    labels = None if labels is None else labels_from(call, labels, len(images))
    return images, labels, Source(name, images, labels, dataset)


@dataclass(frozen=True)
class Source:
    """The source of a run's images.

    dataset: the Dataset, if it has exactly these labels; otherwise None
    """

    name: str
    images: np.ndarray
    labels: np.ndarray | None
    dataset: Dataset | None

    def plain(self) -> dict:
        """Return the record for config.json: the name, number and identity of the images."""
        if self.dataset is None:
            classes = () if self.labels is None else tuple(map(str, range(int(self.labels.max()) + 1)))
            identity = Identity("array", None, digest_of_arrays(self.images, self.labels), classes, len(self.images))
        else:
            identity = self.dataset.identity
        return {"data": self.name, "images": len(self.images), "dataset": identity.plain()}


def whole(name: str, number, least: int = 1, needed: bool = False) -> int | None:
    """Return a whole number (also NumPy's) as an int, or None for None.

    raises TrainingError if it is not a whole number, is below `least`, or is None although needed
    """
    if number is None and not needed:
        return None
    try:
        value = operator.index(number)
    except TypeError as error:
        raise TrainingError(f"{name.replace('_', ' ')} must be a whole number, not {number!r}") from error
    if value < least:
        bound = "above 0" if least == 1 else f"a whole number of at least {least}"
        raise TrainingError(f"{name.replace('_', ' ')} must be {bound}, not {value}")
    return value


def real(
    name: str, number, *, above: float | None = None, least: float | None = None, needed: bool = False
) -> float | None:
    """Return a finite number (also NumPy's) as a float, or None for None.

    raises TrainingError if it is not a number, not `above` or at `least` a bound, or is None although needed
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
    """Raise TrainingError unless all arguments are whole numbers above 0."""
    for name, number in numbers.items():
        whole(name, number, needed=True)


def check_model(call: str, model, *kinds: type) -> None:
    """Raise TrainingError unless `model` is of one of these classes."""
    if not isinstance(model, kinds):
        wanted = " or ".join(f"mg.models.{kind.__name__}" for kind in kinds)
        raise TrainingError(
            f"{call}: expected a {wanted}, but got a {type(model).__name__}; the result of fit has the model as an "
            "attribute (result.gan or result.model), and load(folder) loads the model of a run"
        )


def check_seed(seed) -> int:
    """Return a seed as an int. Raises TrainingError unless it is a whole number of at least 0."""
    return whole("seed", seed, least=0, needed=True)


def steps_and_batch(
    count: int, steps, epochs, batch, *, usual: int, first_run: tuple[int, int]
) -> tuple[int | None, int]:
    """Return (steps, batch) of a run on `count` images; steps is None if epochs are given.

    usual: the default batch size
    first_run: the default (steps, batch) if neither steps nor epochs are given
    raises TrainingError if steps and epochs are both given, or the batch is larger than the number of images
    """
    steps, epochs, batch = whole("steps", steps), whole("epochs", epochs), whole("batch", batch)
    if steps is not None and epochs is not None:
        raise TrainingError(f"fit: steps={steps} and epochs={epochs} both say how long to train; give one of them")
    if steps is None and epochs is None:
        steps, first_batch = first_run
        batch = first_batch if batch is None else batch
    batch = usual if batch is None else batch
    if batch > count:
        raise TrainingError(f"a batch of {batch} needs at least {batch} images, but there are {count}")
    return steps, batch


def check_augment(augment) -> None:
    """Raise TrainingError unless `augment` is an Augment or None."""
    if augment is not None and not isinstance(augment, Augment):
        raise TrainingError(
            f"fit: augment is {augment!r}; pass an Augment, such as mg.data.Augment(flip=True, shift=2)"
        )


def plain(augment: Augment | None) -> dict | None:
    """Convert an augmentation's settings for JSON."""
    return None if augment is None else dict(vars(augment))


def held_out(images: Dataset | np.ndarray, model: Model) -> np.ndarray:
    """Return held-out images as uint8, (N, H, W, C), after checking them against the model.

    raises DataError if they are not images, ShapeError if their shape is not the model's
    """
    images, _, _ = images_of(images, call="fit, test")
    model.check(images)
    return images if images.dtype == np.uint8 else to_uint8(images)


def version(package: str) -> str | None:
    """Return a package's version, or None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def missing(packages: Iterable[str]) -> list[str]:
    """Return the packages that are not installed."""
    return [package for package in packages if version(package) is None]


def require(packages: Iterable[str], purpose: str) -> None:
    """Raise RunError, with the command to install them, if packages are missing."""
    absent = missing(packages)
    if absent:
        raise RunError(f"{purpose} needs {', '.join(absent)}: pip install 'minigan[train]'")
