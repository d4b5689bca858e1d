"""The images that a run was trained on, and whether a command's images are the same."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from minigan.data import Dataset, available
from minigan.data.dataset import Identity, named
from minigan.data.sources import SOURCES, load_splits
from minigan.data.splits import natural
from minigan.errors import RunError
from minigan.tool.options import skip_unreadable
from minigan.training.callbacks import Downloads
from minigan.training.folder import WEIGHTS, RunFolder


@dataclass(frozen=True)
class TrainingData:
    """A run's record of its training images, from config.json.

    run: the run's folder
    title: the name of the run in notes
    name: the name of the images
    identity: the record of their content; None if the run is too old to have one
    count: the number of images that the run was trained on
    """

    run: str
    title: str
    name: str
    identity: Identity | None
    count: int

    @classmethod
    def of(cls, run: str | os.PathLike, config: dict, title: str = "the run") -> TrainingData:
        """Create it from a run's folder and config.json."""
        identity = Identity.of(config.get("dataset"))
        return cls(str(run), title, config.get("data", "images"), identity, config.get("images", 0))

    def __str__(self) -> str:
        return self.name if self.identity is None else str(self.identity)

    def source(self, given: str | None, data_dir: str | None) -> tuple[str, str | None]:
        """Return the given source, or else the run's own, and the folder of its files if not the cache.

        raises RunError if the run's own source is unknown or no longer there
        """
        if given is not None:
            return given, data_dir
        say = "give its images (--data SOURCE)"
        if self.identity is None:
            raise RunError(f"{self.run}: config.json records only the name of its images, {self.name}; {say}")
        kind, path = self.identity.kind, self.identity.path
        is_set = kind in SOURCES
        if is_set and data_dir is not None:
            return kind, data_dir
        if path is None and not is_set:
            raise RunError(f"{self.run}: was trained on {self}; {say}")
        if path is not None and not Path(path).exists():
            say = "give the folder of its files (--data-dir DIR)" if is_set else say
            raise RunError(f"{self.run}: was trained on {self}, which is no longer there; {say}")
        return (kind, path) if is_set else (path, data_dir)

    def check_classes(self, dataset: Dataset) -> None:
        """Raise RunError if a classifier's classes differ from the dataset's."""
        if self.identity is None or dataset.labels is None or self.identity.classes == dataset.classes:
            return
        known, given = (named(classes, 10) or "none" for classes in (self.identity.classes, dataset.classes))
        raise RunError(
            f"{self.run}: the classifier has the classes {known}, but the classes of {dataset.identity} are {given}"
        )


def real_images(source: str, data_dir: str | None, shape: tuple[int, int, int]) -> tuple[Dataset, Dataset]:
    """Load the training and test images of a source, resized to a shape."""
    named = {listing.name: listing.shape for listing in available()}
    size = None if named.get(source) == tuple(shape) else tuple(shape[:2])
    with Downloads() as downloads:
        how = {"report": downloads.report, "skip_unreadable": skip_unreadable()}
        return load_splits(source, data_dir, size=size, channels=shape[2], **how)


def say_notes(parties: list[TrainingData], train: Dataset | None, figures: bool = True) -> None:
    """Print caveats about the images that runs were trained on and are evaluated with.

    parties: the runs
    train: the dataset that the command uses, or None
    figures: whether to also report runs that were trained on more or fewer of these images
    """
    for note in (*differences(parties, train), *(parts(parties, train) if train and figures else ())):
        click.echo(f"note: {note}")
    if train is not None and train.left_out:
        click.echo(f"note: {train.name}: left out {train.left_out.words()}")


def differences(parties: list[TrainingData], train: Dataset | None) -> Iterator[str]:
    """Yield notes on runs whose training images are unknown or differ."""
    for party in parties:
        if party.identity is None:
            yield (
                f"config.json of {party.run} records only the name of its images, {party.name}, so they may not be the "
                "same"
            )
    known = [party for party in parties if party.identity is not None]
    if not _same(known, train):
        yield _difference(known, train)


def parts(parties: list[TrainingData], train: Dataset) -> Iterator[str]:
    """Yield notes on runs that were trained on more or fewer of the same images."""
    known = [party for party in parties if party.identity is not None]
    for party in known if _same(known, train) else ():
        if party.count > len(train):
            yield f"{party.title} was trained on {party.count:,} images, including the test images"
        elif party.count < len(train):
            yield f"{party.title} was trained on {party.count:,} of these {len(train):,} images"


def _same(known: list[TrainingData], train: Dataset | None) -> bool:
    identities = [party.identity for party in known] + ([] if train is None else [train.identity])
    return all(identity.same(identities[0]) for identity in identities)


def _difference(parties: list[TrainingData], train: Dataset | None) -> str:
    """Describe which images each run was trained on, and how datasets of the same name differ."""
    first, *others = parties
    words = ", ".join([f"{first.title} was trained on {first}", *(f"{party.title} on {party}" for party in others)])
    identities = [party.identity for party in parties]
    if train is not None:
        words += f"; this command uses {train.identity}"
        identities.append(train.identity)
    if len({str(identity) for identity in identities}) < len({identity.digest for identity in identities}):
        counts = sorted({identity.count for identity in identities})
        sizes = f" ({' and '.join(f'{count:,}' for count in counts)} of them)" if len(counts) > 1 else ""
        words += f"; these datasets have the same name but different images{sizes}, or the images have changed"
    if len({identity.classes for identity in identities}) > 1:
        words += "; the classes differ"
    return words


def usual_judge(data: TrainingData) -> Path | None:
    """Find a run of `minigan train cnn` on the same images; None if there is none.

    Runs on images of the same name come first, then runs on the same images under another name.
    """
    if data.identity is None:
        return None
    name = "cnn-" + data.name.replace("/", "-")
    runs = sorted(Path("runs").glob("cnn-*"), key=lambda run: (not run.name.startswith(name), natural(run.name)))
    for run in runs:
        with contextlib.suppress(RunError):  # skip folders that are not runs, and damaged runs
            identity = Identity.of(RunFolder(run).config().get("dataset"))
            if identity and identity.same(data.identity) and (run / WEIGHTS).is_file():
                return run
    return None


def required_judge(data: TrainingData) -> Path:
    """Return what `usual_judge` finds. Raises RunError if it finds nothing."""
    found = usual_judge(data)
    if found is None:
        raise RunError(
            f"the folder runs has no classifier of {data}; train one (`minigan train cnn {_options_of(data)}`) "
            "or give one (--classifier RUN)"
        )
    return found


def _options_of(data: TrainingData) -> str:
    """Return the options that make a command use the images of a run, quoted for a shell."""
    kind, path = (data.identity.kind, data.identity.path) if data.identity else (data.name, None)
    place = None if path is None else shlex.quote(os.path.relpath(path))
    if kind in SOURCES:
        return f"--data {kind}" + (f" --data-dir {place}" if place else "")
    return f"--data {place or 'SOURCE'}"
