"""The options of `minigan train` that only some models have."""

from __future__ import annotations

from collections.abc import Callable

import click

from minigan import models
from minigan.data import Dataset
from minigan.models.deconvnet import CLASSIFICATION

DECONVNET = ("task", "filters", "kernel", "depth", "adversarial", "features")
ALL = ("learning_rate",)


def split(model: str, special: dict) -> tuple[Callable[[Dataset], dict], dict]:
    """The options that build the model, and further arguments of its `fit`.

    special: option -> what was given, None where nothing was
    returns: a function of the data set that gives the options of `models.build`, and the settings of `fit`
    raises UnknownNameError for a model that is not there, click.UsageError for an option that it does not have
    """
    is_gan = models.kind_of(model) == "gan"
    given = {name: value for name, value in special.items() if value is not None}
    for name in given:
        known = name in ALL or (model == "deconvnet" if name in DECONVNET else is_gan)
        if not known:
            _refuse(name, model)
    if is_gan:
        return _by_labels, _of_gan(given)
    return _of_network(model, given)


def _refuse(name, model):
    option = {"start": "--from"}.get(name, "--" + name.replace("_", "-"))
    owner = "deconvnet" if name in DECONVNET else "GANs"
    raise click.UsageError(f"{option} is an option of {owner}; {model} has none such.")


def _by_labels(dataset):
    from minigan.gan.fitting import classes_of

    return {"classes": classes_of(dataset.labels)}


def _of_gan(given):
    if "freeze" in given:
        given["freeze"] = [name.strip() for name in given["freeze"].split(",") if name.strip()]
    return given


def _of_network(model, given):
    """The same for a classifier, a VAE or a deconvnet."""
    how_trained = {name: given.pop(name) for name in ALL if name in given}
    classifies = model == "cnn" or given.get("task") == CLASSIFICATION
    if classifies and "adversarial" in given:
        raise click.UsageError("--adversarial is for restoring images; a classifier has no use for it.")
    if not classifies and "features" in given:
        raise click.UsageError(
            "--features is for --task classification: it says whose features tell the classes apart."
        )
    if "features" in given:
        from minigan import restoration

        how_trained["features"] = restoration.load(given.pop("features"))
    if given.get("adversarial") == 0:
        del given["adversarial"]
    if "adversarial" in given:
        how_trained["adversarial"], given["adversarial"] = given["adversarial"], True

    def how_built(dataset):
        return {**given, "classes": max(2, len(dataset.classes))} if classifies else given

    return how_built, how_trained
