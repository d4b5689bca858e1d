"""Training GANs: `fit`, what it trains with, and the images that it leads to.

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
    """What training leaves.

    gan: the trained model
    history: a record for every step, see `Callback.on_step`; history.column("generator_loss") is a curve
    settings: what it was trained with
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.gan: GAN = trainer.gan

    def sample(self, count: int, seed: int = 0, label: int | None = None) -> np.ndarray:
        """New images, (count, H, W, C), uint8; the same for the same seed. label: their class, see `mg.gan.sample`."""
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

    model: a name in `mg.models.available()`, built for these images from `seed`; or a GAN, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    labels: (N,) integers, for conditional models; a Dataset has its own
    steps, epochs: how long to train, one or the other; by default the model's `first_run`
    batch: images in a batch; by default the model's own number
    seed: the same seed gives the same weights to the bit, with or without callbacks
    recipe: how to train; by default the model's own recipe
    objective, learning_rate (of both players), settings: single settings of the recipe, named as its fields are:
        objective="wasserstein", gradient_penalty=10, critic_steps=5
    augment: random changes to the real images
    start: a run's folder, or a GAN, whose weights are taken where they fit; `Result.settings["start"]` lists which did
    freeze: parts that are not trained, such as "generator.0" or "discriminator"
    device: where to train, "cpu", "cuda" (an NVIDIA GPU) or "sim"; the GAN is moved there
    precision: of products on a GPU, "float32", "tf32" or "bf16", see `mg.precision`
    captured: on a GPU, launch a step as one CUDA graph, see `mg.captured`; the results are the same
    out: a folder that does not exist yet, for weights, log, sample grids and report; force replaces a run there
    raises DataError or TrainingError for images or settings that cannot be trained with, and RunError for `out`, all
        before the GAN is touched; DivergedError where a loss becomes NaN; Interrupted (a KeyboardInterrupt) after
        Ctrl-C, whose `result` is what would have been returned
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
    """Images from a GAN's generator in use (running statistics), (count, H, W, C), uint8.

    label: the class of all images, for a conditional GAN; by default it makes all classes in turn
    The first images are the same for every count. The noise has a random stream of its own, so that sampling does not
    change training.
    raises TrainingError for another kind of model, a count below 1, a seed below 0, or a class that it does not have
    """
    inputs.check_model("sample", gan, GAN)
    count, seed = inputs.whole("sample: count", count, needed=True), inputs.check_seed(seed)
    if label is not None and gan.classes is None:
        raise TrainingError(f"sample: {gan.name} knows no classes, so it makes no images of class {label}")
    if label is not None and inputs.whole("sample: label", label, least=0) >= gan.classes:
        raise TrainingError(f"sample: {gan.name} has the classes 0 to {gan.classes - 1}, but not {label}")
    labels = gan.labels(count) if label is None else np.full(count, label)
    return clipped(gan.generate(gan.noise(count, random.Philox(seed, "sample")), labels))


def load(run: str | os.PathLike, into: GAN | None = None) -> GAN:
    """The trained model of a run folder.

    into: a GAN that takes the weights, instead of a new one of the model that the run names
    raises RunError where the folder is no run of a GAN, or its weights are missing, cut off or do not fit
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
            "a DCGAN that also takes the class of each image; 28, 32 or 64 pixels, with labels",
            classes=True,
            sizes=(28, 32, 64),
        ),
        "dcgan": Architecture(
            "minigan.models.dcgan:dcgan",
            "convolutions and their adjoints with batch norm; 28, 32 or 64 pixels",
            sizes=(28, 32, 64),
        ),
        "deconvnet-gan": Architecture(
            "minigan.models.deconvnet:deconvnet_gan",
            "its generator ends in the deconvnet; sides that are multiples of 4",
        ),
        "dense-conv-gan": Architecture(
            "minigan.models.dense_gans:dense_conv_gan",
            "dense layers to an image, and a convolution over it; any image shape",
        ),
        "mlp-gan": Architecture("minigan.models.dense_gans:mlp_gan", "three dense layers each; any image shape"),
        "rgan": Architecture(
            "minigan.models.rgan:rgan",
            "5 x 5 transposed convolutions with skips past them; 32 or 64 pixels",
            sizes=(32, 64),
        ),
        "wgan": Architecture(
            "minigan.models.dense_gans:wgan",
            "the dense networks with a critic whose slope is penalised; any image shape",
        ),
        "wgan-clip": Architecture(
            "minigan.models.dense_gans:wgan_clip",
            "the same with a critic whose weights are clipped; any image shape",
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
