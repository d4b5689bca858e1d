"""Training variational autoencoders, and images drawn from them.

result = mg.vae.fit("vae", mg.data.load("mnist"), epochs=20)
result.sample(16), result.reconstruct(images)
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from minigan import autograd, random, training
from minigan.data import Augment, Batches, Dataset, to_uint8
from minigan.data.arrays import clipped
from minigan.errors import TrainingError
from minigan.kinds import Architecture, Kind
from minigan.models import VAE
from minigan.training import fitting, inputs
from minigan.training.callbacks import Callback
from minigan.training.grids import grid_png, spread
from minigan.training.report import Curves, Shown
from minigan.training.trainer import ModelTrainer

__all__ = ["VAE", "Result", "Trainer", "fit", "load", "reconstruct", "sample"]

PREVIEWS = 64  # images in a sample grid
PAIRS = 20  # images that are shown with their reconstructions
COLUMNS = 10
CURVES = (
    Curves("Bound on -log p, nats per image", {"reconstruction and divergence": "loss"}),
    Curves("Its two parts", {"reconstruction": "reconstruction", "divergence": "divergence"}),
)


class Result(training.Result):
    """What training leaves.

    model: the trained VAE
    bound: on -log p of the held-out images, nats per image; None where none were held out
    history, settings: as of every training
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: VAE = trainer.model
        self.bound: float | None = trainer.results().get("bound")

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """New images, (count, H, W, C), uint8; the same for the same seed."""
        return sample(self.model, count, seed)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Images (N, H, W, C) after encoder and decoder, uint8."""
        return reconstruct(self.model, images)


def fit(
    model: str | VAE,
    images: Dataset | np.ndarray,
    *,
    test: Dataset | np.ndarray | None = None,
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
    """Train a variational autoencoder on images.

        result = mg.vae.fit("vae", mg.data.load("glyphs"), steps=2000)
        result.sample(16), result.reconstruct(images)

    model: "vae", built for these images from `seed`; or a VAE, trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    test: held-out images, for the bound at the end
    steps, epochs: how long to train, one or the other; by default the model's `first_run`
    options: of the model, as `mg.models.build` takes them: latent_size
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for images or settings that cannot be trained with, DivergedError where the loss
        becomes NaN, RunError for `out`; Interrupted, as in `mg.gan.fit`
    """
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
        settings={"learning_rate": learning_rate},
    )


def sample(vae: VAE, count: int, seed: int = 0, label: None = None) -> np.ndarray:
    """Images from a VAE's decoder, (count, H, W, C), uint8. The first images are the same for every count.

    raises TrainingError for another kind of model, a count below 1, a seed below 0, or any label: it knows no classes
    """
    inputs.check_model("sample", vae, VAE)
    if label is not None:
        raise TrainingError(f"sample: {vae.name} knows no classes, so it makes no images of class {label}")
    count, seed = inputs.whole("sample: count", count, needed=True), inputs.check_seed(seed)
    return clipped(vae.generate(vae.noise(count, random.Philox(seed, "sample"))))


def reconstruct(vae: VAE, images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C), uint8 or floats in [-1, 1], after encoder and decoder: the same shape, uint8."""
    inputs.check_model("reconstruct", vae, VAE)
    return clipped(vae.reconstruct(images))


def load(run: str | os.PathLike, into: VAE | None = None) -> VAE:
    """The trained VAE of a run folder.

    into: a VAE that takes the weights, instead of a new one of the name that the run gives
    raises RunError where the folder is no run of a VAE, or its weights are missing, cut off or do not fit
    """
    return fitting.load(run, "vae", into)


