"""Train networks that restore images: super-resolution, completion, denoising.

train, test = mg.data.load(folder, size=32), mg.data.load(folder, split="test", size=32)
result = mg.restoration.fit("deconvnet", train, task="denoising", test=test)
result.predict(noisy), result.figures
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from minigan import autograd, optim, random, training
from minigan.data import Augment, Batches, Dataset, to_uint8
from minigan.data.arrays import images_from
from minigan.errors import TrainingError
from minigan.kinds import Architecture, Kind
from minigan.models import Restorer
from minigan.models.deconvnet import CLASSIFICATION
from minigan.ops import binary_cross_entropy_with_logits, mean_squared_error
from minigan.restoration.tasks import COLUMNS, EXAMPLES, TASKS, Evaluation, Task, evaluate, restored, task_of
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback
from minigan.training.grids import grid_png, spread
from minigan.training.report import Curves, Shown
from minigan.training.trainer import ModelTrainer

__all__ = ["TASKS", "Restorer", "Result", "Task", "Trainer", "evaluate", "fit", "load", "predict"]

DISCRIMINATOR = {"lr": 2e-4, "betas": (0.5, 0.999)}  # its Adam optimiser, with DCGAN's settings
TESTED = 1000  # held-out images at most: SSIM takes a millisecond per image
ERROR = Curves("Mean squared error", {"of pixels from -1 to 1": "error"})
JUDGED = (
    Curves("Adversarial losses", {"discriminator": "discriminator_loss", "network": "adversarial_loss"}),
    Curves(
        "The discriminator's accuracy",
        {"on real images": "real_accuracy", "on restored images": "fake_accuracy"},
        percent=True,
    ),
)


class Result(training.Result):
    """The result of training a restoring network.

    model: the trained network
    figures: on the held-out images: {"damaged": {"psnr": dB, "ssim": s}, "baseline": ..., "restored": ...}; empty
        without held-out images
    history, settings: as in `mg.training.Result`
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: Restorer = trainer.model
        self.figures: dict = {name: of for name, of in trainer.results().items() if name != "images"}

    def predict(self, images: np.ndarray, hole: np.ndarray | None = None) -> np.ndarray:
        """Restore images, see `mg.restoration.predict`."""
        return predict(self.model, images, hole)


def fit(
    model: str | Restorer,
    images: Dataset | np.ndarray,
    *,
    task: str | None = None,
    test: Dataset | np.ndarray | None = None,
    adversarial: float = 0.0,
    steps: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    learning_rate: float | None = None,
    augment: Augment | None = None,
    device: str = "cpu",
    callbacks: Iterable[Callback] = (),
    out: str | os.PathLike | None = None,
    force: bool = False,
    **options,
) -> Result:
    """Train a network to restore images. Pass undamaged images; training damages them at random.

        result = mg.restoration.fit("deconvnet", mg.data.load("glyphs", size=32), task="denoising")
        clean = result.predict(noisy)

    model: "deconvnet", which is built for these images from `seed`; or a Restorer, which is trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    task: "super-resolution" (the default), "completion" or "denoising"; see `mg.restoration.TASKS`
    test: held-out images, for measurements and pictures at the end; at most 1,000 of them, evenly spaced, are used
    adversarial: weight of an adversarial term added to the mean squared error; 0 for none
    steps, epochs: how long to train (give one of them); by default the steps of the model's `first_run`
    options: the model's options, as in `mg.models.build`: filters, kernel, depth
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for unusable images or settings, DivergedError if a loss becomes NaN, RunError if
        the run cannot be written to `out`; Interrupted, as in `mg.gan.fit`
    """
    adversarial = inputs.real("the weight of the adversarial term", adversarial, least=0) or 0.0
    if isinstance(model, str):
        task = task_of("super-resolution" if task is None else task).name
        options = {"task": task, "adversarial": adversarial > 0, **options}
    elif isinstance(model, Restorer) and task is not None and task != model.task:
        raise TrainingError(f"fit: this {model.name} is for {model.task}; build another one for {task}")
    return fitting.fit(
        *(KIND, model, images),
        test=test,
        steps=steps,
        epochs=epochs,
        batch=batch,
        seed=seed,
        augment=augment,
        device=device,
        callbacks=callbacks,
        out=out,
        force=force,
        options=options,
        settings={"learning_rate": learning_rate, "adversarial": adversarial, "tested": test is not None},
    )


def predict(model: Restorer, images: np.ndarray, hole: np.ndarray | None = None) -> np.ndarray:
    """Restore images that are small, incomplete or noisy, according to the model's task.

    images: (N, H, W, C), uint8, of any size larger than the pixels that the convolutions remove
    hole: for completion, (N, H, W), bool, True where pixels are missing
    returns: (N, H, W, C), uint8; for super-resolution (N, 2 H, 2 W, C)
    """
    inputs.check_model("predict", model, Restorer)
    images = images_from("predict", images, floats=False)
    task = task_of(model.task)
    return restored(model, task, task.take(images, hole))


def load(run: str | os.PathLike, into: Restorer | None = None) -> Restorer:
    """Load the trained network of a run folder.

    into: a Restorer to load the weights into; by default a new one is built
    raises RunError if the folder is not a run of a restoration, or its weights are missing, truncated or do not fit
    """
    return fitting.load(run, "restoration", into)


