"""The models, by name."""

from minigan import random
from minigan.errors import ShapeError, UnknownNameError
from minigan.models.cgan import cgan
from minigan.models.dcgan import dcgan
from minigan.models.dense_conv_gan import dense_conv_gan
from minigan.models.gan import GAN
from minigan.models.mlp_gan import mlp_gan
from minigan.models.recipe import Recipe
from minigan.models.rgan import rgan
from minigan.models.wgan import wgan, wgan_clip

__all__ = [
    "GAN",
    "Recipe",
    "available",
    "build",
    "cgan",
    "dcgan",
    "dense_conv_gan",
    "mlp_gan",
    "rgan",
    "wgan",
    "wgan_clip",
]

_MODELS = {
    "cgan": (cgan, "a DCGAN told the class of each image; 28, 32 or 64 pixels, with labels"),
    "dcgan": (dcgan, "convolutions and their adjoints with batch norm; 28, 32 or 64 pixels"),
    "dense-conv-gan": (dense_conv_gan, "dense layers to an image, and a convolution over it; any image shape"),
    "mlp-gan": (mlp_gan, "three dense layers each; any image shape"),
    "rgan": (rgan, "5 x 5 transposed convolutions with skips past them; 32 or 64 pixels"),
    "wgan": (wgan, "the dense networks with a critic whose slope is penalised; any image shape"),
    "wgan-clip": (wgan_clip, "the same with a critic whose weights are clipped; any image shape"),
}
_BY_CLASS = {"cgan"}  # are told how many classes there are


def available() -> dict[str, str]:
    """The models' names and what each is."""
    return {name: description for name, (_, description) in _MODELS.items()}


def build(name: str, image_shape=(28, 28, 1), seed: int = 0, classes: int | None = None) -> GAN:
    """A model with fresh weights for images of a shape (H, W, C); the same for the same seed.

    classes: how many kinds of images there are, for models that ask; others have no use for it
    raises UnknownNameError for a name that is not in `available()`, ShapeError for images that the model cannot make
    """
    if name not in _MODELS:
        raise UnknownNameError("model", name, _MODELS)
    image_shape = tuple(int(n) for n in image_shape)
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ShapeError(f"build: image_shape is {image_shape}, but images are (H, W, C)")
    given = (classes,) if name in _BY_CLASS else ()
    return _MODELS[name][0](image_shape, random.derived(seed, "init"), *given)
