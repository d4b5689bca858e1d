"""The settings a GAN is trained with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace

from minigan.data.arrays import python_number
from minigan.errors import UnknownNameError

BOUNDS = "gradient_penalty", "r1", "clip"  # on the discriminator's slopes, of which a recipe has one


@dataclass(frozen=True)
class Recipe:
    """How a GAN is trained; a model has one of its own. `mg.gan.fit` checks that the settings work together.

    objective: a name in `mg.gan.OBJECTIVES`, or an Objective
    optimiser: "adam", or "rmsprop", which has no use for betas
    generator_rate, discriminator_rate: learning rates
    betas: of Adam
    critic_steps: of the discriminator for each of the generator, each on a real batch of its own
    gradient_penalty: lambda of WGAN-GP's penalty on slopes other than 1 between real and generated images; 0 is none
    r1: gamma of the penalty on slopes at real images; 0 is none
    clip: after each step the discriminator's parameters are moved into [-clip, clip]; 0 leaves them
    label_smoothing: real images are said to be real with probability 1 - label_smoothing
    instance_noise: standard deviation of noise on all that the discriminator sees, falling linearly to 0 over the run
    ema: decay of the average of the generator's weights that samples are made with; 0 keeps no average
    spectral_norm: whether the discriminator's layers are divided by their largest singular values
    minibatch_std: whether the discriminator sees, before its last layer, how much the images of a batch differ
    """

    objective: str | object = "non-saturating"
    optimiser: str = "adam"
    generator_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    critic_steps: int = 1
    gradient_penalty: float = 0.0
    r1: float = 0.0
    clip: float = 0.0
    label_smoothing: float = 0.0
    instance_noise: float = 0.0
    ema: float = 0.0
    spectral_norm: bool = False
    minibatch_std: bool = False

    def __post_init__(self):
        for name, setting in vars(self).items():
            object.__setattr__(self, name, python_number(setting))
        if isinstance(self.betas, Iterable):
            object.__setattr__(self, "betas", tuple(map(python_number, self.betas)))

    def changed(self, **settings) -> Recipe:
        """The recipe with other settings, of which None leaves one as it is.

        learning_rate: of both players, where they are not given apart
        gradient_penalty, r1, clip: those that are given take the place of the others
        raises UnknownNameError for a setting that there is not
        """
        known = [field.name for field in fields(self)]
        both = settings.pop("learning_rate", None)
        for name in settings:
            if name not in known:
                raise UnknownNameError("setting of a recipe", name, [*known, "learning_rate"])
        for name in ("generator_rate", "discriminator_rate"):
            settings[name] = both if settings.get(name) is None else settings[name]
        if any(map(settings.get, BOUNDS)):
            settings |= {name: 0.0 for name in BOUNDS if settings.get(name) is None}
        return replace(self, **{name: setting for name, setting in settings.items() if setting is not None})

    def plain(self) -> dict:
        """All of it as JSON keeps it."""
        return {**asdict(self), "objective": getattr(self.objective, "name", self.objective), "betas": list(self.betas)}
