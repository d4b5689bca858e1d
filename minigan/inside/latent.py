"""The latent space of a GAN or a VAE: paths through its noise, and meaningful directions.

There are two kinds of direction. `directions` finds the steps in noise that change the image most. `class_means` finds
the mean noise of each class, as predicted by a classifier, and so the steps from one class to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigan import autograd, devices, ops, random
from minigan.autograd.tensor import Tensor
from minigan.data.arrays import clipped
from minigan.errors import DataError, ShapeError, TrainingError, UnknownNameError
from minigan.evaluation.judging import fitted
from minigan.inside.inputs import labels_of, tensor_for
from minigan.models import GAN, VAE, Classifier
from minigan.nn import Module, as_in_use
from minigan.training.inputs import check_model, check_seed, check_whole, real

WAYS = ("sphere", "line")
SMALL = 1e-4  # radians; for smaller angles, an arc is replaced by its chord


def path(start: np.ndarray, end: np.ndarray, steps: int, way: str = "sphere") -> np.ndarray:
    """Interpolate between two noise vectors, both ends included.

    start, end: (N, L)
    steps: the number of points, at least 2
    way: "sphere" rotates from one direction to the other at constant speed: nearly all normal noise of L numbers has a
        length of about sqrt(L), and so do the points between. "line" is straight, and its middle is up to sqrt(2) times
        shorter than the noise that the generator was trained with
    returns: (N, steps, L), of start's dtype, or float64 if that is an integer
    raises ShapeError for different shapes and for values that are not numbers; UnknownNameError for another way;
        TrainingError for too few steps, or opposite ends, between which no path on the sphere is the shortest
    source: White, Sampling generative networks, arXiv:1609.04468; slerp: Shoemake, SIGGRAPH 1985
    """
    start, end = np.asarray(start), np.asarray(end)
    if start.ndim != 2 or start.shape != end.shape:
        raise ShapeError(f"path: start has shape {start.shape} and end {end.shape}, expected (N, L) for both")
    _check_numbers("path", start, end)
    check_whole(steps=steps)
    UnknownNameError.check("way", way, WAYS)
    if steps < 2:
        raise TrainingError(f"path: steps are {steps}, but a path has at least 2: its ends")
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
    """The angle between two vectors in radians, accurate near 0 and pi. Raises TrainingError for opposite vectors."""
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if not min(lengths) > 0:
        return 0.0  # noise of zeros has no direction, so the path is straight
    a, b = (np.asarray(v, np.float64) / length for v, length in zip((a, b), lengths, strict=True))
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if angle > np.pi - SMALL:
        raise TrainingError('path: two ends are opposite, so no path on the sphere is the shortest; use way="line"')
    return angle


def ends(model: GAN | VAE, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw the noise at the two ends of `count` paths: two arrays (count, latent_size)."""
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
    """Generate images along the paths between noise vectors.

    start, end: (N, latent_size), for example from `ends`
    steps, way: as in `path`
    labels: for a conditional GAN, the class along each path, or one for all; by default all classes in turn
    returns: (N, steps, H, W, C), uint8; the first and last image of each row are those of the ends
    raises what `path` does, and ShapeError for noise or labels that do not fit the model
    """
    check_noise("interpolate", model, start)
    paths = path(start, end, steps, way)
    labels = classes_of("interpolate", model, labels, len(paths))
    return _images(model, paths, None if labels is None else np.repeat(labels, steps))


def along(
    model: GAN | VAE,
    noise: np.ndarray,
    vectors: np.ndarray,
    reach: float | tuple[float, float] = 3.0,
    steps: int = 7,
    label: int | None = None,
) -> np.ndarray:
    """Generate images while noise moves along each of several directions.

    noise: (latent_size,), or one for each direction, (D, latent_size)
    vectors: (D, latent_size), for example from `directions`
    reach: the noise moves from -reach to +reach times the direction, or (from, to) times. For a single number and an
        odd number of steps, the middle image is that of the unchanged noise
    label: for a conditional GAN, the class; 0 by default
    returns: (D, steps, H, W, C), uint8
    raises ShapeError for noise, vectors or a label that do not fit the model
    """
    noise, vectors = np.asarray(noise), np.asarray(vectors)
    check_noise("along", model, vectors)
    noise = np.broadcast_to(noise, vectors.shape) if noise.ndim == 1 and noise.shape == vectors.shape[1:] else noise
    if noise.shape != vectors.shape:
        raise ShapeError(f"along: noise has shape {noise.shape}, expected {vectors.shape} or {vectors.shape[1:]}")
    check_noise("along", model, noise)
    check_whole(steps=steps)
    first, last = reach if isinstance(reach, tuple) else (-real("along: reach", reach, least=0.0, needed=True), reach)
    moved = noise[:, None] + np.linspace(first, last, steps)[:, None] * vectors[:, None]
    labels = classes_of("along", model, 0 if label is None and model_classes(model) else label, len(moved))
    return _images(model, moved, None if labels is None else np.repeat(labels, steps))


