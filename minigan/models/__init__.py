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
    """What few runs need is imported on first use."""
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
    """The models' names and what each is."""
    return {name: model.summary for kind in kinds.kinds() for name, model in kind.models.items()}


def kind_of(name: str) -> str:
    """The kind of model that a name stands for, which is also the module that trains it: "gan", "vae", "classifier" or
    "restoration".

    A "deconvnet" with task="classification" is built as a classifier; by its name it is a restoration.
    raises UnknownNameError for a name that is not in `available()`
    """
    return kinds.kind_of_model(name).name


def size_for(name: str, height: int, width: int) -> int | None:
    """The pixels, both height and width, that images have to be resized to for a model that is made for a few sizes.

    That is the next larger of its sizes, or its largest; None where the images can stay as they are.
    """
    sizes = kinds.architecture(name).sizes
    if not sizes or (height == width and height in sizes):
        return None
    return next((size for size in sizes if size >= max(height, width)), sizes[-1])


def build(
    name: str, image_shape: tuple[int, int, int] = (28, 28, 1), seed: int = 0, classes: int | None = None, **options
) -> Model:
    """A model with fresh weights for images of a shape (H, W, C); the same for the same seed.

    classes: how many classes of images there are, for models that ask; others ignore it
    options: the model's other options, such as task="denoising" for "deconvnet"
    returns: a GAN, a VAE, a Classifier or a Restorer; its `kind` says which
    raises UnknownNameError for a name that is not in `available()`, ShapeError for images that the model cannot make,
        MiniganError for options that it does not have, TrainingError for numbers that are not whole
    """
    model = kinds.architecture(name)
    try:
        image_shape = tuple(map(operator.index, image_shape))
    except TypeError as error:
        raise ShapeError(f"build: image_shape is {image_shape!r}, but images are (H, W, C)") from error
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ShapeError(f"build: image_shape is {image_shape}, but images are (H, W, C)")
    seed = check_seed(seed)
    known = (*model.options, *(["classes"] if model.classes else []))
    for option in options:
        if option not in known:
            raise MiniganError(f"{name}: there is no option {option!r}; there are: {', '.join(known) or 'none'}")
    if model.classes:
        options["classes"] = classes
    for option, value in options.items():
        if option in _COUNTS:
            options[option] = whole(f"{name}: {option}", value, least=0, needed=option != "classes")
        else:
            options[option] = python_number(value)
    return model.build(image_shape, random.derived(seed, "init"), **options)
