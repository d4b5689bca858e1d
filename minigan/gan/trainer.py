"""How a GAN is trained: one step of each player in turn."""

from collections.abc import Iterable

import numpy as np

from minigan import autograd, devices, optim, random
from minigan.data import Batches, to_uint8
from minigan.errors import ShapeError
from minigan.gan import weights
from minigan.gan.objectives import Objective, objective_of
from minigan.models import GAN
from minigan.tensor import Tensor
from minigan.training.callbacks import Callback
from minigan.training.divergence import check
from minigan.training.loop import Loop
from minigan.training.shown import Curves, Shown

PREVIEWS = 64  # images in a sample grid
CURVES = (
    Curves("Losses", {"discriminator": "discriminator_loss", "generator": "generator_loss"}),
    Curves(
        "The discriminator is right",
        {"on real images": "real_accuracy", "on generated images": "fake_accuracy"},
        percent=True,
    ),
)
ABOUT_CURVES = (
    "Neither loss measures quality; each only says how that player does against the other. Lines are means of a few "
    "steps, bands their range."
)


class Trainer(Loop):
    """A GAN in training.

    gan: trained in place
    batches: real images, float32 (N, H, W, C) in [-1, 1], with labels or None; without end
    steps: how many to do in all
    seed: of the noise; each stream (noise, preview) is one of its own, derived from it
    objective: a name in OBJECTIVES, or an Objective
    learning_rate: of both players' Adam, the model's own unless given
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
        super().__init__(gan.name, batches, steps=steps, seed=seed, callbacks=callbacks)
        self.gan, self.objective = gan, objective_of(objective)
        self.learning_rate = gan.learning_rate if learning_rate is None else learning_rate
        settings = {"lr": self.learning_rate, "betas": gan.betas}
        self.discriminator_optimiser = optim.Adam(gan.discriminator.parameters(), **settings)
        self.generator_optimiser = optim.Adam(gan.generator.parameters(), **settings)
        self.noise = random.Philox(seed, "noise")
        self.preview_noise = gan.noise(PREVIEWS, random.Philox(seed, "preview"))

    def play(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
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

    def networks(self):
        return {"Generator": self.gan.generator, "Discriminator": self.gan.discriminator}

    def state(self):
        return weights.state_of(self.gan)

    def header(self):
        return weights.header_of(self.gan)

    def preview(self):
        """Images from this run's fixed noise, PREVIEWS of them."""
        return to_uint8(self.gan.generate(self.preview_noise))

    def shown(self):
        betas = ", ".join(f"{beta:g}" for beta in self.gan.betas)
        return Shown(
            caption="Generated",
            along="The same noise each time, so each place shows one image taking shape.",
            curves=CURVES,
            about_curves=ABOUT_CURVES,
            facts={"discriminator's loss": "discriminator_loss", "generator's loss": "generator_loss"},
            settings={
                "objective": self.objective.name,
                "optimiser": f"Adam, learning rate {self.learning_rate:g}, betas {betas}",
            },
        )

    def words(self, means):
        return (
            f"loss D {means['discriminator_loss']:.3f} G {means['generator_loss']:.3f}  "
            f"D right on real {means['real_accuracy']:4.0%} fake {means['fake_accuracy']:4.0%}"
        )

    def _check(self, player, loss, images, noise):
        gan = self.gan

        def forward():
            gan.discriminator(gan.generator(noise))
            gan.discriminator(Tensor(devices.move(images, gan.device)))

        check(self, f"the {player}'s loss", loss, images, forward)


def _share(hits: np.ndarray) -> float:
    """How many of these truth values hold, as a part of all."""
    return np.count_nonzero(hits) / hits.size
