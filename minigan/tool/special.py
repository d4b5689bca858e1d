"""The options of `minigan train` that only some models have."""

from __future__ import annotations

from collections.abc import Callable

import click

from minigan.models.deconvnet import CLASSIFICATION

DECONVNET = ("task", "filters", "kernel", "depth", "adversarial", "features")
CLASSIFIERS = ("cnn", "deconvnet")


def split(model: str, special: dict) -> tuple[Callable[..., dict], dict]:
    """What the model is built with, and what its `fit` is told besides.

    special: option -> what was given, None where nothing was
    returns: a function of the data set that gives the options of `models.build`, and the settings of `fit`
    raises click.UsageError for an option that the model does not have
    """
    given = {name: value for name, value in special.items() if value is not None}
    if model != "deconvnet" and given:
        raise click.UsageError(f"--{next(iter(given))} is an option of deconvnet; {model} has none such.")
    classifies = model == "cnn" or given.get("task") == CLASSIFICATION
    refused = "adversarial" if classifies else "features"
    if refused in given:
        raise click.UsageError(
            "--adversarial is for restoring images; a classifier has no use for it."
            if classifies
            else "--features is for --task classification: it says whose features tell the classes apart."
        )
    how_trained = {}
    if "features" in given:
        from minigan import restoration

        how_trained["features"] = restoration.load(given.pop("features"))
    weight = given.pop("adversarial", 0)
    if weight:
        how_trained["adversarial"] = weight
        given["adversarial"] = True

    def how_built(dataset):
        return {**given, "classes": max(2, len(dataset.classes))} if classifies else given

    return how_built, how_trained
