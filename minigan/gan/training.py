"""The loop that trains a GAN: one step of each player in turn, until told to stop."""

import math
import time
from collections.abc import Iterable

import numpy as np

from minigan import autograd, devices, optim, random
from minigan.data import Batches, to_uint8
from minigan.errors import ShapeError
from minigan.gan.callbacks import Callback
from minigan.gan.divergence import explain
from minigan.gan.errors import Interrupted
from minigan.gan.interrupt import first_interrupt
from minigan.gan.objectives import Objective, objective_of
from minigan.models import GAN
from minigan.tensor import Tensor

PREVIEWS = 64  # images in a sample grid


class History(list):
    """The records of all steps, in order, each a dict; see `Callback.on_step` for what is in one."""

    def column(self, name: str) -> np.ndarray:
        """One quantity over all steps, (steps,): history.column("generator_loss")."""
        return np.array([record[name] for record in self])


class Trainer:
    """A GAN in training.

    gan: trained in place
    batches: real images, float32 (N, H, W, C) in [-1, 1], with labels or None; without end
    steps: how many to do in all
    seed: of the noise; each stream (noise, preview) is one of its own, derived from it
    objective: a name in OBJECTIVES, or an Objective
    learning_rate: of both players' Adam, the model's own unless given
    outcome: "new", "running", then one of `Callback.on_end`'s; error: what ended the run, if something did
    """

    def __init__(
        self,
        gan: GAN,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        objective: str | Objective = "non-saturating",
        learning_rate: float | None = None,
        callbacks: Iterable[Callback] = (),
    ):
        self.gan, self.batches, self.steps, self.seed = gan, batches, steps, seed
        self.objective = objective_of(objective)
        self.callbacks = list(callbacks)
        self.learning_rate = gan.learning_rate if learning_rate is None else learning_rate
        settings = {"lr": self.learning_rate, "betas": gan.betas}
        self.discriminator_optimiser = optim.Adam(gan.discriminator.parameters(), **settings)
        self.generator_optimiser = optim.Adam(gan.generator.parameters(), **settings)
        self.noise = random.Philox(seed, "noise")
        self.preview_noise = gan.noise(PREVIEWS, random.Philox(seed, "preview"))
        self.history = History()
        self.step = 0
        self.outcome = "new"
        self.error = None
        self._stopping = False

    def play(self, images: np.ndarray) -> dict:
        """One step on a batch of real images: the discriminator learns, then the generator.

        images: (N, H, W, C), float32 in [-1, 1]
        returns: losses and accuracies, as in `Callback.on_step`
        raises DivergedError where a loss is not a number; that player has not moved then
        """
        gan, objective = self.gan, self.objective
        if images.shape[1:] != gan.image_shape:
            raise ShapeError(
                f"{gan.name} makes images of {gan.image_shape}, but was given {images.shape[1:]} (H, W, C)"
            )
        noise = gan.noise(len(images), self.noise)
        fake = gan.generator(noise)

        # Real and generated images go through separately: batch norm must not mix their statistics.
        real_logits = gan.discriminator(Tensor(devices.move(images, gan.device)))
        fake_logits = gan.discriminator(fake.detach())
        discriminator_loss = objective.discriminator(real_logits, fake_logits)
        self._check("discriminator", discriminator_loss, images, noise)
        gradients = autograd.grad(discriminator_loss, self.discriminator_optimiser.parameters)
        self.discriminator_optimiser.step(gradients)

        # Naming the generator's parameters keeps the discriminator's gradients from being computed at all.
        generator_loss = objective.generator(gan.discriminator(fake))
        self._check("generator", generator_loss, images, noise)
        gradients = autograd.grad(generator_loss, self.generator_optimiser.parameters)
        self.generator_optimiser.step(gradients)
        return {
            "discriminator_loss": discriminator_loss.item(),
            "generator_loss": generator_loss.item(),
            "real_accuracy": _share(real_logits.numpy() > 0),
            "fake_accuracy": _share(fake_logits.numpy() < 0),
        }

    def run(self) -> None:
        """Do all steps, or those until stop() or Ctrl-C.

        The first Ctrl-C lets the step and the callbacks finish and then raises Interrupted, the second one raises
        KeyboardInterrupt at once.
        """
        interrupted = []

        def ask():
            interrupted.append(True)
            self.stop()

        with first_interrupt(ask):
            self._run()
        if interrupted:
            raise Interrupted(self.step)

    def stop(self) -> None:
        """End the run after the step that is being done."""
        self._stopping = True

    def preview(self) -> np.ndarray:
        """Images from this run's fixed noise: (PREVIEWS, H, W, C), uint8. Draws nothing, changes nothing."""
        return to_uint8(self.gan.generate(self.preview_noise))

    def _run(self):
        try:
            self.outcome = "running"
            for callback in self.callbacks:
                callback.on_start(self)
            self._loop()
            self.outcome = "finished" if self.step >= self.steps else "interrupted"
        except BaseException as error:
            self.outcome = "failed" if isinstance(error, Exception) else "aborted"
            self.error = error
            self._end()
            raise
        self._end()

    def _loop(self):
        start = time.perf_counter()
        while self.step < self.steps and not self._stopping:
            epoch = self.batches.epoch + 1
            images, _ = next(self.batches)
            measured = self.play(images)
            self.step += 1
            record = {"step": self.step, "epoch": epoch, **measured, "seconds": time.perf_counter() - start}
            self.history.append(record)
            for callback in self.callbacks:
                callback.on_step(self, record)

    def _end(self):
        """Let every callback end, also where another one cannot; their errors become notes to the one that ended it."""
        self.batches.close()
        for callback in self.callbacks:
            try:
                callback.on_end(self)
            except Exception as error:
                if self.error is None:
                    self.error, self.outcome = error, "failed"
                elif str(error) != str(self.error):
                    self.error.add_note("\n".join([str(error), *getattr(error, "__notes__", ())]))
        if self.outcome == "failed":
            raise self.error

    def _check(self, player, loss, images, noise):
        if not math.isfinite(loss.item()):
            raise explain(self, player, loss.item(), images, noise)


def _share(hits: np.ndarray) -> float:
    """How many of these truth values hold, as a part of all."""
    return np.count_nonzero(hits) / hits.size
