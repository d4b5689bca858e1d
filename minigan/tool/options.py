"""The types of the commands' options, and the options that several commands share."""

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path

import click

from minigan.training import files
from minigan.training.errors import RunError

FORCE = "minigan.force"


class Place(click.ParamType):
    """The path of a file or folder, or a name; ~ is the home folder, also where the shell leaves it (--out=~/x)."""

    name = "path"

    def convert(self, value, param, ctx):
        if not value.strip():
            self.fail("it is empty.", param, ctx)
        place = os.path.expanduser(value)
        if place.startswith("~"):
            self.fail(f"{value!r}: there is no such home folder; ./{value} is what is called so here.", param, ctx)
        try:
            os.stat(place)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                self.fail("the name is too long.", param, ctx)
        except ValueError:  # a NUL, or half a letter
            self.fail(f"{value!r} cannot be the name of a file.", param, ctx)
        return place


class Real(click.FloatRange):
    """A number of a range that is neither infinite nor NaN, which lies in every range."""

    def convert(self, value, param, ctx):
        if not math.isfinite(number := super().convert(value, param, ctx)):
            self.fail(f"{number} is not a number to work with.", param, ctx)
        return number


class Whole(click.IntRange):
    """An integer of a range that ends at LARGEST where it says no other end: beyond, nothing can be counted."""

    LARGEST = 2**31 - 1

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if self.max is None and number > self.LARGEST:
            self.fail(f"{number} is too large.", param, ctx)
        return number


PLACE = Place()
POSITIVE = Whole(1)
SEED = Whole(0)
SEED.LARGEST = 2**63 - 1  # of this one: nothing is counted with it


class SectionedCommand(click.Command):
    """A command whose help lists options under the headings that `section` gave them, and --help last."""

    def format_options(self, ctx, formatter):
        sections: dict[str, list] = {}
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        for option in sorted(options, key=lambda option: not hasattr(option, "heading")):
            if record := option.get_help_record(ctx):
                sections.setdefault(getattr(option, "heading", "Other"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def section(heading: str, *options: Callable) -> Callable:
    """A decorator that adds options to a command, under one heading in its help."""

    def decorate(command):
        for option in reversed(options):
            command = option(command)
            command.__click_params__[-1].heading = heading
        return command

    return decorate


force_option = click.option(
    "--force",
    is_flag=True,
    expose_value=False,
    callback=lambda context, parameter, value: context.meta.__setitem__(FORCE, value),
    help="Replace files that are there.",
)


def forced() -> bool:
    """Whether the present command was called with --force."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(FORCE, False)


def check_new_file(option: str, path: str | os.PathLike) -> None:
    """Raise RunError, before anything is done for it, where a file cannot go there, or one is there and may not go."""
    path = Path(path)
    if path.is_dir():
        raise RunError(f"{option} {path}: a file's name is wanted, and this is a folder")
    if not path.parent.is_dir():
        raise RunError(f"{option} {path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        raise RunError(
            f"{option} {path}: is neither a file nor a new name; files are written whole and then put in place"
        )
    files.check_writable(path, path.parent)
    if path.exists() and not forced():
        raise RunError(f"{option} {path}: is there already; choose another name, or replace it (--force)")


KEY = "minigan.skip_unreadable"

skip_unreadable_option = click.option(
    "--skip-unreadable",
    is_flag=True,
    expose_value=False,
    callback=lambda context, parameter, value: context.meta.__setitem__(KEY, value),
    help="Go on without the images of a folder that cannot be read.",
)


def skip_unreadable() -> bool:
    """Whether the present command was called with --skip-unreadable."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(KEY, False)
