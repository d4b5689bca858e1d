"""`minigan compare`: which of two GANs is better, by their discriminators swapped."""

from __future__ import annotations

from collections.abc import Iterator

import click

from minigan import evaluation, gan
from minigan.data import Dataset
from minigan.evaluation import Swapped
from minigan.evaluation.intervals import percent
from minigan.models import GAN
from minigan.tool.evaluate import check_files, keep, known_source, real_images
from minigan.tool.words import table
from minigan.training.errors import RunError
from minigan.training.folder import RunFolder


def run(first, second, count, source, data_dir, seed, statistics, file):
    """Swap the discriminators of two runs and say what was found. The arguments are the command's options.

    raises RunError where one is no run of a GAN, or it is not said which test images are meant; DataError where they
        are not there; ShapeError for runs of images of two shapes
    """
    check_files(file, None)
    runs = first, second
    configs = [RunFolder(run).config() for run in runs]
    gans = [loaded(run, config) for run, config in zip(runs, configs, strict=True)]
    source = source or common(runs, configs)
    train, test = real_images(source, data_dir, gans[0].image_shape)
    for note in notes(runs, configs, train):
        click.echo(f"note: {note}")
    found = evaluation.swapped(*gans, test, count, seed, learned=train, statistics=statistics)
    click.echo(text_of(found, first, second))
    keep(file, {"runs": list(runs), "data": train.name, "seed": seed, "statistics": statistics, **found.plain()})


def loaded(run: str, config: dict) -> GAN:
    """The GAN of a run, with the objective that it was trained by. Raises RunError for a run of another kind."""
    kind = config.get("kind", "gan")
    if kind != "gan":
        raise RunError(f"{run}: a run of a {kind}, which has no discriminator to swap; runs of GANs have")
    model = gan.load(run)
    model.recipe = model.recipe.changed(objective=config.get("recipe", {}).get("objective"))
    return model


def common(runs: tuple[str, str], configs: list[dict]) -> str:
    """The data that both runs learned from. Raises RunError where these are two, or in no list."""
    first, second = (config.get("data") for config in configs)
    if first != second:
        raise RunError(f"{runs[0]} learned from {first} and {runs[1]} from {second}; say whose test images (--data)")
    return known_source(runs[0], configs[0])


def notes(runs: tuple[str, str], configs: list[dict], train: Dataset) -> Iterator[str]:
    """What a reader of the verdict has to know of where the images come from."""
    first, second = (config.get("data") for config in configs)
    if len({first, second, train.name}) > 1:
        yield f"{runs[0]} learned from {first}, {runs[1]} from {second}; here both meet {train.name}"
        return
    for run, config in zip(runs, configs, strict=True):
        if config.get("images", 0) > len(train):
            yield f"{run} learned from {config['images']:,} images, the test images among them"


def text_of(found: Swapped, first: str, second: str) -> str:
    """A table of what either discriminator is wrong about, and the verdict."""
    rows = [("wrong about, 95% interval", f"discriminator of {first}", f"of {second}")]
    rates = [("test images", *found.test)]
    rates += [(f"images of {name}", *(row[of] for row in found.made)) for of, name in enumerate((first, second))]
    for what, *errors in rates:
        rows.append((f"{errors[0].count:,} {what}", *(f"{percent(of.rate)} ({of.interval})" for of in errors)))
    return f"{table(rows)}\n\n{found.words(first, second)}"
