"""Train GANs and generate images with them.

result = mg.gan.fit("dcgan", mg.data.load("glyphs"), steps=800, callbacks=[mg.gan.Progress()])
"""

import os
from collections.abc import Iterable

import numpy as np

from minigan import random, training
from minigan.data import Augment, Dataset
from minigan.data.arrays import clipped
from minigan.errors import DivergedError, Interrupted, RunError, TrainingError
from minigan.gan.objectives import OBJECTIVES, Objective
from minigan.gan.trainer import Trainer
from minigan.kinds import Architecture, Kind
from minigan.models import GAN, Recipe
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback, Every, Progress
from minigan.training.grids import grid, grid_png
from minigan.training.loop import History
from minigan.training.recorder import Recorder

__all__ = [
    "OBJECTIVES",
    "Callback",
    "DivergedError",
    "Every",
    "History",
    "Interrupted",
    "Objective",
    "Progress",
    "Recipe",
    "Recorder",
    "Result",
    "RunError",
    "Trainer",
    "TrainingError",
    "fit",
    "grid",
    "grid_png",
    "load",
    "sample",
]


class Result(training.Result):
    """The result of training a GAN.

    gan: the trained model
    history: a record for every step, see `Callback.on_step`; history.column("generator_loss") is a curve
    settings: the settings of the run
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.gan: GAN = trainer.gan

    def sample(self, count: int, seed: int = 0, label: int | None = None) -> np.ndarray:
        """Generate images, (count, H, W, C), uint8. The same seed gives the same images. See `mg.gan.sample`."""
        return sample(self.gan, count, seed, label)


def fit(
    model: str | GAN,
    images: Dataset | np.ndarray,
    *,
    labels: np.ndarray | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    objective: str | Objective | None = None,
    learning_rate: float | None = None,
    augment: Augment | None = None,
    start: str | os.PathLike | GAN | None = None,
    freeze: Iterable[str] = (),
    device: str = "cpu",
    precision: str = "float32",
    captured: bool = False,
    callbacks: Iterable[Callback] = (),
    out: str | os.PathLike | None = None,
    force: bool = False,
    **settings,
) -> Result:
    """Train a GAN on images.

        result = mg.gan.fit("dcgan", mg.data.load("glyphs"), steps=800, callbacks=[mg.gan.Progress()])
        images = result.sample(16)  # (16, 28, 28, 1), uint8

    model: a name in `mg.models.available()`, which is built for these images from `seed`; or a GAN, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    labels: (N,) integers, for conditional models; by default the Dataset's own
    steps, epochs: how long to train (give one of them); by default the steps of the model's `first_run`
    batch: images per batch; by default the model's own setting
    seed: the same seed gives bit-identical weights, with or without callbacks
    recipe: how to train; by default the model's own recipe
    objective, learning_rate (of both players), settings: single settings of the recipe, named like its fields:
        objective="wasserstein", gradient_penalty=10, critic_steps=5
    augment: random changes to the real images
    start: a run folder or a GAN to copy weights from, where they fit; `Result.settings["start"]` lists the copied ones
    freeze: parts that are not trained, such as "generator.0" or "discriminator"
    device: where to train, "cpu", "cuda" (an NVIDIA GPU) or "sim"; the GAN is moved there
    precision: the precision of products on a GPU, "float32", "tf32" or "bf16", see `mg.precision`
    captured: on a GPU, launch each step as one CUDA graph, see `mg.captured`; the results are the same
    out: a new folder for weights, log, sample grids and report; force replaces a run in it
    raises DataError or TrainingError for unusable images or settings, and RunError if the run cannot be written to
        `out`, all before the GAN is changed; DivergedError if a loss becomes NaN; Interrupted (a KeyboardInterrupt)
        after Ctrl-C, with the result so far in its `result`
    """
    recipe_settings = {"objective": objective, "learning_rate": learning_rate, **settings}
    own = {"recipe": recipe, "changed": recipe_settings, "start": start, "freeze": freeze}
    return fitting.fit(
        *(KIND, model, images),
        labels=labels,
        steps=steps,
        epochs=epochs,
        batch=batch,
        seed=seed,
        augment=augment,
        device=device,
        callbacks=callbacks,
        out=out,
        force=force,
        options={},
        settings={**own, "precision": precision, "captured": captured},
    )


def sample(gan: GAN, count: int, seed: int = 0, label: int | None = None) -> np.ndarray:
    """Generate images with a GAN, (count, H, W, C), uint8. Batch norms use running statistics.

    label: the class of all images, for a conditional GAN; by default all classes in turn
    The first images are the same for every count. The noise has a separate random stream, so sampling does not affect
    training.
    raises TrainingError for another kind of model, a count below 1, a seed below 0, or an unknown class
    """
    inputs.check_model("sample", gan, GAN)
    count, seed = inputs.whole("sample: count", count, needed=True), inputs.check_seed(seed)
    if label is not None and gan.classes is None:
        raise TrainingError(f"sample: {gan.name} has no classes, so it cannot generate images of class {label}")
    if label is not None and inputs.whole("sample: label", label, least=0) >= gan.classes:
        raise TrainingError(f"sample: {gan.name} has the classes 0 to {gan.classes - 1}, so {label} is not one of them")
    labels = gan.labels(count) if label is None else np.full(count, label)
    return clipped(gan.generate(gan.noise(count, random.Philox(seed, "sample")), labels))


def load(run: str | os.PathLike, into: GAN | None = None) -> GAN:
    """Load the trained GAN of a run folder.

    into: a GAN to load the weights into; by default a new one is built
    raises RunError if the folder is not a run of a GAN, or its weights are missing or truncated, or do not fit
    """
    return fitting.load(run, "gan", into)


def _from_command(settings: dict) -> dict:
    if "freeze" in settings:
        names = [name.strip() for name in settings["freeze"].split(",")]
        settings["freeze"] = [name for name in names if name]
    return settings


KIND = Kind(
    name="gan",
    plural="GANs",
    model=GAN,
    models={
        "cgan": Architecture(
            "minigan.models.cgan:cgan",
            "a conditional DCGAN for labelled images of 28, 32 or 64 pixels",
            classes=True,
            sizes=(28, 32, 64),
        ),
        "dcgan": Architecture(
            "minigan.models.dcgan:dcgan",
            "strided and transposed convolutions with batch norm; 28, 32 or 64 pixels",
            sizes=(28, 32, 64),
        ),
        "deconvnet-gan": Architecture(
            "minigan.models.deconvnet:deconvnet_gan",
            "a GAN whose generator ends in the deconvnet; sides that are multiples of 4",
        ),
        "dense-conv-gan": Architecture(
            "minigan.models.dense_gans:dense_conv_gan",
            "dense layers, then a convolution; any image shape",
        ),
        "mlp-gan": Architecture(
            "minigan.models.dense_gans:mlp_gan", "three dense layers in each network; any image shape"
        ),
        "rgan": Architecture(
            "minigan.models.rgan:rgan",
            "5 x 5 transposed convolutions with skip connections; 32 or 64 pixels",
            sizes=(32, 64),
        ),
        "wgan": Architecture(
            "minigan.models.dense_gans:wgan",
            "dense networks with a gradient penalty on the critic; any image shape",
        ),
        "wgan-clip": Architecture(
            "minigan.models.dense_gans:wgan_clip",
            "dense networks with clipped critic weights; any image shape",
        ),
    },
    trainer=Trainer,
    result=Result,
    fit=fit,
    uses_labels=True,
    holds_out=False,
    settings=("learning_rate", *vars(Recipe()), "start", "freeze", "precision", "captured"),
    from_command=_from_command,
    sample=sample,
)
