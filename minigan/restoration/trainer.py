"""How a network learns to restore images: mean squared error by Adam, and an adversarial term where asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minigan import autograd, optim, random
from minigan.data import Batches, to_uint8
from minigan.models import Restorer
from minigan.ops import binary_cross_entropy_with_logits, mean_squared_error
from minigan.restoration.measuring import COLUMNS, EXAMPLES, Evaluation, evaluate, restored
from minigan.restoration.tasks import task_of
from minigan.training.callbacks import Callback
from minigan.training.fitting import ModelLoop
from minigan.training.grids import grid_png, spread
from minigan.training.report import Curves, Shown

DISCRIMINATOR = {"lr": 2e-4, "betas": (0.5, 0.999)}  # its Adam, as DCGAN's
TESTED = 1000  # held-out images: SSIM takes a millisecond for each
ERROR = Curves("Mean squared error", {"of pixels from -1 to 1": "error"})
JUDGED = (
    Curves("Adversarial losses", {"discriminator": "discriminator_loss", "network": "adversarial_loss"}),
    Curves(
        "The discriminator is right",
        {"on real images": "real_accuracy", "on restored images": "fake_accuracy"},
        percent=True,
    ),
)


class Trainer(ModelLoop):
    """A restoring network in training. What is done to images is drawn anew for every batch.

    batches: whole images, float32 (N, H, W, C) in [-1, 1]
    adversarial: weight of the adversarial term beside the mean squared error; 0 trains without a discriminator
    test: held-out images (N, H, W, C), uint8, or None; figures on at most 1,000 are taken once, at the end
    """

    model: Restorer
    preview_columns = len(COLUMNS) * 2  # two examples in a row

    def __init__(
        self,
        model: Restorer,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        learning_rate: float | None = None,
        adversarial: float = 0.0,
        test: np.ndarray | None = None,
        callbacks: Iterable[Callback] = (),
    ):
        super().__init__(model, batches, steps=steps, seed=seed, learning_rate=learning_rate, callbacks=callbacks)
        self.task, self.adversarial = task_of(model.task), adversarial
        self.test = test = None if test is None else test[:: -(-len(test) // TESTED)]
        self.schedule = optim.Schedule(self.optimiser, optim.cosine(steps))
        self.damage = random.derived(seed, "damage")
        self.discriminator_optimiser = (
            optim.Adam(model.discriminator.parameters(), **DISCRIMINATOR) if adversarial else None
        )
        self._examples = spread(to_uint8(batches.batch(0, 0)[0]) if test is None else test, EXAMPLES)

    def trained(self):
        return self.model.network.parameters()

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """One step on a batch of whole images, (N, H, W, C), float32 in [-1, 1].

        returns: error, the mean squared one; with an adversarial term also what a GAN's step measures
        raises DivergedError where a loss is not a number; that network has not moved then
        """
        damaged = self.task.damage(to_uint8(images), self.damage)
        given, truth = self.on_device(damaged.given), self.on_device(images)
        output = self.task.finish(damaged, self.model.network(given))
        judged = self._discriminate(output.detach(), truth, images) if self.adversarial else {}
        error = mean_squared_error(output, truth)
        loss = error
        if self.adversarial:
            taken_for_real = binary_cross_entropy_with_logits(self.model.discriminator(output), 1)
            loss = error + taken_for_real * self.adversarial
            judged["adversarial_loss"] = taken_for_real.item()
        self.check("the loss", loss, images, lambda: self.model.network(given))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        self.schedule.step()
        return {"error": error.item(), **judged}

    def _discriminate(self, output, truth, images):
        """One step of the discriminator, as a GAN's: real images are labelled 1, restored ones 0."""
        discriminator = self.model.discriminator
        real, fake = discriminator(truth), discriminator(output)
        loss = binary_cross_entropy_with_logits(real, 1) + binary_cross_entropy_with_logits(fake, 0)
        self.check("the discriminator's loss", loss, images, lambda: (discriminator(truth), discriminator(output)))
        self.discriminator_optimiser.step(autograd.grad(loss, self.discriminator_optimiser.parameters))
        return {
            "discriminator_loss": loss.item(),
            "real_accuracy": float((real.numpy() > 0).mean()),
            "fake_accuracy": float((fake.numpy() < 0).mean()),
        }

    def preview(self):
        """Examples, four images each: damaged, baseline, restored, truth; always the same damage."""
        damaged = self.task.damage(self._examples, random.derived(self.seed, "preview"))
        forms = damaged.shown, self.task.baseline(damaged), restored(self.model, self.task, damaged), self._examples
        return np.stack(forms, 1).reshape(-1, *self._examples.shape[1:])

    def measure(self) -> Evaluation:
        """Figures and images of the held-out images."""
        return evaluate(self.model, self.test, random.derived(self.seed, "metrics"))

    def figures(self, evaluation):
        """psnr and ssim of the held-out images: damaged, by the baseline, and restored."""
        return {"images": len(self.test), **evaluation.figures}

    def pictures(self):
        evaluation = self.measured()
        if evaluation is None:
            return {}
        return {"examples": grid_png(evaluation.examples(2 * EXAMPLES), self.preview_columns)}

    def shown(self):
        results, words = self.results(), "Damaged, by the baseline, restored, and as it was, two examples in a row"
        figures = {
            f"{form}, {len(self.test):,} held-out images": "{psnr:.2f} dB, SSIM {ssim:.3f}".format(**results[form])
            for form in COLUMNS[:3]
            if results
        }
        return Shown(
            caption=words + ",",
            along="The same damage to the same images each time.",
            curves=(ERROR, *(JUDGED if self.adversarial else ())),
            results=figures,
            facts={"mean squared error": "error"},
            settings={
                "task": f"{self.task.name}: {self.task.damage_in_words}",
                "baseline": self.task.baseline_in_words,
                "loss": "mean squared error" + (f" + {self.adversarial:g} adversarial" if self.adversarial else ""),
                "optimiser": f"{self.adam()}, falling to 0 along half a cosine",
            },
            pictures={"examples": words + "; held-out images."},
        )

    def words(self, means):
        told = f"error {means['error']:.5f}"
        if self.adversarial:
            told += f"  D right on real {means['real_accuracy']:4.0%} restored {means['fake_accuracy']:4.0%}"
        return told
