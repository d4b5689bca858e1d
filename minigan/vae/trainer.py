"""How a variational autoencoder is trained: reconstruction plus divergence, by Adam."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minigan import autograd, random
from minigan.data import Batches, to_uint8
from minigan.data.dataset import clipped
from minigan.models import VAE
from minigan.training.callbacks import Callback
from minigan.training.fitting import ModelLoop
from minigan.training.grids import grid_png, spread
from minigan.training.report import Curves, Shown

PREVIEWS = 64  # images in a sample grid
PAIRS = 20  # images that are shown with their reconstructions
COLUMNS = 10
CURVES = (
    Curves("Bound on -log p, nats per image", {"reconstruction and divergence": "loss"}),
    Curves("Its two parts", {"reconstruction": "reconstruction", "divergence": "divergence"}),
)


class Trainer(ModelLoop):
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
        super().__init__(model, batches, steps=steps, seed=seed, learning_rate=learning_rate, callbacks=callbacks)
        self.test = test
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
        self.check("the loss", loss, images, lambda: self.model.losses(given, noise))
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
            settings={"loss": "cross-entropy of the pixels + divergence from N(0, 1)", "optimiser": self.adam()},
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
