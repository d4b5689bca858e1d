"""`minigan ask` and `minigan answers`: people judge a run's images."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from minigan.errors import DataError, RunError
from minigan.evaluation.answers import answered, words
from minigan.evaluation.people import page
from minigan.tool.evaluate import check_files, keep, then_said
from minigan.tool.learned import Learned, real_images, say_notes
from minigan.tool.options import check_new_file
from minigan.tool.sample import generating_kind, samples
from minigan.training import files
from minigan.training.folder import RunFolder


def ask(folder, out, count, source, data_dir, seed, seconds, examples):
    """Write a page that shows a run's images among test images. The arguments are the command's options.

    raises RunError where the run makes no images or the file cannot be written; DataError where there are too few real
        images, or none
    """
    path = _page_file(out)
    config = RunFolder(folder).config()
    generating_kind(folder, config)  # before it is asked where images are
    learned = Learned.of(folder, config)
    source, data_dir = learned.source(source, data_dir)
    made = samples(folder, count, seed)
    train, test = real_images(source, data_dir, made.shape[1:])
    say_notes([learned], train)
    rng = np.random.default_rng(seed)
    real = _drawn(test, count, rng, "test")
    shown = _drawn(train, min(examples, len(train)), rng, "training")
    files.write(path, page(made, real, seed, seconds, train.name, shown).encode())
    click.echo(f"{count} test images of {train.name} and {count} of {folder} in {path}; open it in a browser")
    click.echo("what people save there: minigan answers FILE FILE ...")


def put_together(saved, file):
    """Say what people answered, and write it to a file where one is named."""
    check_files(file, None)
    found = answered(saved)
    with then_said(words(found)):
        keep(file, found.plain())


def _page_file(out):
    """Where the page goes. Raises RunError for a place where it cannot be, before anything is done for it."""
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise RunError(f"--out {out}: the file's name must end in .html")
    check_new_file("--out", path)
    return path


def _drawn(dataset, count, rng, kind):
    """`count` of a set's images, each once."""
    if count > len(dataset):
        raise DataError(f"{dataset.name}: {count} {kind} images are wanted (--count), but there are {len(dataset)}")
    return dataset.images[rng.choice(len(dataset), count, replace=False)]
