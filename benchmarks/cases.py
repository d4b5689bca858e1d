"""The training steps that are measured, by name. Nothing is imported here that a measured process should not have."""

from __future__ import annotations

from typing import NamedTuple


class GanCase(NamedTuple):
    """A model, its square images, and how many of them a step takes."""

    model: str
    size: int
    channels: int
    batch: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.size, self.size, self.channels

    def build(self):
        """The GAN with plain cross-entropy, which all engines do, whatever the model's own recipe has besides."""
        from minigan import models

        gan = models.build(self.model, self.shape)
        gan.recipe = models.Recipe()
        return gan


GANS = {
    "mlp-gan": GanCase("mlp-gan", 28, 1, 128),
    "dcgan-28": GanCase("dcgan", 28, 1, 128),
    "dcgan-32": GanCase("dcgan", 32, 3, 64),
    "dcgan-64": GanCase("dcgan", 64, 3, 64),
    "rgan-64": GanCase("rgan", 64, 3, 64),
}

ON_A_GPU = {  # the most important first: what is measured there has a time limit
    "dcgan-64": GANS["dcgan-64"],
    "dcgan-64, batch 512": GANS["dcgan-64"]._replace(batch=512),
    "dcgan-28": GANS["dcgan-28"],
    "mlp-gan": GANS["mlp-gan"],
}
BESIDE_A_COMPILER = "dcgan-64", "dcgan-64, batch 512"  # of these: to compile takes most of the time
REHEARSED = {name: GANS[name]._replace(batch=2) for name in ("mlp-gan", "dcgan-28")}
