"""`minigan ask` and `minigan answers`: people judge a run's images."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from minigan.errors import DataError, RunError
from minigan.evaluation.answers import answered, words
from minigan.evaluation.people import page
from minigan.tool.evaluate import check_files, echo_after, write_figures
from minigan.tool.options import check_new_file
from minigan.tool.sample import generating_kind, samples
from minigan.tool.training_data import TrainingData, real_images, say_notes
from minigan.training import files
from minigan.training.folder import RunFolder


def ask(folder, out, count, source, data_dir, seed, seconds, examples):
    """Write a page that mixes a run's images with test images. The arguments are the command's options.

    raises RunError if the model generates no images or the file cannot be written; DataError if there are too few real
        images
    """
    path = _page_file(out)
    config = RunFolder(folder).config()
    generating_kind(folder, config)  # refuses other kinds before any image is loaded
    run_data = TrainingData.of(folder, config)
    source, data_dir = run_data.source(source, data_dir)
    made = samples(folder, count, seed)
    train, test = real_images(source, data_dir, made.shape[1:])
    say_notes([run_data], train)
    rng = np.random.default_rng(seed)
    real = _draw(test, count, rng, "test")
    shown = _draw(train, min(examples, len(train)), rng, "training")
    files.write(path, page(made, real, seed, seconds, train.name, shown).encode())
    click.echo(f"{count} test images of {train.name} and {count} of {folder} in {path}; open it in a browser")
    click.echo("summarise the files that people save there with: minigan answers FILE FILE ...")


def summarise(saved, file):
    """Print a summary of people's answers, and write it to a file if one is named."""
    check_files(file, None)
    found = answered(saved)
    with echo_after(words(found)):
        write_figures(file, found.plain())


def _page_file(out):
    """Return the page's path. Raises RunError, before any work is done, if it cannot be written there."""
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise RunError(f"--out {out}: the file's name must end in .html")
    check_new_file("--out", path)
    return path


def _draw(dataset, count, rng, kind):
    """Draw `count` images of a dataset without replacement."""
    if count > len(dataset):
        raise DataError(f"{dataset.name}: --count asks for {count} {kind} images, but there are {len(dataset)}")
    return dataset.images[rng.choice(len(dataset), count, replace=False)]
