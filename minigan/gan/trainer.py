"""Trains a GAN: its two players learn in turn.

`step.py` computes losses and gradients. `drawn` draws a step's random numbers before that. Between the computation of
an update and its application, the loss is read on the host, so a player with a NaN loss is never updated.
"""

import copy
import math
from collections.abc import Iterable

import numpy as np

from minigan import devices, kernels, random
from minigan.autograd import memory
from minigan.autograd.graph import recording
from minigan.autograd.tensor import Tensor
from minigan.data import Batches
from minigan.data.arrays import clipped
from minigan.errors import DataError, ShapeError, TrainingError
from minigan.gan import recipe as recipes
from minigan.gan.objectives import objective_of
from minigan.gan.step import Drawn, Update, discriminator_update, generator_update
from minigan.models import GAN, Recipe
from minigan.training.callbacks import Callback
from minigan.training.loop import check_loss
from minigan.training.trainer import ModelTrainer

PREVIEWS = 64  # images in a sample grid
ROW = 8  # images per class in it, for conditional GANs


class Trainer(ModelTrainer):
    """Trains a GAN.

    gan: trained in place; its discriminator is changed if the recipe requires it
    batches: an endless iterator of real images, float32 (N, H, W, C) in [-1, 1], with labels or None
    steps: the total number of steps
    seed: the seed of the separate streams for noise and previews
    recipe: by default the GAN's own
    precision: the precision of products on a GPU, as in `mg.precision`
    captured: whether to capture and replay steps, as in `mg.captured`
    notes: lines to print before the first step
    raises TrainingError for a recipe that cannot work, or for GPU settings if the GAN is on the CPU
    """

    def __init__(
        self,
        gan: GAN,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        test: None = None,
        recipe: Recipe | None = None,
        precision: str = "float32",
        captured: bool = False,
        notes: Iterable[str] = (),
        callbacks: Iterable[Callback] = (),
    ):
        super().__init__(gan, batches, steps=steps, seed=seed, callbacks=callbacks)
        self.gan, self.recipe, self.precision = gan, gan.recipe if recipe is None else recipe, precision
        self.notes = list(notes)
        recipes.check(self.recipe, gan)
        recipes.check_device(gan.name, gan.device, precision, captured)
        recipes.check_trainable(gan)
        gan.change(recipes.changes_of(self.recipe), seed)
        self.generator_optimiser, self.discriminator_optimiser = (
            recipes.optimiser_of(self.recipe, network.parameters(), rate)
            for network, rate in (
                (gan.generator, self.recipe.generator_rate),
                (gan.discriminator, self.recipe.discriminator_rate),
            )
        )
        self.average = _average_of(gan, self.recipe.ema)
        self.objective = objective_of(self.recipe.objective)
        self.noise = random.Philox(seed, "noise")
        self.mixing, self.instance_noise = random.Philox(seed, "mixing"), random.Philox(seed, "instance noise")
        count = PREVIEWS if gan.classes is None else ROW * gan.classes
        self.preview_noise = gan.noise(count, random.Philox(seed, "preview"))
        self.preview_columns = None if gan.classes is None else ROW
        self.replays = _replays_of(self) if captured else None

    # ---------------------------------------------------------------------------------- before training

    @classmethod
    def options(cls, labels, options, settings):
        return {"classes": classes_of(labels)}

    @classmethod
    def checked(cls, model, job, settings):
        """Return the settings with a complete recipe and a `Start`. Changes are tried on a copy of the GAN first."""
        _check_labels(model, job.labels)
        recipe, freeze, start = settings["recipe"], settings["freeze"], settings["start"]
        if not isinstance(freeze, Iterable):
            raise TrainingError(f"fit: freeze is {freeze!r}; pass the names of parts: freeze=['generator.0']")
        freeze = [freeze] if isinstance(freeze, str) else list(freeze)
        if recipe is not None and not isinstance(recipe, Recipe):
            raise TrainingError(f"fit: recipe is {recipe!r}; pass mg.gan.Recipe(...) or gan.recipe.changed(...)")
        recipe = (recipe or model.recipe).changed(**settings["changed"])
        recipes.check(recipe, model)
        recipes.check_device(model.name, job.device, settings["precision"], settings["captured"])
        start = None if start is None else _start_for(model, start)
        changes = recipes.changes_of(recipe)
        if start or freeze or changes:
            trial = copy.deepcopy(model)
            if start:
                start.give(trial)
            trial.change(changes, job.seed).freeze(freeze)
            recipes.check(recipe, trial)
        recipes.check_trainable(trial if start or freeze or changes else model)
        kept = {name: settings[name] for name in ("precision", "captured")}
        return {"recipe": recipe, "start": start, "freeze": freeze, **kept}

    @classmethod
    def batches_per_step(cls, settings):
        return settings["recipe"].critic_steps

    @classmethod
    def recorded(cls, model, settings):
        start = settings["start"]
        return {
            "precision": settings["precision"],
            "captured": settings["captured"],
            "recipe": settings["recipe"].plain(),
            "start": start.words if start else None,
            "frozen": settings["freeze"],
        }

    @classmethod
    def prepare(cls, model, seed, settings):
        settings = dict(settings)
        start, freeze = settings.pop("start"), settings.pop("freeze")
        if start:
            start.give(model)
        model.change(recipes.changes_of(settings["recipe"]), seed).freeze(freeze)
        return {**settings, "notes": start.words if start else []}

    # ------------------------------------------------------------------------------------------ a step

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """Train the discriminator for the recipe's number of critic steps, then the generator once.

        images: (N, H, W, C), float32 in [-1, 1], for the first critic step; further ones take theirs from `batches`
        labels: (N,) integers, for a conditional GAN
        returns: losses and accuracies, as in `Callback.on_step`, and gradient_penalty or r1 if the recipe has one
        raises DivergedError if a loss is not finite; that player was not updated then (unless steps are captured)
        """
        with kernels.precision(self.precision):
            if self.replays:
                drawn, critic, update = self.replays.train_step(images, labels)
                self._check("discriminator", critic.loss, drawn)
                self._check("generator", update.loss, drawn)
            else:
                critic, update = self._step_of_both(images, labels)
            return self._measurements(critic, update)

    def _step_of_both(self, images, labels):
        for remaining in reversed(range(self.recipe.critic_steps)):
            drawn = self.drawn(images, labels)
            with recording(not remaining):  # only the last images train the generator
                fake = self.generated(drawn)
            critic = self.discriminator_update(drawn, fake.detach())
            self._check("discriminator", critic.loss, drawn)
            self.move_discriminator(critic.gradients)
            if remaining:
                images, labels = next(self.batches)
        update = self.generator_update(drawn, fake)
        self._check("generator", update.loss, drawn)
        self.move_generator(update.gradients)
        return critic, update

    def drawn(self, images: np.ndarray, labels: np.ndarray | None = None, strength=None) -> Drawn:
        """Move a batch to the networks' device and draw the step's noise.

        strength: the strength of the instance noise, a number or an array of one element; by default the current one
        """
        gan, settings, device = self.gan, self.recipe, self.gan.generator.device
        if images.shape[1:] != gan.image_shape:
            raise ShapeError(
                f"{gan.name} generates images of shape {gan.image_shape}, but these have {images.shape[1:]} (H, W, C)"
            )
        if gan.classes is not None and labels is None:
            raise DataError(f"{gan.name} needs labels, but these images have none")
        drawn = Drawn(Tensor(devices.move(images, device)), labels, gan.noise(len(images), self.noise))
        if settings.gradient_penalty:
            mixing = self.mixing.random((len(images), 1, 1, 1), np.float32, device)
            drawn.mixing = mixing.astype(images.dtype)
        if settings.instance_noise:
            strength = self.noise_strength() if strength is None else strength
            for_real, drawn.fake_noise = (self._noise_like(images) * strength for _ in range(2))
            drawn.real = drawn.real + for_real
        return drawn

    def noise_strength(self) -> float:
        """Return the instance noise's standard deviation at this step."""
        return self.recipe.instance_noise * max(0.0, 1 - self.step / self.steps)

    def _noise_like(self, images):
        noise = self.instance_noise.standard_normal(images.shape, np.float32, self.gan.generator.device)
        return Tensor(noise.astype(images.dtype))

    def generated(self, drawn: Drawn) -> Tensor:
        """Generate images from a step's noise."""
        return self.gan.generated(drawn.noise, drawn.labels)

    def discriminator_update(self, drawn: Drawn, fake: Tensor) -> Update:
        parameters = self.discriminator_optimiser.parameters
        return discriminator_update(self.gan, self.recipe, self.objective, drawn, fake, parameters)

    def generator_update(self, drawn: Drawn, fake: Tensor) -> Update:
        return generator_update(self.gan, self.objective, drawn, fake, self.generator_optimiser.parameters)

    def move_discriminator(self, gradients: list) -> None:
        """Update the discriminator, and clip its weights if the recipe says so."""
        self.discriminator_optimiser.step(gradients)
        largest = self.recipe.clip
        if largest:
            for parameter in self.discriminator_optimiser.parameters:
                np.clip(parameter.data, -largest, largest, out=parameter.data)
                memory.note_write(parameter.data)

    def move_generator(self, gradients: list) -> None:
        """Update the generator and the average of its weights, if there is one."""
        self.generator_optimiser.step(gradients)
        if self.average:
            self.average.update()

    def _check(self, player, loss, drawn):
        gan = self.gan

        def forward():
            gan.scores(gan.generated(drawn.noise, drawn.labels), drawn.labels)
            gan.scores(Tensor(drawn.real.data), drawn.labels)

        if not math.isfinite(loss.item()):
            rate = getattr(self.recipe, f"{player}_rate")
            check_loss(self, f"the {player}'s loss", loss, drawn.real, forward, rate)

    def _measurements(self, critic, update):
        real, fake = critic.real_scores.numpy(), critic.fake_scores.numpy()
        boundary = self.objective.boundary
        boundary = (real.mean() + fake.mean()) / 2 if boundary is None else boundary
        measured = {
            "discriminator_loss": critic.loss.item(),
            "generator_loss": update.loss.item(),
            "real_accuracy": _share(real > boundary),
            "fake_accuracy": _share(fake < boundary),
        }
        if critic.penalty is not None:
            measured["gradient_penalty" if self.recipe.gradient_penalty else "r1"] = critic.penalty.item()
        return measured

    # ------------------------------------------------------------------------------ what a run shows

    def networks(self):
        return {"Generator": self.gan.generator, "Discriminator": self.gan.discriminator}

    def preview(self):
        """Generate images from this run's fixed noise: PREVIEWS of them, or a row for each class."""
        labels = None if self.gan.classes is None else np.repeat(np.arange(self.gan.classes), ROW)
        return clipped(self.gan.generate(self.preview_noise, labels))

    def shown(self):
        return recipes.shown(self.gan, self.recipe, self.notes)

    def words(self, means):
        return recipes.progress(means)


def classes_of(labels: np.ndarray | None) -> int | None:
    """Return the number of classes, the largest label plus one, or None without labels."""
    return None if labels is None or not len(labels) else int(np.max(labels)) + 1


def _check_labels(gan, labels):
    """Raise DataError if a conditional GAN has no labels, or labels of unknown classes."""
    if gan.classes is not None and labels is None:
        raise DataError(f"fit: {gan.name} needs labels, but these images have none; pass labels=")
    if gan.classes is not None and labels.max() >= gan.classes:
        raise DataError(f"fit: labels go up to {labels.max()}, but {gan.name} has {gan.classes} classes")


def _start_for(gan, source):
    from minigan.gan.transfer import start_for

    return start_for(gan, source)


def _average_of(gan, decay):
    """Give the GAN an average of its generator's weights to sample from. Returns None for a decay of 0."""
    if not decay:
        gan.average = None
        return None
    from minigan.averaging import ExponentialAverage

    average = ExponentialAverage(gan.generator, decay)
    gan.average = average.module
    return average


def _replays_of(trainer):
    from minigan.gan.replays import Replays

    return Replays(trainer)


def _share(hits: np.ndarray) -> float:
    """Return the share of values that are True."""
    return np.count_nonzero(hits) / hits.size