class Trainer(ModelTrainer):
    """A VAE in training.

    batches: images, float32 (N, H, W, C) in [-1, 1]
    test: held-out images (N, H, W, C), uint8, or None; the bound on them is measured once, at the end
    seed: of the noise; each stream (noise, preview, metrics) is one of its own, derived from it
    """

    model: VAE

    def __init__(
        self,
        model: VAE,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        learning_rate: float | None = None,
        test: np.ndarray | None = None,
        callbacks: Iterable[Callback] = (),
    ):
        super().__init__(model, batches, steps=steps, seed=seed, test=test, callbacks=callbacks)
        self.optimiser = self.adam(learning_rate)
        self.noise = random.Philox(seed, "noise")
        self.preview_noise = model.noise(PREVIEWS, random.Philox(seed, "preview"))

    def train_step(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict:
        """One step on a batch of images, (N, H, W, C), float32 in [-1, 1].

        returns: loss and its parts, reconstruction and divergence, in nats per image
        raises DivergedError where the loss is not a number; nothing has moved then
        """
        given, noise = self.on_device(images), self.model.noise(len(images), self.noise)
        reconstruction, divergence = self.model.losses(given, noise)
        loss = reconstruction + divergence
        self.check_loss("the loss", loss, images, lambda: self.model.losses(given, noise))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        return {"loss": loss.item(), "reconstruction": reconstruction.item(), "divergence": divergence.item()}

    def preview(self):
        """Images from this run's fixed noise, PREVIEWS of them."""
        return clipped(self.model.generate(self.preview_noise))

    def measure(self) -> tuple[float, float]:
        """The two parts of the bound on -log p of the held-out images, in nats per image."""
        return self.model.bound(self.test, random.Philox(self.seed, "metrics"))

    def figures(self, bound):
        """The bound on -log p of the held-out images, in nats per image, and its parts."""
        reconstruction, divergence = bound
        return {"bound": reconstruction + divergence, "reconstruction": reconstruction, "divergence": divergence}

    def pictures(self):
        images = self._examples()
        if images is None:
            return {}
        restored = clipped(self.model.reconstruct(images))
        return {"reconstructions": grid_png(paired(images, restored), COLUMNS)}

    def shown(self):
        results = self.results()
        measured = {
            f"{name}, held-out images": f"{results[key]:.1f} nats"
            for name, key in (("bound", "bound"), ("of it reconstruction", "reconstruction"))
            if results
        }
        return Shown(
            caption="Generated",
            along="The same noise each time, so each place shows one image taking shape.",
            curves=CURVES,
            about_curves="Averages per image, in nats. Lines are means of a few steps, bands their range.",
            results=measured,
            facts={"reconstruction, nats": "reconstruction", "divergence, nats": "divergence"},
            settings={
                "loss": "cross-entropy of the pixels + divergence from N(0, 1)",
                "optimiser": self.optimiser_in_words(),
            },
            pictures={"reconstructions": "Images, and below each what encoder and decoder make of it."},
        )

    def words(self, means):
        return (
            f"loss {means['loss']:.1f}  reconstruction {means['reconstruction']:.1f}  "
            f"divergence {means['divergence']:.1f} nats"
        )

    def _examples(self):
        """Images to be shown with their reconstructions, uint8: held-out ones, or the first of the training's."""
        if self.test is not None:
            return spread(self.test, PAIRS)
        images, _ = self.batches.batch(0, 0)
        return to_uint8(images[:PAIRS])


def paired(above: np.ndarray, below: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Images (N, H, W, C) in an order that a grid of `columns` columns shows in pairs of rows.

    A last row that is not full is filled with black.
    """
    rows = -(-len(above) // columns)
    parts = []
    for images in (above, below):
        full = np.zeros((rows * columns, *images.shape[1:]), images.dtype)
        full[: len(images)] = images
        parts.append(full.reshape(rows, columns, *images.shape[1:]))
    return np.stack(parts, 1).reshape(-1, *above.shape[1:])


KIND = Kind(
    name="vae",
    plural="VAEs",
    model=VAE,
    models={
        "vae": Architecture(
            "minigan.models.vae:vae",
            "a variational autoencoder whose decoder is the dense generator; any image shape",
            options=("latent_size",),
        ),
    },
    trainer=Trainer,
    result=Result,
    fit=fit,
    sample=sample,
)
