"""The training of any kind of model: its arguments checked, its model built, trained, and read back."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from minigan import devices, models, optim
from minigan.autograd.tensor import Tensor
from minigan.data import Augment, Batches
from minigan.errors import DataError, MiniganError, UnknownNameError
from minigan.models import Model
from minigan.training import inputs, weights
from minigan.training.callbacks import Callback
from minigan.training.errors import Interrupted, RunError, RunWarning, TrainingError
from minigan.training.folder import WEIGHTS, RunFolder
from minigan.training.inputs import check_model
from minigan.training.loop import Loop, Result, check_loss

Left = TypeVar("Left", bound=Result)
CLASSES = {"vae": models.VAE, "classifier": models.Classifier, "restoration": models.Restorer}


@dataclass
class Plan:
    """What is trained on what, for how long, and what a run folder says of it."""

    model: Model
    batches: Batches
    settings: dict
    common: dict  # what every `ModelLoop` takes


def run(trainer: Loop, result: type[Left], settings: dict, out: str | os.PathLike | None, force: bool) -> Left:
    """Train, keep the run in a folder if one is given, and return what training leaves.

    result: makes that of the trainer and the settings
    raises Interrupted, which holds it too, where the run was asked to stop
    """
    if out is not None:
        from minigan.training.recorder import Recorder

        trainer.callbacks.append(Recorder(out, settings, force))
    stopped = None
    try:
        trainer.run()
    except Interrupted as error:
        stopped = error
    finally:
        trainer.batches.close()
    try:
        trainer.results()  # measured by now where the run is kept; what is trained is not lost where that fails
    except Exception as error:
        warnings.warn(
            RunWarning(f"the held-out images could not be measured ({type(error).__name__}: {error})"), stacklevel=3
        )
    left = result(trainer, settings)
    if stopped is not None:
        stopped.result = left
        raise stopped
    return left


def plan(
    kind: str,
    model: str | Model,
    images: np.ndarray,
    labels: np.ndarray | None,
    source: inputs.Source,
    *,
    steps: int | None,
    epochs: int | None,
    batch: int | None,
    seed: int,
    learning_rate: float | None,
    augment: Augment | None,
    device: str,
    callbacks: Iterable[Callback],
    **options,
) -> Plan:
    """Check what `fit` was given, and build the model and its batches.

    kind: what the model must be
    model: a name, built with `options`; or a model, which is moved to the device
    raises DataError or TrainingError for what cannot be trained with
    """
    seed = inputs.check_seed(seed)
    learning_rate = inputs.real("learning_rate", learning_rate, above=0)
    batch = inputs.whole("batch", batch)
    inputs.check_augment(augment)
    built = model_of(kind, model, images.shape[1:], seed, options)
    if built.image_shape != images.shape[1:]:
        raise DataError(
            f"{built.name} is for images of {built.image_shape}, but these are {images.shape[1:]} (H, W, C)"
        )
    steps, batch = inputs.steps_and_batch(
        len(images), steps, epochs, batch, usual=built.batch, first_run=_first_run(built, len(images), batch)
    )
    built.to(device)
    batches = Batches(images, labels, batch_size=batch, seed=seed, augment=augment)
    epochs = inputs.whole("epochs", epochs)
    steps = epochs * batches.steps_per_epoch if steps is None else steps
    settings = {
        "kind": kind,
        "model": built.name,
        "options": built.options,
        "image_shape": list(built.image_shape),
        **source.plain(),
        "augment": inputs.plain(augment),
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "device": device,
    }
    common = {"steps": steps, "seed": seed, "learning_rate": learning_rate, "callbacks": callbacks}
    return Plan(built, batches, settings, common)


def model_of(kind: str, model: str | Model, image_shape, seed: int, options: dict) -> Model:
    """A model of this kind by its name, or the one given. Raises TrainingError for one of another kind."""
    if isinstance(model, str):
        model = models.build(model, image_shape, seed, **options)
    if not isinstance(model, Model):
        raise TrainingError(
            f"fit: model is {model!r}, but a name or a model is trained; the names: {', '.join(models.available())}"
        )
    if not isinstance(model, CLASSES[kind]):
        raise TrainingError(f"fit: {model.name} is a {model.kind}, which mg.{model.kind}.fit trains, not mg.{kind}.fit")
    return model


def _first_run(model, count, batch):
    """(steps, batch) where nothing is said; a classifier's length is in epochs."""
    if hasattr(model, "first_run"):
        return model.first_run
    batch = model.batch if batch is None else batch
    return max(1, model.first_epochs * (count // batch)), batch


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
        """Raise DivergedError unless the loss is a number; see `check_loss`."""
        check_loss(self, whose, loss, images, forward, self.learning_rate)

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
