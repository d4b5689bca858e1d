"""The steps in noise that change a generator's image most: leading right singular vectors of its Jacobian.

A small step v changes the image by J v, J the generator's Jacobian at a noise z; how much is |J v|, and its square, on
average over noise, is v' E[J' J] v. So the unit vectors that change most are the leading eigenvectors of E[J' J]; at a
single z, the right singular vectors of J there. Noise has some hundred numbers and the matrix is no larger, so it is
computed exactly, a column of J for each number, and there is no power iteration that would have to converge.

(PCA of what the first dense layer makes of noise, as GANSpace takes it (arXiv:2004.02546), gives the singular vectors
of that layer's weight alone: for a small generator without a mapping network that says little of the image, since all
other layers decide what of it arrives there. For a generator that is linear the two are one.)

source: Ramesh, Choi & LeCun, A spectral regularizer for unsupervised disentanglement, arXiv:1812.01161
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minigan import autograd, devices, ops, random
from minigan.autograd.tensor import Tensor
from minigan.errors import ShapeError
from minigan.inside.latent import check_noise, classes_of
from minigan.inside.running import tensor_for
from minigan.models import GAN, VAE
from minigan.nn import Module, as_in_use
from minigan.training.inputs import check_model, check_seed, check_whole


@dataclass(frozen=True)
class Directions:
    """The unit steps in noise that change the image most, at right angles to one another.

    vectors: (count, latent_size), float32, the first one changes most; of each the largest number is above 0
    gains: by how much: the root mean square over noise of |J v|, all pixels together, in [-1, 1], (count,)
    share: which part of all change they make up: the sum of gains^2 over that of all directions
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
    """The directions in noise that change a model's images most, on average over noise.

    model: a GAN (its averaged generator where there is one) or a VAE (its decoder), with running statistics
    count: how many
    points: how many draws of noise to average over, or the noise itself, (N, latent_size): a single one gives the
        directions there. Each costs as much as making 3 latent_size images
    seed: of the draws
    labels: for a conditional GAN, the class of each point, or one for all; by default all classes in turn
    raises ShapeError for more directions than noise has numbers, or noise or labels that do not fit the model
    """
    check_model("directions", model, GAN, VAE)
    check_whole(count=count)
    check_seed(seed)
    if count > model.latent_size:
        raise ShapeError(f"directions: {count} of them, but the noise of {model.name} has {model.latent_size} numbers")
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
    """The network that a model makes images with."""
    if isinstance(model, VAE):
        return model.decoder
    return model.generator if model.average is None else model.average


def _columns(generator, noise, told):
    """The columns of the generator's Jacobian at a noise (L,), (L, pixels), in float64.

    With g(u) = J' u, which the backward pass computes for any u, and which is linear, the gradient of <g(u), v> by u is
    J v, whatever u is.
    """
    size = len(noise)
    z = tensor_for(generator, np.tile(noise, (size, 1)), requires_grad=True)
    with autograd.recording(True):
        images = generator(z, *(np.full(size, label) for label in told))
        anything = Tensor(np.zeros_like(images.data), True)
        back = autograd.grad(images, z, anything, create_graph=True)
        steps = devices.move(np.eye(size, dtype=z.dtype), z.device)
        pushed = autograd.grad(ops.sum(back * steps), anything)
    return devices.to_cpu(pushed).reshape(size, -1).astype(np.float64)
