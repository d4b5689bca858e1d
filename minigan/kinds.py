"""One table of the kinds of model that minigan trains. `mg.models`, every `fit`, run folders and commands read it.

To add a kind, write one file that defines its model, its trainer and a `Kind`, and add an entry to KINDS.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minigan.errors import UnknownNameError

if TYPE_CHECKING:
    import numpy as np

    from minigan.models import Model
    from minigan.training.loop import Result
    from minigan.training.trainer import ModelTrainer


@dataclass(frozen=True)
class Architecture:
    """A model that `mg.models.build` builds by name.

    builder: a function (image_shape, rng, **options) -> Model, or "module:function", imported on first use
    summary: a line for `minigan models`
    options: the builder's keyword arguments that users may give
    classes: whether the builder also takes the number of classes, `classes`
    sizes: the sides in pixels of the square images that it supports, ascending; empty if it supports any size
    kind_for: returns the model's kind for given options, if they can make it another kind than that of its table
    """

    builder: Callable[..., Model] | str
    summary: str
    options: tuple[str, ...] = ()
    classes: bool = False
    sizes: tuple[int, ...] = ()
    kind_for: Callable[[Mapping], str] | None = None

    def build(self, image_shape: tuple[int, int, int], rng: np.random.Generator, **options) -> Model:
        """Build the model with fresh weights."""
        builder = self.builder
        if isinstance(builder, str):
            module, _, function = builder.partition(":")
            builder = getattr(importlib.import_module(module), function)
        return builder(image_shape, rng, **options)


@dataclass(frozen=True)
class Kind:
    """Everything that minigan needs to know about one kind of model.

    name: the name in `Model.kind`, config.json and weights files
    plural: the name of its models in error messages
    model: the class of its models; `Model.options`, `Model.changes` and `Model.prepare` define how weights are loaded
    models: the models that can be built by name
    trainer: trains them, and defines a run's grids, figures, pictures and report
    result: what `fit` returns, made from the trainer and the settings
    fit: the public function that trains one; it ends in `minigan.training.fitting.fit`
    uses_labels: whether training uses labels
    holds_out: whether `minigan train` passes held-out images to `fit` as `test`
    settings: the arguments of `fit` that only this kind has and that `minigan train` offers as options
    from_command: converts the values of these options to the arguments of `fit`; by default they stay unchanged
    sample: generates images, (model, count, seed, label=None) -> (count, H, W, C), uint8; None if the kind cannot
    """

    name: str
    plural: str
    model: type[Model]
    models: Mapping[str, Architecture]
    trainer: type[ModelTrainer]
    result: type[Result]
    fit: Callable[..., Result]
    uses_labels: bool = False
    holds_out: bool = True
    settings: tuple[str, ...] = ("learning_rate",)
    from_command: Callable[[dict], dict] = dict
    sample: Callable[..., np.ndarray] | None = None


KINDS: dict[str, Kind | str] = {  # a string names a module, imported on first use, that defines KIND
    "gan": "minigan.gan",
    "vae": "minigan.vae",
    "classifier": "minigan.classifier",
    "restoration": "minigan.restoration",
}


def kind(name: str) -> Kind:
    """Return a kind by its name. Raises UnknownNameError if it is not in KINDS."""
    UnknownNameError.check("kind of model", name, KINDS)
    entry = KINDS[name]
    return importlib.import_module(entry).KIND if isinstance(entry, str) else entry


def kinds() -> Iterator[Kind]:
    """Return all kinds, in the order of the table."""
    return map(kind, KINDS)


def kind_of_model(name: str, options: Mapping | None = None) -> Kind:
    """Return the kind of the model that is built by this name with these options.

    raises UnknownNameError if no kind has a model of this name
    """
    found = next((each for each in kinds() if isinstance(name, str) and name in each.models), None)
    if found is None:
        raise UnknownNameError("model", name, [model for each in kinds() for model in each.models])
    other = found.models[name].kind_for
    return kind(other(options)) if other and options else found


def architecture(name: str) -> Architecture:
    """Return the architecture of this name. Raises UnknownNameError as above."""
    return kind_of_model(name).models[name]


def generating() -> str:
    """Return the kinds whose models generate images, for messages: "GANs and VAEs"."""
    return " and ".join(each.plural for each in kinds() if each.sample)
