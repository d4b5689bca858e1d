"""The models, by name."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from minigan import kinds, random
from minigan.data.arrays import python_number
from minigan.errors import MiniganError, ShapeError
from minigan.models.gan import GAN, Recipe
from minigan.models.model import Model
from minigan.training.inputs import check_seed, whole

if TYPE_CHECKING:
    from minigan.models.classifier import Classifier
    from minigan.models.counting import Size, size
    from minigan.models.deconvnet import Restorer
    from minigan.models.vae import VAE

__all__ = [
    "GAN",
    "VAE",
    "Classifier",
    "Model",
    "Recipe",
    "Restorer",
    "Size",
    "available",
    "build",
    "kind_of",
    "size",
    "size_for",
]

_COUNTS = ("classes", "latent_size", "filters", "kernel", "depth")  # options that are whole numbers


def __getattr__(name):
    """Import rarely used names on first use."""
    if name == "VAE":
        from minigan.models.vae import VAE as found
    elif name == "Classifier":
        from minigan.models.classifier import Classifier as found
    elif name == "Restorer":
        from minigan.models.deconvnet import Restorer as found
    elif name in ("Size", "size"):
        from minigan.models import counting as module

        globals()["Size"], globals()["size"] = module.Size, module.size
        found = globals()[name]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def available() -> dict[str, str]:
    """Return the models' names and summaries."""
    return {name: model.summary for kind in kinds.kinds() for name, model in kind.models.items()}


def kind_of(name: str) -> str:
    """Return the kind of a model by its name, which is also the name of the module that trains it: "gan", "vae",
    "classifier" or "restoration".

    For "deconvnet" it is "restoration", although with task="classification" a classifier is built.
    raises UnknownNameError for a name that is not in `available()`
    """
    return kinds.kind_of_model(name).name


def size_for(name: str, height: int, width: int) -> int | None:
    """Return the side in pixels to which images must be resized for a model that supports only some sizes.

    It is the next larger supported size, or the largest; None if no resizing is needed.
    """
    sizes = kinds.architecture(name).sizes
    if not sizes or (height == width and height in sizes):
        return None
    return next((size for size in sizes if size >= max(height, width)), sizes[-1])


def build(
    name: str, image_shape: tuple[int, int, int] = (28, 28, 1), seed: int = 0, classes: int | None = None, **options
) -> Model:
    """Build a model with fresh weights for images of a shape (H, W, C). The same seed gives the same weights.

    classes: the number of classes; models without classes ignore it
    options: the model's other options, such as task="denoising" for "deconvnet"
    returns: a GAN, a VAE, a Classifier or a Restorer, according to its `kind`
    raises UnknownNameError for a name that is not in `available()`, ShapeError for an unsupported image shape,
        MiniganError for unknown options, TrainingError for option values that must be whole numbers
    """
    model = kinds.architecture(name)
    try:
        image_shape = tuple(map(operator.index, image_shape))
    except TypeError as error:
        raise ShapeError(f"build: image_shape is {image_shape!r}, but it must be (H, W, C)") from error
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ShapeError(f"build: image_shape is {image_shape}, but it must be (H, W, C)")
    seed = check_seed(seed)
    known = (*model.options, *(["classes"] if model.classes else []))
    for option in options:
        if option not in known:
            raise MiniganError(f"{name}: there is no option {option!r}; its options are: {', '.join(known) or 'none'}")
    if model.classes:
        options["classes"] = classes
    for option, value in options.items():
        if option in _COUNTS:
            options[option] = whole(f"{name}: {option}", value, least=0, needed=option != "classes")
        else:
            options[option] = python_number(value)
    return model.build(image_shape, random.derived(seed, "init"), **options)
