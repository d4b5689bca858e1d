"""The measured training steps, by name. Imports nothing that a measured process should not have."""

from __future__ import annotations

from typing import NamedTuple


class GanCase(NamedTuple):
    """A model, its square images, and the number of images per step."""

    model: str
    size: int
    channels: int
    batch: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.size, self.size, self.channels

    def build(self):
        """The GAN with plain cross-entropy, which all engines support, instead of its own recipe."""
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

ON_A_GPU = {  # most important first, since the time is limited
    "dcgan-64": GANS["dcgan-64"],
    "dcgan-64, batch 512": GANS["dcgan-64"]._replace(batch=512),
    "dcgan-28": GANS["dcgan-28"],
    "mlp-gan": GANS["mlp-gan"],
}
BESIDE_A_COMPILER = "dcgan-64", "dcgan-64, batch 512"  # only these, since compiling takes most of the time
REHEARSED = {name: GANS[name]._replace(batch=2) for name in ("mlp-gan", "dcgan-28")}
