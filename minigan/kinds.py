"""The kinds of model that minigan trains, in one table: `mg.models`, every `fit`, run folders and all commands read it.

A new kind is one file, which defines its model, its trainer and a `Kind`, and one entry in KINDS.
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
    """A model that `mg.models.build` makes by name.

    builder: a function (image_shape, rng, **options) -> Model, or "module:function", imported on first use
    summary: a line for `minigan models`
    options: the builder's keyword arguments that users may give
    classes: whether the builder also takes the number of classes, `classes`
    sizes: the sides of the square images that it is made for, ascending; empty for any
    kind_for: the kind that the options make it, for a model that is not always of the kind whose table it is in
    """

    builder: Callable[..., Model] | str
    summary: str
    options: tuple[str, ...] = ()
    classes: bool = False
    sizes: tuple[int, ...] = ()
    kind_for: Callable[[Mapping], str] | None = None

    def build(self, image_shape: tuple[int, int, int], rng: np.random.Generator, **options) -> Model:
        """The model with fresh weights."""
        builder = self.builder
        if isinstance(builder, str):
            module, _, function = builder.partition(":")
            builder = getattr(importlib.import_module(module), function)
        return builder(image_shape, rng, **options)


@dataclass(frozen=True)
class Kind:
    """What minigan knows of one kind of model.

    name: as `Model.kind`, config.json and files of weights give it
    plural: what error messages call its models
    model: the class of its models; `Model.options`, `Model.changes` and `Model.prepare` say how weights are read back
    models: those that are built by name
    trainer: trains them, and says what a run shows: its grids, figures, pictures and report
    result: what `fit` returns, made from the trainer and the settings
    fit: the public function that trains one; it ends in `minigan.training.fitting.fit`
    uses_labels: whether training uses labels
    holds_out: whether `minigan train` keeps test images apart, which `fit` takes as `test`
    settings: the arguments of `fit` that belong to this kind and that `minigan train` offers as options
    from_command: turns what the command line has for these into what `fit` takes; by default they stay as they are
    sample: images of a model, (model, count, seed, label=None) -> (count, H, W, C), uint8; None if it generates none
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


KINDS: dict[str, Kind | str] = {  # a string names the module whose KIND it is, imported on first use
    "gan": "minigan.gan",
    "vae": "minigan.vae",
    "classifier": "minigan.classifier",
    "restoration": "minigan.restoration",
}


def kind(name: str) -> Kind:
    """A kind by its name. Raises UnknownNameError for one that is not in KINDS."""
    UnknownNameError.check("kind of model", name, KINDS)
    entry = KINDS[name]
    return importlib.import_module(entry).KIND if isinstance(entry, str) else entry


def kinds() -> Iterator[Kind]:
    """All kinds, in the order of the table."""
    return map(kind, KINDS)


def kind_of_model(name: str, options: Mapping | None = None) -> Kind:
    """The kind that a model built under this name is, with these options.

    raises UnknownNameError for a name that no kind has
    """
    found = next((each for each in kinds() if isinstance(name, str) and name in each.models), None)
    if found is None:
        raise UnknownNameError("model", name, [model for each in kinds() for model in each.models])
    other = found.models[name].kind_for
    return kind(other(options)) if other and options else found


def architecture(name: str) -> Architecture:
    """The model of this name. Raises UnknownNameError likewise."""
    return kind_of_model(name).models[name]


def generating() -> str:
    """The kinds whose models generate images, for messages: "GANs and VAEs"."""
    return " and ".join(each.plural for each in kinds() if each.sample)
