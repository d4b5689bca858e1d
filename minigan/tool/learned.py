"""Which images a run learned from, and whether those that a command has are the same."""

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
class Learned:
    """What a run's config.json records of its images.

    run: the run's folder
    title: what notes call the run
    name: what the images are called
    identity: what they are; None where the run is older than such records
    count: how many of them the run learned from
    """

    run: str
    title: str
    name: str
    identity: Identity | None
    count: int

    @classmethod
    def of(cls, run: str | os.PathLike, config: dict, title: str = "the run") -> Learned:
        """From the folder of a run and its config.json."""
        identity = Identity.of(config.get("dataset"))
        return cls(str(run), title, config.get("data", "images"), identity, config.get("images", 0))

    def __str__(self) -> str:
        return self.name if self.identity is None else str(self.identity)

    def source(self, given: str | None, data_dir: str | None) -> tuple[str, str | None]:
        """The source that was asked for, or that of the same images; and where its files are, if not in the cache.

        raises RunError where it is not known what the same images are, or they are no longer there
        """
        if given is not None:
            return given, data_dir
        say = "say where its images are (--data SOURCE)"
        if self.identity is None:
            raise RunError(f"{self.run}: config.json calls its images {self.name}, which may be any; {say}")
        kind, path = self.identity.kind, self.identity.path
        is_set = kind in SOURCES
        if is_set and data_dir is not None:
            return kind, data_dir
        if path is None and not is_set:
            raise RunError(f"{self.run}: learned from {self}; {say}")
        if path is not None and not Path(path).exists():
            say = "say where its files are (--data-dir DIR)" if is_set else say
            raise RunError(f"{self.run}: learned from {self}, which is no longer there; {say}")
        return (kind, path) if is_set else (path, data_dir)

    def check_classes(self, dataset: Dataset) -> None:
        """Raise RunError where a classifier's classes are not those that the labels of a set mean."""
        if self.identity is None or dataset.labels is None or self.identity.classes == dataset.classes:
            return
        known, given = (named(classes, 10) or "none" for classes in (self.identity.classes, dataset.classes))
        raise RunError(
            f"{self.run}: the classifier knows the classes {known}, but the classes of {dataset.identity} are {given}"
        )


def real_images(source: str, data_dir: str | None, shape: tuple[int, int, int]) -> tuple[Dataset, Dataset]:
    """The training and the test images of a source, in a shape."""
    named = {listing.name: listing.shape for listing in available()}
    size = None if named.get(source) == tuple(shape) else tuple(shape[:2])
    with Downloads() as downloads:
        how = {"report": downloads.report, "skip_unreadable": skip_unreadable()}
        return load_splits(source, data_dir, size=size, channels=shape[2], **how)


def say_notes(parties: list[Learned], train: Dataset | None, figures: bool = True) -> None:
    """Print what a reader of figures has to know of where images come from; without figures, only how they differ.

    parties: the runs that it is about; train: the images that they meet, None where they meet none
    """
    for note in (*differences(parties, train), *(parts(parties, train) if train and figures else ())):
        click.echo(f"note: {note}")
    if train is not None and train.left_out:
        click.echo(f"note: {train.name}: left out {train.left_out.words()}")


def differences(parties: list[Learned], train: Dataset | None) -> Iterator[str]:
    """What runs learned from, where that differs or is not known."""
    for party in parties:
        if party.identity is None:
            yield (
                f"config.json of {party.run} calls its images {party.name} and does not record which these are, so "
                "nothing tells whether they are the same"
            )
    known = [party for party in parties if party.identity is not None]
    if not _same(known, train):
        yield _difference(known, train)


def parts(parties: list[Learned], train: Dataset) -> Iterator[str]:
    """Which runs learned from more or fewer of the same images."""
    known = [party for party in parties if party.identity is not None]
    for party in known if _same(known, train) else ():
        if party.count > len(train):
            yield f"{party.title} learned from {party.count:,} images, the test images among them"
        elif party.count < len(train):
            yield f"{party.title} learned from {party.count:,} of these {len(train):,} images"


def _same(known: list[Learned], train: Dataset | None) -> bool:
    identities = [party.identity for party in known] + ([] if train is None else [train.identity])
    return all(identity.same(identities[0]) for identity in identities)


def _difference(parties: list[Learned], train: Dataset | None) -> str:
    """Who learned from what, and how two of one name differ."""
    first, *others = parties
    said = ", ".join([f"{first.title} learned from {first}", *(f"{party.title} from {party}" for party in others)])
    identities = [party.identity for party in parties]
    if train is not None:
        said += f"; here {'both meet' if others else 'it meets'} {train.identity}"
        identities.append(train.identity)
    if len({str(identity) for identity in identities}) < len({identity.digest for identity in identities}):
        counts = sorted({identity.count for identity in identities})
        sizes = f" ({' and '.join(f'{count:,}' for count in counts)} of them)" if len(counts) > 1 else ""
        said += f"; images of one name{sizes} are not the same images here, or have changed"
    if len({identity.classes for identity in identities}) > 1:
        said += "; the classes differ"
    return said


def usual_judge(learned: Learned) -> Path | None:
    """A classifier of a run's images among those that `minigan train cnn` leaves; None where there is none.

    One of images of the same name comes first, then any of the same images, whatever they were called.
    """
    if learned.identity is None:
        return None
    name = "cnn-" + learned.name.replace("/", "-")
    runs = sorted(Path("runs").glob("cnn-*"), key=lambda run: (not run.name.startswith(name), natural(run.name)))
    for run in runs:
        with contextlib.suppress(RunError):  # a folder that is no run, or a damaged one, is no judge
            identity = Identity.of(RunFolder(run).config().get("dataset"))
            if identity and identity.same(learned.identity) and (run / WEIGHTS).is_file():
                return run
    return None


def required_judge(learned: Learned) -> Path:
    """What `usual_judge` finds. Raises RunError where that is nothing."""
    found = usual_judge(learned)
    if found is None:
        raise RunError(
            f"there is no classifier of {learned} in runs to judge images by; train one, `minigan train cnn "
            f"{_options_of(learned)}`, or say where one is (--classifier RUN)"
        )
    return found


def _options_of(learned: Learned) -> str:
    """The options that make a command use the images of a run, quoted for a shell."""
    kind, path = (learned.identity.kind, learned.identity.path) if learned.identity else (learned.name, None)
    place = None if path is None else shlex.quote(os.path.relpath(path))
    if kind in SOURCES:
        return f"--data {kind}" + (f" --data-dir {place}" if place else "")
    return f"--data {place or 'SOURCE'}"