class Trainer(ModelTrainer):
    """Trains a restoring network. The damage is drawn anew for every batch.

    batches: undamaged images, float32 (N, H, W, C) in [-1, 1]
    adversarial: weight of the adversarial term added to the mean squared error; 0 trains without a discriminator
    test: held-out images (N, H, W, C), uint8, or None; at most 1,000 are measured, once, at the end
    """

    model: Restorer
    preview_columns = len(COLUMNS) * 2  # two examples per row

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
        test = None if test is None else test[:: -(-len(test) // TESTED)]
        super().__init__(model, batches, steps=steps, seed=seed, test=test, callbacks=callbacks)
        self.task, self.adversarial = task_of(model.task), adversarial
        self.optimiser = self.adam(learning_rate)
        self.schedule = optim.Schedule(self.optimiser, optim.cosine(steps))
        self.damage = random.derived(seed, "damage")
        self.discriminator_optimiser = (
            optim.Adam(model.discriminator.parameters(), **DISCRIMINATOR) if adversarial else None
        )
        self._examples = spread(to_uint8(batches.batch(0, 0)[0]) if test is None else test, EXAMPLES)

    def trained(self):
        return self.model.network.parameters()

    @classmethod
    def checked(cls, model, job, settings):
        settings = super().checked(model, job, settings)
        if settings["adversarial"] and model.discriminator is None:
            raise TrainingError("fit: an adversarial term needs a discriminator: build the model with adversarial=True")
        if settings.pop("tested") or job.kept:
            inputs.require(inputs.MEASURING, "measuring and showing restored images")
        return settings

    @classmethod
    def recorded(cls, model, settings):
        return {"task": model.task, "adversarial": settings["adversarial"]}

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """Train on a batch of undamaged images, (N, H, W, C), float32 in [-1, 1].

        returns: error, the mean squared error; with an adversarial term also its losses and accuracies
        raises DivergedError if a loss is not finite; that network was not updated then
        """
        damaged = self.task.damage(to_uint8(images), self.damage)
        given, truth = self.on_device(damaged.given), self.on_device(images)
        output = self.task.finish(damaged, self.model.network(given))
        judged = self._discriminate(output.detach(), truth, images) if self.adversarial else {}
        error = mean_squared_error(output, truth)
        loss = error
        if self.adversarial:
            adversarial_loss = binary_cross_entropy_with_logits(self.model.discriminator(output), 1)
            loss = error + adversarial_loss * self.adversarial
            judged["adversarial_loss"] = adversarial_loss.item()
        self.check_loss("the loss", loss, images, lambda: self.model.network(given))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        self.schedule.step()
        return {"error": error.item(), **judged}

    def _discriminate(self, output, truth, images):
        """Train the discriminator for one step: real images are labelled 1, restored ones 0."""
        discriminator = self.model.discriminator
        real, fake = discriminator(truth), discriminator(output)
        loss = binary_cross_entropy_with_logits(real, 1) + binary_cross_entropy_with_logits(fake, 0)
        self.check_loss("the discriminator's loss", loss, images, lambda: (discriminator(truth), discriminator(output)))
        self.discriminator_optimiser.step(autograd.grad(loss, self.discriminator_optimiser.parameters))
        return {
            "discriminator_loss": loss.item(),
            "real_accuracy": float((real.numpy() > 0).mean()),
            "fake_accuracy": float((fake.numpy() < 0).mean()),
        }

    def preview(self):
        """Return examples of four images each: damaged, baseline, restored, truth. The damage is always the same."""
        damaged = self.task.damage(self._examples, random.derived(self.seed, "preview"))
        forms = damaged.shown, self.task.baseline(damaged), restored(self.model, self.task, damaged), self._examples
        return np.stack(forms, 1).reshape(-1, *self._examples.shape[1:])

    def measure(self) -> Evaluation:
        """Damage, restore and measure the held-out images."""
        return evaluate(self.model, self.test, random.derived(self.seed, "metrics"))

    def figures(self, evaluation):
        """Return psnr and ssim of the held-out images: damaged, from the baseline, and restored."""
        return {"images": len(self.test), **evaluation.figures}

    def pictures(self):
        evaluation = self.measured()
        if evaluation is None:
            return {}
        return {"examples": grid_png(evaluation.examples(2 * EXAMPLES), self.preview_columns)}

    def shown(self):
        results, words = self.results(), "Damaged, baseline, restored and original image, two examples per row"
        figures = {
            f"{form}, {len(self.test):,} held-out images": "{psnr:.2f} dB, SSIM {ssim:.3f}".format(**results[form])
            for form in COLUMNS[:3]
            if results
        }
        return Shown(
            caption=words + ",",
            along="The images and their damage are the same each time.",
            curves=(ERROR, *(JUDGED if self.adversarial else ())),
            results=figures,
            facts={"mean squared error": "error"},
            settings={
                "task": f"{self.task.name}: {self.task.damage_in_words}",
                "baseline": self.task.baseline_in_words,
                "loss": "mean squared error" + (f" + {self.adversarial:g} adversarial" if self.adversarial else ""),
                "optimiser": f"{self.optimiser_in_words()}, falling to 0 along half a cosine",
            },
            pictures={"examples": words + "; held-out images."},
        )

    def words(self, means):
        words = f"error {means['error']:.5f}"
        if self.adversarial:
            words += f"  D right on real {means['real_accuracy']:4.0%} restored {means['fake_accuracy']:4.0%}"
        return words


def _kind_for(options):
    return "classifier" if options.get("task") == CLASSIFICATION else "restoration"


KIND = Kind(
    name="restoration",
    plural="restoring networks",
    model=Restorer,
    models={
        "deconvnet": Architecture(
            "minigan.models.deconvnet:deconvnet",
            "a convolution and a transposed one; it restores or classifies images (--task)",
            options=("task", "filters", "kernel", "depth", "adversarial"),
            classes=True,
            kind_for=_kind_for,
        ),
    },
    trainer=Trainer,
    result=Result,
    fit=fit,
    settings=("learning_rate", "adversarial"),
)
