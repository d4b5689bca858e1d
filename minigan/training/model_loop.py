"""The training of a model that `minigan.models` builds: its optimiser, its arrays, its name in a file of weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np

from minigan import devices, models, optim
from minigan.autograd.tensor import Tensor
from minigan.data import Batches
from minigan.errors import MiniganError, UnknownNameError
from minigan.models import Model
from minigan.training import weights
from minigan.training.callbacks import Callback
from minigan.training.divergence import check
from minigan.training.errors import RunError
from minigan.training.folder import WEIGHTS, RunFolder
from minigan.training.inputs import check_model
from minigan.training.loop import Loop

FORMAT = "minigan-model-1"


class ModelLoop(Loop):
    """A model in training by Adam.

    model: trained in place
    learning_rate: by default the model's own
    """

    def __init__(
        self,
        model: Model,
        batches: Batches,
        *,
        steps: int,
        seed: int = 0,
        learning_rate: float | None = None,
        callbacks: Iterable[Callback] = (),
    ):
        super().__init__(model.name, batches, steps=steps, seed=seed, callbacks=callbacks)
        self.model = model
        self.test = None  # held-out images, which a subclass may have
        self._tried, self._measured, self._results = False, None, {}
        self.learning_rate = model.learning_rate if learning_rate is None else learning_rate
        self.optimiser = optim.Adam(self.trained(), lr=self.learning_rate, betas=model.betas)

    def trained(self) -> list[Tensor]:
        """The parameters that the optimiser moves: all that are not frozen."""
        return [parameter for network in self.model.networks().values() for parameter in network.parameters()]

    def on_device(self, array: np.ndarray) -> Tensor:
        """An array as a Tensor where the model is."""
        return Tensor(devices.move(array, self.model.device))

    def measure(self):
        """Measure the held-out images; subclasses that have some say how."""
        raise NotImplementedError(f"{type(self).__name__} has no measure(); say what is measured at the end")

    def figures(self, measured) -> dict:
        """What `results` has of what `measure` returned, anything JSON."""
        raise NotImplementedError(f"{type(self).__name__} has no figures(); say what is kept of what was measured")

    def measured(self):
        """What `measure` returns, once the run is at its end; None before, without held-out images, or where it failed.

        It is tried once: what it raises is raised by the first call only.
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

    def check(self, whose: str, loss: Tensor, images: np.ndarray, forward) -> None:
        """Raise DivergedError unless the loss is a number; see `divergence.check`."""
        check(self, whose, loss, images, forward, self.learning_rate)

    def networks(self):
        return {name.capitalize(): network for name, network in self.model.networks().items()}

    def state(self):
        return state_of(self.model)

    def header(self):
        return header_of(self.model)

    def adam(self) -> str:
        """The optimiser, as a report's table of settings has it."""
        betas = ", ".join(f"{beta:g}" for beta in self.model.betas)
        return f"Adam, learning rate {self.learning_rate:g}, betas {betas}"


def state_of(model: Model) -> dict[str, np.ndarray]:
    """Copies of all networks' parameters and buffers, under their names: "encoder.1.weight"."""
    return {
        f"{player}.{name}": array
        for player, network in model.networks().items()
        for name, array in network.state_dict().items()
    }


def header_of(model: Model) -> dict:
    """What `load` needs to build the model again."""
    return {
        "format": FORMAT,
        "kind": model.kind,
        "model": model.name,
        "image_shape": list(model.image_shape),
        "options": model.options,
    }


def load(run, kind: str, into: Model | None = None) -> Model:
    """The trained model of a run folder, of one kind.

    into: a model that takes the weights, instead of a new one of the name that the run gives
    raises RunError where the folder is no run, or of another kind, or its weights are missing, cut off or do not fit
    """
    if into is not None:
        check_model("load: into", into, Model)
    folder = RunFolder(run)
    found = folder.config().get("kind", "gan")
    if found != kind:
        raise RunError(f"{folder.path}: a run of a {found}, not of a {kind}: load it with mg.{found}.load")
    header, arrays = folder.weights()
    path = folder / WEIGHTS
    otherwise = "a safetensors file, but not a model that minigan saved"
    said = weights.described(path, header, arrays, FORMAT, otherwise)
    if header.get("kind") != kind:
        raise RunError(f"{path}: of a {header.get('kind')}, but config.json says that the run is of a {kind}")
    model = into
    try:
        if model is None:
            model = models.build(said["model"], said["image_shape"], **said.get("options", {}))
        if model.kind != kind:
            raise RunError(f"it is a {model.kind}")
        if into is not None:
            _fill(copy.deepcopy(into), arrays)  # where one network does not fit, none is changed
        _fill(model, arrays)
    except UnknownNameError as error:
        raise RunError(f"{path}: {error}; build the model yourself and load(..., into=it)") from error
    except (MiniganError, TypeError, MemoryError) as error:  # a TypeError is an option of another type
        raise RunError(f"{path}: does not fit the model {said['model']!r}: {error}") from error
    return model


def _fill(model, arrays):
    for player, network in model.networks().items():
        start = player + "."
        network.load_state_dict({n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)})
