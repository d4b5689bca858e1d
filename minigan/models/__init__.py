"""The models, by name."""

from minigan import random
from minigan.errors import ShapeError, UnknownNameError
from minigan.models.dcgan import dcgan
from minigan.models.gan import GAN
from minigan.models.mlp_gan import mlp_gan
from minigan.models.rgan import rgan

__all__ = ["GAN", "available", "build", "dcgan", "mlp_gan", "rgan"]

_MODELS = {
    "dcgan": (dcgan, "convolutions and their adjoints with batch norm; 28, 32 or 64 pixels"),
    "mlp-gan": (mlp_gan, "three dense layers each; any image shape"),
    "rgan": (rgan, "5 x 5 transposed convolutions with skips past them; 32 or 64 pixels"),
}


def available() -> dict[str, str]:
    """The models' names and what each is."""
    return {name: description for name, (_, description) in _MODELS.items()}


def build(name: str, image_shape=(28, 28, 1), seed: int = 0) -> GAN:
    """A model with fresh weights for images of a shape (H, W, C); the same for the same seed.

    raises UnknownNameError for a name that is not in `available()`, ShapeError for images that the model cannot make
    """
    if name not in _MODELS:
        raise UnknownNameError("model", name, _MODELS)
    image_shape = tuple(int(n) for n in image_shape)
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ShapeError(f"build: image_shape is {image_shape}, but images are (H, W, C)")
    return _MODELS[name][0](image_shape, random.derived(seed, "init"))
