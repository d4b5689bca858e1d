"""The training of one model: what its kind defines, and what all kinds share."""

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
    """What `fit` was asked to do: the images and labels that it trains on, where, and whether the run is kept."""

    images: np.ndarray
    labels: np.ndarray | None
    device: str
    seed: int
    kept: bool


class ModelTrainer(Loop):
    """A model in training. Each kind of model defines a subclass.

    model: trained in place
    test: held-out images, which are measured once, at the end; None without any
    The class methods are what `minigan.training.fitting.fit` asks before a model is touched. `settings` are the
    arguments of a kind's `fit` that other kinds do not have.
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
        """The options that a model is built with by name: those of the user, and what the labels determine."""
        return options

    @classmethod
    def checked(cls, model: Model, job: Job, settings: dict) -> dict:
        """The settings as `prepare` takes them, without changing anything.

        raises TrainingError or DataError for what cannot work
        """
        rate = inputs.real("learning_rate", settings.get("learning_rate"), above=0)
        return {**settings, "learning_rate": rate}

    @classmethod
    def held_out(cls, test: Any, model: Model) -> np.ndarray | Dataset:
        """The held-out images as the trainer takes them. Raises DataError or ShapeError for others."""
        return inputs.held_out(test, model)

    @classmethod
    def batches_per_step(cls, settings: dict) -> int:
        """How many batches a step takes."""
        return 1

    @classmethod
    def recorded(cls, model: Model, settings: dict) -> dict:
        """What config.json records of the checked settings."""
        return {}

    @classmethod
    def prepare(cls, model: Model, seed: int, settings: dict) -> dict:
        """Change the model as the checked settings say. Returns the settings that the trainer itself takes."""
        return settings

    # ------------------------------------------------------------------------------------ while training

    def adam(self, learning_rate: float | None = None) -> optim.Adam:
        """Adam for the parameters that are not frozen, with the model's settings unless a rate is given."""
        self.learning_rate = self.model.learning_rate if learning_rate is None else learning_rate
        return optim.Adam(self.trained(), lr=self.learning_rate, betas=self.model.betas)

    def trained(self) -> list[Tensor]:
        """The parameters that the optimiser moves: all that are not frozen."""
        return [parameter for network in self.model.networks().values() for parameter in network.parameters()]

    def on_device(self, array: np.ndarray) -> Tensor:
        """An array as a Tensor where the model is."""
        return Tensor(devices.move(array, self.model.device))

    def check_loss(self, name: str, loss: Tensor, images: np.ndarray, forward) -> None:
        """Raise DivergedError unless the loss is a number; see `minigan.training.loop.check_loss`."""
        check_loss(self, name, loss, images, forward, self.learning_rate)

    # ------------------------------------------------------------------------------------ what is measured

    def measure(self):
        """Measure the held-out images; trainers that have some define it."""
        raise NotImplementedError(f"{type(self).__name__} has no measure(); say what is measured at the end")

    def figures(self, measured) -> dict:
        """What `results` keeps of what `measure` returned, as JSON."""
        raise NotImplementedError(f"{type(self).__name__} has no figures(); say what is kept of what was measured")

    def measured(self):
        """What `measure` returns, once the run is at its end; None before, without held-out images, or where it failed.

        It is tried once: an error that it raises is raised by the first call only.
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

    # ------------------------------------------------------------------------------------ what is saved and shown

    def networks(self):
        return {name.capitalize(): network for name, network in self.model.networks().items()}

    def state(self):
        return self.model.state()

    def header(self):
        return header_of(self.model)

    def optimiser_in_words(self) -> str:
        """The optimiser, for a report's table of settings."""
        betas = ", ".join(f"{beta:g}" for beta in self.model.betas)
        return f"Adam, learning rate {self.learning_rate:g}, betas {betas}"


def header_of(model: Model) -> dict:
    """What is needed to build the model again: the header of its weights."""
    header = {
        "format": FORMAT,
        "kind": model.kind,
        "model": model.name,
        "image_shape": list(model.image_shape),
        "options": model.options,
    }
    return {**header, "changes": list(model.changes)} if model.changes else header
