"""A GAN: two competing networks and their default training recipe."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import ClassVar

import numpy as np

from minigan import random
from minigan.autograd import no_grad
from minigan.autograd.tensor import Tensor
from minigan.data.arrays import python_number
from minigan.errors import ShapeError, UnknownNameError
from minigan.models.model import Model
from minigan.nn import Module, as_in_use, minibatch_std, spectral_norm
from minigan.random import Philox

BOUNDS = "gradient_penalty", "r1", "clip"  # on the discriminator's slope; a recipe has at most one


@dataclass(frozen=True)
class Recipe:
    """The training settings of a GAN. Each model has its own. `mg.gan.fit` checks that the settings work together.

    objective: a name in `mg.gan.OBJECTIVES`, or an Objective
    optimiser: "adam", or "rmsprop", which ignores betas
    generator_rate, discriminator_rate: learning rates
    betas: Adam's decay rates
    critic_steps: discriminator steps for each generator step, each with a new real batch
    gradient_penalty: lambda of WGAN-GP's penalty on slopes other than 1 between real and generated images; 0 for none
    r1: gamma of the R1 penalty on slopes at real images; 0 for none
    clip: after each step, clip the discriminator's parameters to [-clip, clip]; 0 for no clipping
    label_smoothing: label real images 1 - label_smoothing instead of 1
    instance_noise: standard deviation of the noise on the discriminator's inputs; it falls linearly to 0 over the run
    ema: decay of the average of the generator's weights, which generates the samples; 0 for no average
    spectral_norm: whether to divide the discriminator's layers by their largest singular values
    minibatch_std: whether the discriminator's last layer also gets the standard deviation over the batch
    """

    objective: str | object = "non-saturating"
    optimiser: str = "adam"
    generator_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    critic_steps: int = 1
    gradient_penalty: float = 0.0
    r1: float = 0.0
    clip: float = 0.0
    label_smoothing: float = 0.0
    instance_noise: float = 0.0
    ema: float = 0.0
    spectral_norm: bool = False
    minibatch_std: bool = False

    def __post_init__(self):
        for name, setting in vars(self).items():
            object.__setattr__(self, name, python_number(setting))
        if isinstance(self.betas, Iterable):
            object.__setattr__(self, "betas", tuple(map(python_number, self.betas)))

    def changed(self, **settings) -> Recipe:
        """Return the recipe with some settings changed. None leaves a setting as it is.

        learning_rate: sets both players' learning rates, unless they are given separately
        gradient_penalty, r1, clip: a positive value for one sets those of the others that are not given to 0
        raises UnknownNameError for an unknown setting
        """
        known = [field.name for field in fields(self)]
        both = settings.pop("learning_rate", None)
        for name in settings:
            if name not in known:
                raise UnknownNameError("setting of a recipe", name, [*known, "learning_rate"])
        for name in ("generator_rate", "discriminator_rate"):
            settings[name] = both if settings.get(name) is None else settings[name]
        if any(map(settings.get, BOUNDS)):
            settings |= {name: 0.0 for name in BOUNDS if settings.get(name) is None}
        return replace(self, **{name: setting for name, setting in settings.items() if setting is not None})

    def plain(self) -> dict:
        """Convert to JSON values."""
        return {**asdict(self), "objective": getattr(self.objective, "name", self.objective), "betas": list(self.betas)}


CHANGES = {"minibatch-std": minibatch_std, "spectral-norm": spectral_norm}  # in the order in which they are applied


@dataclass
class GAN(Model):
    """A generator, a discriminator, and their recipe.

    generator: noise (N, latent_size) to images (N, H, W, C) in [-1, 1]
    discriminator: images to scores (N, 1); with most objectives these are logits, above 0 for real
    classes: the number of classes if the GAN is conditional; both networks then take labels (N,) as second argument
    batch: images per batch
    first_run: the default (steps, batch): at 28 pixels, two or three minutes on two cores. In so short a run, many
        small batches teach more than few large ones
    changes: the changes to the discriminator after it was built, names in CHANGES
    average: the generator with averaged weights, if training keeps one; it generates the samples
    """

    kind: ClassVar[str] = "gan"
    players: ClassVar[tuple[str, ...]] = ("generator", "discriminator", "average")

    name: str
    generator: Module
    discriminator: Module
    image_shape: tuple[int, int, int]
    latent_size: int = 100
    recipe: Recipe = field(default_factory=Recipe)
    batch: int = 128
    first_run: tuple[int, int] | None = None
    classes: int | None = None
    changes: tuple[str, ...] = ()
    average: Module | None = None

    def __post_init__(self):
        self.first_run = self.first_run or (800, self.batch)

    @property
    def options(self) -> dict:
        """The options to rebuild it with `mg.models.build`."""
        return {} if self.classes is None else {"classes": self.classes}

    @property
    def conditional(self) -> bool:
        """Whether both networks also take labels."""
        return self.classes is not None

    def input_shape(self, player):
        return super().input_shape(player) if player == "discriminator" else (self.latent_size,)

    def prepare(self, changes, names):
        self.change(changes)
        averaged = any(name.startswith("average.") for name in names)
        self.average = copy.deepcopy(self.generator).freeze().eval() if averaged else None

    def noise(self, count: int, rng: Philox | np.random.Generator) -> Tensor:
        """Draw standard normal noise for `count` images, on the networks' device."""
        return Tensor(random.normal_noise(count, self.latent_size, rng, self.generator.device))

    def labels(self, count: int) -> np.ndarray | None:
        """Return labels for `count` images, all classes in turn; None if there are no classes."""
        return None if self.classes is None else np.arange(count) % self.classes

    def generated(self, noise: Tensor, labels: np.ndarray | None = None) -> Tensor:
        """Apply the generator. Labels are ignored if it takes none. Raises ShapeError if their number is wrong."""
        return self.generator(noise, *self._labels_for(labels, len(noise)))

    def scores(self, images: Tensor, labels: np.ndarray | None = None) -> Tensor:
        """Apply the discriminator. Labels are ignored if it takes none. Raises ShapeError as `generated` does."""
        return self.discriminator(images, *self._labels_for(labels, len(images)))

    def _labels_for(self, labels, count):
        if self.classes is None:
            return ()
        if np.shape(labels) != (count,):
            raise ShapeError(
                f"{self.name}: {count} images need {count} labels, but labels have shape {np.shape(labels)}"
            )
        return (labels,)

    def change(self, names: Iterable[str], seed: int = 0) -> GAN:
        """Apply these changes to the discriminator, unless already made. Returns the GAN.

        raises ShapeError if a change is impossible for the discriminator, or no longer possible
        """
        for name in CHANGES:
            if name in names and name not in self.changes:
                rng = (random.derived(seed, name),) if name == "spectral-norm" else ()
                self.discriminator = CHANGES[name](self.discriminator, *rng)
                self.changes = (*self.changes, name)
        return self

    def freeze(self, names: Iterable[str]) -> GAN:
        """Exclude parts from training: "generator", "discriminator" or modules in them, such as "generator.0".

        A frozen batch norm still updates its running statistics. Returns the GAN.
        raises UnknownNameError for an unknown part
        """
        parts = {
            f"{player}.{name}".rstrip("."): module
            for player, network in self.networks().items()
            if player != "average"
            for name, module in network.named_modules()
        }
        for name in names:
            UnknownNameError.check(f"part of {self.name}", name, parts)
            parts[name].freeze()
        return self

    @no_grad()
    def generate(self, noise: Tensor, labels: np.ndarray | None = None, batch: int = 256) -> np.ndarray:
        """Generate images (N, H, W, C) in [-1, 1] from noise, `batch` at a time, with running statistics.

        labels: (N,), for a conditional GAN; by default all classes in turn
        If the GAN has an average, the average generates the images.
        """
        labels = self.labels(len(noise)) if labels is None else labels
        generator = self.generator if self.average is None else self.average
        parts = []
        with as_in_use():
            for i in range(0, len(noise), batch):
                some = noise[i : i + batch]
                given = () if labels is None else self._labels_for(labels[i : i + batch], len(some))
                parts.append(generator(some, *given).numpy())
        return np.concatenate(parts) if parts else np.empty((0, *self.image_shape), np.float32)
