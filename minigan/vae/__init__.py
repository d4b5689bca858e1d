"""Training variational autoencoders, and images drawn from them.

result = mg.vae.fit("vae", mg.data.load("mnist"), epochs=20)
result.sample(16), result.reconstruct(images)
"""

import os

from minigan.models import VAE
from minigan.vae.fitting import Result, fit, reconstruct, sample
from minigan.vae.trainer import Trainer

__all__ = ["VAE", "Result", "Trainer", "fit", "load", "reconstruct", "sample"]


def load(run: str | os.PathLike, into: VAE | None = None) -> VAE:
    """The trained VAE of a run folder.

    into: a VAE that takes the weights, instead of a new one of the name that the run gives
    raises RunError where the folder is no run of a VAE, or its weights are missing, cut off or do not fit
    """
    from minigan.training import fitting

    return fitting.load(run, "vae", into)
