"""A GAN's steps as graphs: all that a step launches is captured once, and then replayed as one.

Of a step with several updates of the discriminator there are two graphs, that of an update whose images the generator
does not learn from, and that of the last one with the generator's. Losses are read after a graph is done.
"""

from __future__ import annotations

import numpy as np

from minigan import devices
from minigan.autograd import no_grad
from minigan.replay import captured


class Replays:
    """A trainer's steps, captured. Each kind runs once as it is, when its first batch comes."""

    def __init__(self, trainer):
        self.trainer = trainer
        self._alone, self._with_generator = captured(self._critic), captured(self._both)

    def train_step(self, images: np.ndarray, labels: np.ndarray | None):
        """(drawn, critic, update) of one step, as `Trainer.train_step` does it; both players have moved."""
        for _ in range(self.trainer.recipe.critic_steps - 1):
            self._alone(*self._there(images, labels))
            images, labels = next(self.trainer.batches)
        return self._with_generator(*self._there(images, labels))

    def _there(self, images, labels):
        """What a step is given, on the device: images and, where they count, labels and the strength of noise."""
        gan = self.trainer.gan
        given = [images]
        if gan.classes is not None and labels is not None:
            given.append(np.asarray(labels))
        if self.trainer.recipe.instance_noise:
            given.append(np.array([self.trainer.noise_strength()], images.dtype))
        return [devices.move(array, gan.device) for array in given]

    def _drawn(self, images, *others):
        """The batch of a step, from what `_there` has put on the device."""
        others = [tensor.data for tensor in others]
        strength = others.pop() if self.trainer.recipe.instance_noise else None
        (labels,) = others or [None]
        return self.trainer.drawn(images.data, labels, strength)

    def _critic(self, *given):
        trainer = self.trainer
        drawn = self._drawn(*given)
        with no_grad():
            fake = trainer.generated(drawn)
        critic = trainer.discriminator_update(drawn, fake)
        trainer.move_discriminator(critic.gradients)

    def _both(self, *given):
        trainer = self.trainer
        drawn = self._drawn(*given)
        fake = trainer.generated(drawn)
        critic = trainer.discriminator_update(drawn, fake.detach())
        trainer.move_discriminator(critic.gradients)
        update = trainer.generator_update(drawn, fake)
        trainer.move_generator(update.gradients)
        return drawn, critic, update
