"""Ways through the noise that a GAN or a VAE makes images of, and the images along them."""

from __future__ import annotations

import numpy as np

from minigan import random
from minigan.autograd.tensor import Tensor
from minigan.data.dataset import clipped
from minigan.errors import ShapeError, UnknownNameError
from minigan.inside.running import labels_of
from minigan.models import GAN, VAE
from minigan.training.errors import TrainingError
from minigan.training.inputs import check_model, check_seed, check_whole, real

WAYS = ("sphere", "line")
SMALL = 1e-4  # radians: below it an arc is as good as its chord


def path(start: np.ndarray, end: np.ndarray, steps: int, way: str = "sphere") -> np.ndarray:
    """Noise on the way from one to another, both ends among it.

    start, end: (N, L)
    steps: how many points, at least 2
    way: "sphere" turns at an even pace from one direction to the other: nearly all normal noise of L numbers is about
        sqrt(L) long, and so is what lies between. "line" is the shortest way, whose middle is shorter by up to
        sqrt(2) than any noise that the generator has learned with
    returns: (N, steps, L), of start's dtype; float64 where that is an integer
    raises ShapeError for shapes that differ and for what is not a number; UnknownNameError for another way;
        TrainingError for too few steps, or opposite ends, between which no way on the sphere is the shortest
    source: White, Sampling generative networks, arXiv:1609.04468; slerp: Shoemake, SIGGRAPH 1985
    """
    start, end = np.asarray(start), np.asarray(end)
    if start.ndim != 2 or start.shape != end.shape:
        raise ShapeError(f"path: start has shape {start.shape} and end {end.shape}; both are (N, L)")
    _check_numbers("path", start, end)
    check_whole(steps=steps)
    UnknownNameError.check("way", way, WAYS)
    if steps < 2:
        raise TrainingError(f"path: steps are {steps}, but a way has at least 2: its ends")
    at = np.linspace(0, 1, steps)[:, None]
    shares = np.broadcast_to(1 - at, (len(start), steps, 1)), np.broadcast_to(at, (len(start), steps, 1))
    if way == "sphere":
        angles = np.array([_angle(a, b) for a, b in zip(start, end, strict=True)]).reshape(-1, 1, 1)
        turning = angles > SMALL
        sines = np.where(turning, np.sin(angles), 1)
        shares = [np.where(turning, np.sin(share * angles) / sines, share) for share in shares]
    dtype = start.dtype if start.dtype.kind == "f" else np.float64
    return (shares[0] * start[:, None] + shares[1] * end[:, None]).astype(dtype)


def _angle(a, b):
    """Between two vectors, in radians, to full precision at both ends. Raises TrainingError where they are opposite."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if not min(lengths) > 0:
        return 0.0  # a noise of nothing but zeros has no direction: the way is straight
    a, b = (np.asarray(v, np.float64) / length for v, length in zip((a, b), lengths, strict=True))
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if angle > np.pi - SMALL:
        raise TrainingError('path: two ends are opposite, so every way around the sphere is as short; way="line" goes')
    return angle


def ends(model: GAN | VAE, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The noise that `count` ways begin and end with, two arrays (count, latent_size)."""
    check_model("ends", model, GAN, VAE)
    check_whole(count=count)
    check_seed(seed)
    rng = random.Philox(seed, "ends")
    return tuple(model.noise(count, rng).numpy() for _ in range(2))


def interpolate(
    model: GAN | VAE,
    start: np.ndarray,
    end: np.ndarray,
    steps: int = 9,
    way: str = "sphere",
    labels: int | np.ndarray | None = None,
) -> np.ndarray:
    """Images on the ways from some noise to other noise.

    start, end: (N, latent_size), from `ends` or of your own
    steps, way: as in `path`
    labels: for a conditional GAN, the class along each path, or one for all; by default all classes in turn
    returns: (N, steps, H, W, C), uint8; the first and the last of each row are the ends'
    raises what `path` does, and ShapeError where noise or labels do not fit the model
    """
    check_noise("interpolate", model, start)
    ways = path(start, end, steps, way)
    labels = classes_of("interpolate", model, labels, len(ways))
    return _images(model, ways, None if labels is None else np.repeat(labels, steps))


def along(
    model: GAN | VAE,
    noise: np.ndarray,
    vectors: np.ndarray,
    reach: float | tuple[float, float] = 3.0,
    steps: int = 7,
    label: int | None = None,
) -> np.ndarray:
    """Images of noise that is moved along each of some directions.

    noise: (latent_size,), or one for each direction, (D, latent_size)
    vectors: (D, latent_size), as `directions` finds them
    reach: how many times the direction the last image's noise is moved; the first one's as far the other way, or (from,
        to). With an odd number of steps and no such pair, the image in the middle is the noise's own
    label: for a conditional GAN, the class; 0 by default
    returns: (D, steps, H, W, C), uint8
    raises ShapeError where noise, vectors or label do not fit the model
    """
    noise, vectors = np.asarray(noise), np.asarray(vectors)
    check_noise("along", model, vectors)
    noise = np.broadcast_to(noise, vectors.shape) if noise.ndim == 1 and noise.shape == vectors.shape[1:] else noise
    if noise.shape != vectors.shape:
        raise ShapeError(f"along: noise has shape {noise.shape}, but it is one for all or each of {vectors.shape}")
    check_noise("along", model, noise)
    check_whole(steps=steps)
    first, last = reach if isinstance(reach, tuple) else (-real("along: reach", reach, least=0.0, needed=True), reach)
    moved = noise[:, None] + np.linspace(first, last, steps)[:, None] * vectors[:, None]
    labels = classes_of("along", model, 0 if label is None and model_classes(model) else label, len(moved))
    return _images(model, moved, None if labels is None else np.repeat(labels, steps))


def _images(model, noise, labels):
    """Images (N, steps, H, W, C) of noise (N, steps, L)."""
    made = generated(model, noise.reshape(-1, noise.shape[-1]), labels)
    return made.reshape(*noise.shape[:2], *made.shape[1:])


def generated(model: GAN | VAE, noise: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """A model's images (N, H, W, C), uint8, for noise on the CPU."""
    noise = Tensor(np.asarray(noise, np.float32)).to(model.device)
    return clipped(model.generate(noise) if labels is None else model.generate(noise, labels))


def model_classes(model: GAN | VAE) -> int | None:
    """How many classes a model has; None for one without classes, such as a VAE."""
    return getattr(model, "classes", None)


def classes_of(call: str, model: GAN | VAE, labels, count: int) -> np.ndarray | None:
    """A class for each of `count` images, by default all in turn; None if the model has no classes.

    raises ShapeError for classes that the model does not have
    """
    classes = model_classes(model)
    if classes is None:
        if labels is not None:
            raise ShapeError(f"{call}: {model.name} knows no classes, so it makes no images of one")
        return None
    return model.labels(count) if labels is None else labels_of(call, labels, count, classes)


def check_noise(call: str, model: GAN | VAE, noise: np.ndarray) -> None:
    """Raise TrainingError for what makes no images of noise, ShapeError unless this is (N, latent_size) of numbers."""
    check_model(call, model, GAN, VAE)
    noise = np.asarray(noise)
    if noise.ndim != 2 or noise.shape[1] != model.latent_size:
        raise ShapeError(f"{call}: {model.name} takes noise (N, {model.latent_size}), but was given {noise.shape}")
    _check_numbers(call, noise)


def _check_numbers(call, *noises):
    if not all(noise.dtype.kind in "fiu" and np.isfinite(noise).all() for noise in noises):
        raise ShapeError(f"{call}: some of the noise is not a number")
