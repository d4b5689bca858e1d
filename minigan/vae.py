"""Train variational autoencoders and generate images with them.

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
PAIRS = 20  # images shown with their reconstructions
COLUMNS = 10
CURVES = (
    Curves("Bound on -log p, nats per image", {"reconstruction and divergence": "loss"}),
    Curves("Its two parts", {"reconstruction": "reconstruction", "divergence": "divergence"}),
)


class Result(training.Result):
    """The result of training a VAE.

    model: the trained VAE
    bound: the bound on -log p of the held-out images, in nats per image; None without held-out images
    history, settings: as in `mg.training.Result`
    """

    def __init__(self, trainer: Trainer, settings: dict):
        super().__init__(trainer, settings)
        self.model: VAE = trainer.model
        self.bound: float | None = trainer.results().get("bound")

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Generate images, (count, H, W, C), uint8. The same seed gives the same images."""
        return sample(self.model, count, seed)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Encode and decode images (N, H, W, C). Returns uint8."""
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

    model: "vae", which is built for these images from `seed`; or a VAE, which is trained in place
    images: a Dataset, or an array (N, H, W, C): uint8, or floats in [-1, 1]
    test: held-out images; the bound is computed on them at the end
    steps, epochs: how long to train (give one of them); by default the steps of the model's `first_run`
    options: the model's options, as in `mg.models.build`: latent_size
    batch, seed, learning_rate, augment, device, callbacks, out, force: as in `mg.gan.fit`
    raises DataError or TrainingError for unusable images or settings, DivergedError if the loss becomes NaN, RunError
        if the run cannot be written to `out`; Interrupted, as in `mg.gan.fit`
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
    """Generate images with a VAE's decoder, (count, H, W, C), uint8. The first images are the same for every count.

    raises TrainingError for another kind of model, a count below 1, a seed below 0, or a label: VAEs have no classes
    """
    inputs.check_model("sample", vae, VAE)
    if label is not None:
        raise TrainingError(f"sample: {vae.name} has no classes, so it cannot generate images of class {label}")
    count, seed = inputs.whole("sample: count", count, needed=True), inputs.check_seed(seed)
    return clipped(vae.generate(vae.noise(count, random.Philox(seed, "sample"))))


def reconstruct(vae: VAE, images: np.ndarray) -> np.ndarray:
    """Encode and decode images (N, H, W, C), uint8 or floats in [-1, 1]. Returns the same shape, uint8."""
    inputs.check_model("reconstruct", vae, VAE)
    return clipped(vae.reconstruct(images))


def load(run: str | os.PathLike, into: VAE | None = None) -> VAE:
    """Load the trained VAE of a run folder.

    into: a VAE to load the weights into; by default a new one is built
    raises RunError if the folder is not a run of a VAE, or its weights are missing, truncated or do not fit
    """
    return fitting.load(run, "vae", into)


class Trainer(ModelTrainer):
    """Trains a VAE.

    batches: images, float32 (N, H, W, C) in [-1, 1]
    test: held-out images (N, H, W, C), uint8, or None; the bound on them is computed once, at the end
    seed: the seed of the separate streams for noise, previews and metrics
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
        """Train on a batch of images, (N, H, W, C), float32 in [-1, 1].

        returns: the loss and its parts, reconstruction and divergence, in nats per image
        raises DivergedError if the loss is not finite; no parameter has changed then
        """
        given, noise = self.on_device(images), self.model.noise(len(images), self.noise)
        reconstruction, divergence = self.model.losses(given, noise)
        loss = reconstruction + divergence
        self.check_loss("the loss", loss, images, lambda: self.model.losses(given, noise))
        self.optimiser.step(autograd.grad(loss, self.optimiser.parameters))
        return {"loss": loss.item(), "reconstruction": reconstruction.item(), "divergence": divergence.item()}

    def preview(self):
        """Generate PREVIEWS images from this run's fixed noise."""
        return clipped(self.model.generate(self.preview_noise))

    def measure(self) -> tuple[float, float]:
        """Compute the two parts of the bound on -log p of the held-out images, in nats per image."""
        return self.model.bound(self.test, random.Philox(self.seed, "metrics"))

    def figures(self, bound):
        """Return the bound on -log p of the held-out images and its parts, in nats per image."""
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
            for name, key in (("bound", "bound"), ("reconstruction part", "reconstruction"))
            if results
        }
        return Shown(
            caption="Generated",
            along="The noise is the same each time, so each position shows one image developing.",
            curves=CURVES,
            about_curves="Averages per image, in nats. Lines are means over a few steps; bands show their range.",
            results=measured,
            facts={"reconstruction, nats": "reconstruction", "divergence, nats": "divergence"},
            settings={
                "loss": "cross-entropy of the pixels + divergence from N(0, 1)",
                "optimiser": self.optimiser_in_words(),
            },
            pictures={"reconstructions": "Images, with the reconstruction below each."},
        )

    def words(self, means):
        return (
            f"loss {means['loss']:.1f}  reconstruction {means['reconstruction']:.1f}  "
            f"divergence {means['divergence']:.1f} nats"
        )

    def _examples(self):
        """Return the images to show with their reconstructions, uint8: held-out ones, or else training images."""
        if self.test is not None:
            return spread(self.test, PAIRS)
        images, _ = self.batches.batch(0, 0)
        return to_uint8(images[:PAIRS])


def paired(above: np.ndarray, below: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Order images (N, H, W, C) so that a grid of `columns` columns shows each row of `above` over one of `below`.

    An incomplete last row is filled with black images.
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