def _images(model, noise, labels):
    """Generate images (N, steps, H, W, C) from noise (N, steps, L)."""
    made = generated(model, noise.reshape(-1, noise.shape[-1]), labels)
    return made.reshape(*noise.shape[:2], *made.shape[1:])


def generated(model: GAN | VAE, noise: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Generate a model's images (N, H, W, C), uint8, from noise on the CPU."""
    noise = Tensor(np.asarray(noise, np.float32)).to(model.device)
    return clipped(model.generate(noise) if labels is None else model.generate(noise, labels))


def model_classes(model: GAN | VAE) -> int | None:
    """The number of classes of a model; None for a model without classes, such as a VAE."""
    return getattr(model, "classes", None)


def classes_of(call: str, model: GAN | VAE, labels, count: int) -> np.ndarray | None:
    """A class for each of `count` images, by default all in turn; None if the model has no classes.

    raises ShapeError for classes that the model does not have
    """
    classes = model_classes(model)
    if classes is None:
        if labels is not None:
            raise ShapeError(f"{call}: {model.name} has no classes, so it takes no labels")
        return None
    return model.labels(count) if labels is None else labels_of(call, labels, count, classes)


def check_noise(call: str, model: GAN | VAE, noise: np.ndarray) -> None:
    """Raise TrainingError if the model is not a GAN or VAE, ShapeError unless noise is (N, latent_size) of numbers."""
    check_model(call, model, GAN, VAE)
    noise = np.asarray(noise)
    if noise.ndim != 2 or noise.shape[1] != model.latent_size:
        raise ShapeError(f"{call}: {model.name} takes noise (N, {model.latent_size}), not {noise.shape}")
    _check_numbers(call, noise)


def _check_numbers(call, *noises):
    if not all(noise.dtype.kind in "fiu" and np.isfinite(noise).all() for noise in noises):
        raise ShapeError(f"{call}: the noise contains values that are not finite numbers")


# ----------------------------------------------------------------------------------------------------------- classes
#
# The mean noise of images of one class, minus that of another, is a step from the second class to the first.
#
# source: Radford, Metz & Chintala, arXiv:1511.06434, section 6.3.2: the mean noise of women who smile, minus that of
# women who do not, added to that of men. They chose three images of each kind by hand; here a classifier chooses many.


class ClassMeans(NamedTuple):
    """means: the mean noise of the images of each class, (classes, latent_size), float32; NaN if there are none
    examples: the noise of the first image of each class, in the same form
    counts: the number of images of each class, (classes,)
    """

    means: np.ndarray
    examples: np.ndarray
    counts: np.ndarray

    def step(self, start: int, end: int) -> np.ndarray:
        """The direction from one class to another, of length 1, (latent_size,).

        raises DataError if a class has no images
        """
        for label in (start, end):
            if not 0 <= label < len(self.counts) or not self.counts[label]:
                raise DataError(f"step: no image is of class {label}; images of each class: {self.counts.tolist()}")
        step = self.means[end] - self.means[start]
        return step / np.linalg.norm(step)


def class_means(model: GAN | VAE, judge: Classifier, count: int = 2000, seed: int = 0) -> ClassMeans:
    """Generate images, and average their noise for each class that a classifier predicts.

    model: an unconditional model, since the noise of a conditional one does not encode the class
    judge: the classifier; images are resized to its size
    count: the number of images to generate
    raises ShapeError for a conditional model, DataError for images that cannot be resized to the classifier's shape
    """
    check_model("class_means", model, GAN, VAE)
    check_model("class_means", judge, Classifier)
    check_whole(count=count)
    check_seed(seed)
    if model_classes(model):
        raise ShapeError(
            f"class_means: {model.name} takes the class as a separate input, so its noise does not encode classes"
        )
    noise = model.noise(count, random.Philox(seed, "classes")).numpy()
    predicted = judge.predict(fitted(generated(model, noise, None), judge.image_shape))
    counts = np.bincount(predicted, minlength=judge.classes)
    means, examples = np.full((2, judge.classes, noise.shape[1]), np.nan, np.float32)
    for label in np.flatnonzero(counts):
        of_class = noise[predicted == label]
        means[label], examples[label] = of_class.mean(0, dtype=np.float64), of_class[0]
    return ClassMeans(means, examples, counts)


# -------------------------------------------------------------------------------------------------------- directions
#
# The steps in noise that change a generator's image most are the leading right singular vectors of its Jacobian. A
# small step v changes the image by J v, where J is the generator's Jacobian at a noise z. On average over noise, the
# square of |J v| is v' E[J' J] v, so the unit vectors that change most are the leading eigenvectors of E[J' J]; at a
# single z they are the right singular vectors of J there. Since noise has only about a hundred numbers, the matrix is
# computed exactly, one column of J for each number, without a power iteration that would have to converge.
#
# GANSpace (arXiv:2004.02546) takes a PCA of the first dense layer's outputs, which gives the singular vectors of that
# layer's weight alone. In a small generator without a mapping network, these say little about the image, because the
# other layers decide what reaches it. For a linear generator the two methods agree.
#
# source: Ramesh, Choi & LeCun, A spectral regularizer for unsupervised disentanglement, arXiv:1812.01161


@dataclass(frozen=True)
class Directions:
    """Orthogonal unit steps in noise that change the image most.

    vectors: (count, latent_size), float32, in order of decreasing change; the largest component of each is positive
    gains: the change of each, (count,): the root mean square over noise of |J v|, over all pixels in [-1, 1] together
    share: their share of all change: the sum of gains^2, divided by that of all directions
    """

    vectors: np.ndarray
    gains: np.ndarray
    share: float


def directions(
    model: GAN | VAE,
    count: int = 5,
    points: int | np.ndarray = 8,
    seed: int = 0,
    labels: int | np.ndarray | None = None,
) -> Directions:
    """Find the directions in noise that change a model's images most, on average over noise.

    model: a GAN (its averaged generator if there is one) or a VAE (its decoder), with running statistics
    count: the number of directions
    points: the number of noise draws to average over, or the noise itself, (N, latent_size): a single point gives the
        directions there. Each point costs as much as generating 3 latent_size images
    seed: for the draws
    labels: for a conditional GAN, the class of each point, or one for all; by default all classes in turn
    raises ShapeError if count exceeds latent_size, or noise or labels do not fit the model
    """
    check_model("directions", model, GAN, VAE)
    check_whole(count=count)
    check_seed(seed)
    if count > model.latent_size:
        raise ShapeError(f"directions: count is {count}, but the noise of {model.name} has {model.latent_size} numbers")
    if np.ndim(points) == 0:
        check_whole(points=points)
        points = model.noise(points, random.Philox(seed, "directions")).numpy()
    check_noise("directions", model, points)
    labels = classes_of("directions", model, labels, len(points))
    generator = generator_of(model)
    gram = np.zeros((model.latent_size, model.latent_size))
    with as_in_use():
        for number, noise in enumerate(points):
            columns = _columns(generator, noise, () if labels is None else (labels[number],))
            gram += columns @ columns.T / len(points)
    values, vectors = np.linalg.eigh(gram)
    values, vectors = np.maximum(values[::-1], 0), vectors.T[::-1][:count]
    largest = np.abs(vectors).argmax(1)
    vectors = vectors * np.sign(vectors[np.arange(count), largest])[:, None]
    share = float(values[:count].sum() / values.sum()) if values.sum() else 0.0
    return Directions(vectors.astype(np.float32), np.sqrt(values[:count]), share)


def generator_of(model: GAN | VAE) -> Module:
    """The network that generates a model's images."""
    if isinstance(model, VAE):
        return model.decoder
    return model.generator if model.average is None else model.average


def _columns(generator, noise, classes):
    """The columns of the generator's Jacobian J at a noise (L,), as rows (L, pixels), in float64.

    The backward pass computes g(u) = J' u for any u. As this is linear in u, the gradient of <g(u), v> with respect to
    u is J v for every u.
    """
    size = len(noise)
    z = tensor_for(generator, np.tile(noise, (size, 1)), requires_grad=True)
    with autograd.recording(True):
        images = generator(z, *(np.full(size, label) for label in classes))
        anything = Tensor(np.zeros_like(images.data), True)
        back = autograd.grad(images, z, anything, create_graph=True)
        steps = devices.move(np.eye(size, dtype=z.dtype), z.device)
        pushed = autograd.grad(ops.sum(back * steps), anything)
    return devices.to_cpu(pushed).reshape(size, -1).astype(np.float64)
