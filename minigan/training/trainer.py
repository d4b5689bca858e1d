"""The base class of the trainers of all kinds of model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan import devices, optim
from minigan.autograd.tensor import Tensor
from minigan.data import Batches, Dataset
from minigan.models import Model
from minigan.training import inputs
from minigan.training.callbacks import Callback
from minigan.training.loop import Loop, check_loss

FORMAT = "minigan-model-1"


@dataclass(frozen=True)
class Job:
    """A call of `fit`: the training images and labels, the device, the seed, and whether the run is saved."""

    images: np.ndarray
    labels: np.ndarray | None
    device: str
    seed: int
    kept: bool


class ModelTrainer(Loop):
    """Trains a model. Each kind of model defines a subclass.

    model: trained in place
    test: held-out images, measured once, at the end; or None
    `minigan.training.fitting.fit` calls the class methods before it changes a model. Their `settings` are the arguments
    of a kind's `fit` that other kinds do not have.
    """

    def __init__(
        self,
        model: Model,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        test=None,
        callbacks: Iterable[Callback] = (),
    ):
        super().__init__(model.name, batches, steps=steps, seed=seed, callbacks=callbacks)
        self.model, self.test = model, test
        self._tried, self._measured, self._results = False, None, {}

    # ---------------------------------------------------------------------------------- before training

    @classmethod
    def options(cls, labels: np.ndarray | None, options: dict, settings: dict) -> dict:
        """Return the options for building a model by name: the user's, and those that follow from the labels."""
        return options

    @classmethod
    def checked(cls, model: Model, job: Job, settings: dict) -> dict:
        """Check the settings and return them in the form that `prepare` takes. Changes nothing.

        raises TrainingError or DataError for settings that cannot work
        """
        rate = inputs.real("learning_rate", settings.get("learning_rate"), above=0)
        return {**settings, "learning_rate": rate}

    @classmethod
    def held_out(cls, test: Any, model: Model) -> np.ndarray | Dataset:
        """Return the held-out images in the form that the trainer takes. Raises DataError or ShapeError."""
        return inputs.held_out(test, model)

    @classmethod
    def batches_per_step(cls, settings: dict) -> int:
        """Return the number of batches per step."""
        return 1

    @classmethod
    def recorded(cls, model: Model, settings: dict) -> dict:
        """Return the checked settings to record in config.json."""
        return {}

    @classmethod
    def prepare(cls, model: Model, seed: int, settings: dict) -> dict:
        """Change the model as the checked settings require. Returns the trainer's own arguments."""
        return settings

    # ------------------------------------------------------------------------------------ while training

    def adam(self, learning_rate: float | None = None) -> optim.Adam:
        """Return an Adam optimiser for the parameters to train, by default with the model's learning rate."""
        self.learning_rate = self.model.learning_rate if learning_rate is None else learning_rate
        return optim.Adam(self.trained(), lr=self.learning_rate, betas=self.model.betas)

    def trained(self) -> list[Tensor]:
        """Return the parameters to train: all that are not frozen."""
        return [parameter for network in self.model.networks().values() for parameter in network.parameters()]

    def on_device(self, array: np.ndarray) -> Tensor:
        """Return an array as a Tensor on the model's device."""
        return Tensor(devices.move(array, self.model.device))

    def check_loss(self, name: str, loss: Tensor, images: np.ndarray, forward) -> None:
        """Raise DivergedError unless the loss is finite; see `minigan.training.loop.check_loss`."""
        check_loss(self, name, loss, images, forward, self.learning_rate)

    # ------------------------------------------------------------------------------------ measuring held-out images

    def measure(self):
        """Measure the held-out images. Trainers with held-out images define it."""
        raise NotImplementedError(f"{type(self).__name__} must define measure()")

    def figures(self, measured) -> dict:
        """Convert the value of `measure` to JSON values for `results`."""
        raise NotImplementedError(f"{type(self).__name__} must define figures()")

    def measured(self):
        """Return the value of `measure` at the end of the run; None before, without held-out images, or if it failed.

        It is tried only once, so only the first call can raise its error.
        """
        if not self._tried and self.test is not None and self._is_at_end():
            self._tried = True
            measured = self.measure()
            self._results, self._measured = self.figures(measured), measured
        return self._measured

    def results(self):
        self.measured()
        return self._results

    def _is_at_end(self):
        return self.step > 0 and (self.step >= self.steps or self._stopping) and self.error is None

    # ------------------------------------------------------------------------------------ saving and showing

    def networks(self):
        return {name.capitalize(): network for name, network in self.model.networks().items()}

    def state(self):
        return self.model.state()

    def header(self):
        return header_of(self.model)

    def optimiser_in_words(self) -> str:
        """Describe the optimiser for the report."""
        betas = ", ".join(f"{beta:g}" for beta in self.model.betas)
        return f"Adam, learning rate {self.learning_rate:g}, betas {betas}"


def header_of(model: Model) -> dict:
    """Return what is needed to rebuild the model: the header of its weights."""
    header = {
        "format": FORMAT,
        "kind": model.kind,
        "model": model.name,
        "image_shape": list(model.image_shape),
        "options": model.options,
    }
    return {**header, "changes": list(model.changes)} if model.changes else header
