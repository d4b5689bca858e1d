"""The models, by name."""

import operator

from minigan import random
from minigan.data.arrays import python_number
from minigan.errors import MiniganError, ShapeError, UnknownNameError
from minigan.models.cgan import SIZES as CGAN_SIZES
from minigan.models.cgan import cgan
from minigan.models.classifier import Classifier, cnn
from minigan.models.dcgan import SIZES as DCGAN_SIZES
from minigan.models.dcgan import dcgan
from minigan.models.deconvnet import Restorer, deconvnet, deconvnet_gan
from minigan.models.dense_gans import dense_conv_gan, mlp_gan, wgan, wgan_clip
from minigan.models.gan import GAN, Recipe
from minigan.models.model import Model
from minigan.models.rgan import SIZES as RGAN_SIZES
from minigan.models.rgan import rgan
from minigan.models.size import Size, size
from minigan.models.vae import VAE, vae
from minigan.training.inputs import check_seed, whole

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
    "cgan",
    "cnn",
    "dcgan",
    "deconvnet",
    "deconvnet_gan",
    "dense_conv_gan",
    "kind_of",
    "mlp_gan",
    "rgan",
    "size",
    "size_for",
    "vae",
    "wgan",
    "wgan_clip",
]

_MODELS = {
    "cgan": (cgan, "gan", "a DCGAN that also takes the class of each image; 28, 32 or 64 pixels, with labels"),
    "dcgan": (dcgan, "gan", "convolutions and their adjoints with batch norm; 28, 32 or 64 pixels"),
    "deconvnet-gan": (deconvnet_gan, "gan", "its generator ends in the deconvnet; sides that are multiples of 4"),
    "dense-conv-gan": (dense_conv_gan, "gan", "dense layers to an image, and a convolution over it; any image shape"),
    "mlp-gan": (mlp_gan, "gan", "three dense layers each; any image shape"),
    "rgan": (rgan, "gan", "5 x 5 transposed convolutions with skips past them; 32 or 64 pixels"),
    "wgan": (wgan, "gan", "the dense networks with a critic whose slope is penalised; any image shape"),
    "wgan-clip": (wgan_clip, "gan", "the same with a critic whose weights are clipped; any image shape"),
    "vae": (vae, "vae", "a variational autoencoder whose decoder is the dense generator; any image shape"),
    "cnn": (cnn, "classifier", "two convolutions, max and average pooling, two dense layers"),
    "deconvnet": (deconvnet, "restoration", "a convolution and a transposed one; it can classify too (--task)"),
}
_OPTIONS = {
    "vae": ("latent_size",),
    "deconvnet": ("task", "filters", "kernel", "depth", "adversarial"),
}
_SIZES = {"cgan": CGAN_SIZES, "dcgan": DCGAN_SIZES, "rgan": RGAN_SIZES}
_COUNTS = ("classes", "latent_size", "filters", "kernel", "depth")  # options that are whole numbers
_BY_CLASS = {"cgan", "cnn", "deconvnet"}  # their builders take the number of classes


def available() -> dict[str, str]:
    """The models' names and what each is."""
    return {name: description for name, (_, _, description) in _MODELS.items()}


def kind_of(name: str) -> str:
    """What kind of model a name stands for, and so which module trains it: "gan", "vae", "classifier", "restoration".

    A "deconvnet" with task="classification" is built as a classifier; by its name it is a restoration.
    raises UnknownNameError for a name that is not in `available()`
    """
    UnknownNameError.check("model", name, _MODELS)
    return _MODELS[name][1]


def size_for(name: str, height: int, width: int) -> int | None:
    """The pixels that images have to be resized to, height and width, for a model that is made for a few sizes: the
    next larger one, or the largest; None where they can stay as they are."""
    sizes = _SIZES.get(name)
    if sizes is None or (height == width and height in sizes):
        return None
    return next((size for size in sizes if size >= max(height, width)), sizes[-1])


def build(name: str, image_shape=(28, 28, 1), seed: int = 0, classes: int | None = None, **options) -> Model:
    """A model with fresh weights for images of a shape (H, W, C); the same for the same seed.

    classes: how many kinds of images there are, for models that ask; others have no use for it
    options: the model's other options, such as task="denoising" for "deconvnet"
    returns: a GAN, a VAE, a Classifier or a Restorer; its `kind` says which
    raises UnknownNameError for a name that is not in `available()`, ShapeError for images that the model cannot make,
        MiniganError for options that it does not have, TrainingError for numbers that are not whole
    """
    kind_of(name)
    try:
        image_shape = tuple(map(operator.index, image_shape))
    except TypeError as error:
        raise ShapeError(f"build: image_shape is {image_shape!r}, but images are (H, W, C)") from error
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ShapeError(f"build: image_shape is {image_shape}, but images are (H, W, C)")
    seed = check_seed(seed)
    known = (*_OPTIONS.get(name, ()), *(["classes"] if name in _BY_CLASS else []))
    for option in options:
        if option not in known:
            raise MiniganError(f"{name}: there is no option {option!r}; there are: {', '.join(known) or 'none'}")
    if name in _BY_CLASS:
        options["classes"] = classes
    for option, value in options.items():
        if option in _COUNTS:
            options[option] = whole(f"{name}: {option}", value, least=0, needed=option != "classes")
        else:
            options[option] = python_number(value)
    return _MODELS[name][0](image_shape, random.derived(seed, "init"), **options)
