"""Training a GAN in one call."""

import os
from collections.abc import Iterable

import numpy as np

from minigan import devices, models, random, training
from minigan.data import Augment, Batches, Dataset
from minigan.data.dataset import clipped
from minigan.errors import DataError
from minigan.gan import transfer
from minigan.gan.objectives import Objective
from minigan.gan.recipe import changes_of, check
from minigan.gan.trainer import Trainer
from minigan.models import GAN, Recipe
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback
from minigan.training.errors import TrainingError


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
    objective, learning_rate (of both players), settings: single settings of the recipe, as its fields are called:
        objective="wasserstein", gradient_penalty=10, critic_steps=5
    augment: random changes to the real images
    start: a run's folder or a GAN to begin with the weights of, as far as they fit (`Result.settings["start"]` has
        what did)
    freeze: parts that are not trained, as "generator.0" or "discriminator"
    device: where to train, "cpu", "cuda" (an NVIDIA GPU) or "sim"; the GAN is moved there
    precision: of products on a GPU, "float32", "tf32" or "bf16", see `mg.precision`
    captured: on a GPU, launch a step as one CUDA graph, see `mg.captured`; the results are the same
    out: a folder that does not exist yet, for weights, log, sample grids and report; force replaces a run there
    raises DataError or TrainingError for images or settings that cannot be trained with, DivergedError where a loss
        becomes NaN, RunError for `out`; Interrupted (a KeyboardInterrupt) after Ctrl-C, whose `result` is what would
        have been returned
    """
    images, labels, source = inputs.images_of(images, labels)
    seed = inputs.check_seed(seed)
    if not isinstance(freeze, Iterable):
        raise TrainingError(f"fit: freeze is {freeze!r}, but it names parts: freeze=['generator.0']")
    freeze = [freeze] if isinstance(freeze, str) else list(freeze)
    inputs.check_augment(augment)
    gan = _gan(model, images.shape[1:], seed, labels)
    if recipe is not None and not isinstance(recipe, Recipe):
        raise TrainingError(
            f"fit: recipe is {recipe!r}, but a Recipe is: mg.gan.Recipe(...), or gan.recipe.changed(...)"
        )
    recipe = (recipe or gan.recipe).changed(objective=objective, learning_rate=learning_rate, **settings)
    steps, batch = inputs.steps_and_batch(len(images), steps, epochs, batch, usual=gan.batch, first_run=gan.first_run)
    check(recipe, gan)  # what is refused changes nothing
    devices.on(device)
    began = None if start is None else transfer.begin_with(gan, start)
    gan.change(changes_of(recipe), seed).freeze(freeze).to(device)
    batches = Batches(images, labels, batch_size=batch, seed=seed, augment=augment)
    epochs = inputs.whole("epochs", epochs)
    if steps is None:
        steps = max(1, epochs * batches.steps_per_epoch // recipe.critic_steps)
    on_a_gpu = {"precision": precision, "captured": captured}
    trainer = Trainer(gan, batches, steps=steps, seed=seed, recipe=recipe, callbacks=callbacks, **on_a_gpu)
    trainer.notes = began or []
    settings = {
        "kind": gan.kind,
        "model": gan.name,
        "image_shape": list(gan.image_shape),
        **source.plain(),
        "augment": inputs.plain(augment),
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "device": device,
        **on_a_gpu,
        "recipe": recipe.plain(),
        "start": began,
        "frozen": freeze,
    }
    return fitting.run(trainer, Result, settings, out, force)


def sample(gan: GAN, count: int, seed: int = 0, label: int | None = None) -> np.ndarray:
    """Images from a GAN's generator in use (running statistics), (count, H, W, C), uint8.

    label: the class of all images, for a conditional GAN; by default it makes all classes in turn
    The first images are the same however many are asked for. The noise has a random stream of its own, so that
    sampling does not change training.
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


def classes_of(labels: np.ndarray | None) -> int | None:
    """How many classes labels tell apart, 0 to the largest."""
    return None if labels is None or not len(labels) else int(np.max(labels)) + 1


def _gan(model, shape, seed, labels):
    """The GAN that is meant, for images of this shape."""
    if not isinstance(model, str | GAN):
        raise TrainingError(
            f"fit: model is {model!r}, but a name or a GAN is trained; the names: {', '.join(models.available())}"
        )
    gan = models.build(model, shape, seed, classes_of(labels)) if isinstance(model, str) else model
    if tuple(gan.image_shape) != shape:
        raise DataError(f"{gan.name} makes images of {gan.image_shape}, but these are {shape} (H, W, C)")
    if gan.classes is not None and labels is not None and labels.max() >= gan.classes:
        raise DataError(f"fit: labels go up to {labels.max()}, but {gan.name} has {gan.classes} classes")
    if gan.classes is not None and labels is None:
        raise DataError(f"fit: {gan.name} learns from labels, but these images have none; labels= gives them")
    return gan
