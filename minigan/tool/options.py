"""Types of command options, options that several commands share, and the options of `minigan train`."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path

import click

from minigan.errors import RunError
from minigan.training import files

FORCE = "minigan.force"


class Place(click.ParamType):
    """A path or a name. A leading ~ is expanded even where the shell does not expand it (--out=~/x)."""

    name = "path"

    def convert(self, value, param, ctx):
        if not value.strip():
            self.fail("the value is empty.", param, ctx)
        place = os.path.expanduser(value)
        if place.startswith("~"):
            self.fail(
                f"{value!r}: there is no such home folder; if a file here has this name, write ./{value}.",
                param,
                ctx,
            )
        try:
            os.stat(place)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                self.fail("the name is too long.", param, ctx)
        except ValueError:  # a NUL or a lone surrogate
            self.fail(f"{value!r} cannot be the name of a file.", param, ctx)
        return place


class Real(click.FloatRange):
    """A finite number in a range. (Click accepts NaN in every range.)"""

    def convert(self, value, param, ctx):
        if not math.isfinite(number := super().convert(value, param, ctx)):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


class Whole(click.IntRange):
    """An integer in a range. Without an upper end of its own, the range ends at LARGEST."""

    LARGEST = 2**31 - 1

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if self.max is None and number > self.LARGEST:
            self.fail(f"{number} is too large.", param, ctx)
        return number


PLACE = Place()
POSITIVE = Whole(1)
SEED = Whole(0)
SEED.LARGEST = 2**63 - 1  # a seed is not a count, so it may be larger


class SectionedCommand(click.Command):
    """A command whose help lists options under the headings set by `section`, with --help last."""

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
    """Return a decorator that adds options to a command, under one heading in its help."""

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
    help="Replace existing files.",
)


def forced() -> bool:
    """Return whether the current command was called with --force."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(FORCE, False)


def check_new_file(option: str, path: str | os.PathLike) -> None:
    """Raise RunError, before any work is done, if a file cannot be written there or must not be replaced."""
    path = Path(path)
    if path.is_dir():
        raise RunError(f"{option} {path}: this is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise RunError(f"{option} {path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        raise RunError(f"{option} {path}: this is not a regular file, so it cannot be replaced")
    files.check_writable(path, path.parent)
    if path.exists() and not forced():
        raise RunError(f"{option} {path}: already exists; choose another name or replace it (--force)")


KEY = "minigan.skip_unreadable"

skip_unreadable_option = click.option(
    "--skip-unreadable",
    is_flag=True,
    expose_value=False,
    callback=lambda context, parameter, value: context.meta.__setitem__(KEY, value),
    help="Skip unreadable images in a folder.",
)


def skip_unreadable() -> bool:
    """Return whether the current command was called with --skip-unreadable."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(KEY, False)


OBJECTIVES = "minimax", "non-saturating", "least-squares", "hinge", "wasserstein"
RATE, SHARE, AMOUNT = Real(min=0, min_open=True), Real(min=0, max=1, max_open=True), Real(min=0)

DATA = section(
    "Data and length",
    click.option(
        "--data",
        "source",
        type=PLACE,
        default="glyphs",
        metavar="SOURCE",
        help="A dataset listed by `minigan data`, or the path of a folder or archive [glyphs].",
    ),
    click.option("--data-dir", type=PLACE, metavar="DIR", help="Read the dataset's files from DIR; download nothing."),
    skip_unreadable_option,
    click.option("--size", type=POSITIVE, metavar="N", help="Resize images to N x N pixels [as the model needs]."),
    click.option("--channels", type=click.Choice(["1", "3"]), help="Convert images to grey (1) or colour (3)."),
    click.option("--augment", metavar="LIST", help="Augment images at random: flip,shift=N,crop=N (N in pixels)."),
    click.option("--steps", type=POSITIVE, metavar="N", help="Train for N steps [a few minutes on two cores]."),
    click.option("--epochs", type=POSITIVE, metavar="N", help="Train for N passes over the data instead."),
    click.option("--batch", type=POSITIVE, metavar="N", help="Train on batches of N images [the model's default]."),
    click.option(
        "--seed", type=SEED, default=0, metavar="N", help="The random seed; the same seed gives the same weights."
    ),
)
RUN = section(
    "Run and machine",
    click.option("--out", type=PLACE, metavar="DIR", help="Write the run to DIR [runs/MODEL-SOURCE, numbered]."),
    click.option("--force", is_flag=True, help="Replace the run in --out once the new one is complete."),
    click.option("--threads", type=POSITIVE, metavar="N", help="Use N processor cores [all]."),
    click.option("--device", default="cpu", metavar="NAME", help="Train on cpu, cuda or sim [cpu]."),
)
OPTIMISER = section(
    "Learning rate",
    click.option("--learning-rate", type=RATE, metavar="X", help="Set the learning rate of all networks."),
)
RECIPE = section(
    "GANs: the recipe [each model has its own defaults]",
    click.option("--objective", metavar="NAME", help=f"Train with this objective: {', '.join(OBJECTIVES)}."),
    click.option("--optimiser", type=click.Choice(["adam", "rmsprop"]), help="Train both players with this optimiser."),
    click.option("--generator-rate", type=RATE, metavar="X", help="Set only the generator's learning rate."),
    click.option("--discriminator-rate", type=RATE, metavar="X", help="Set only the discriminator's learning rate."),
    click.option("--betas", type=SHARE, nargs=2, metavar="X X", help="Set Adam's two decay rates."),
    click.option(
        "--critic-steps", type=POSITIVE, metavar="N", help="Train the discriminator N times for each generator step."
    ),
    click.option("--gradient-penalty", type=AMOUNT, metavar="X", help="Set the weight of WGAN-GP's penalty; 0 is off."),
    click.option("--r1", type=AMOUNT, metavar="X", help="Set the gamma of the R1 penalty; 0 is off."),
    click.option("--clip", type=AMOUNT, metavar="X", help="Clip the discriminator's weights to [-X, X]; 0 is off."),
    click.option("--label-smoothing", type=SHARE, metavar="X", help="Label real images 1 - X instead of 1."),
    click.option(
        "--instance-noise",
        type=AMOUNT,
        metavar="X",
        help="Add noise to images; its standard deviation falls from X to 0.",
    ),
    click.option(
        "--ema",
        type=SHARE,
        metavar="X",
        help="Average the generator's weights with decay X; 0 is off.",
    ),
    click.option(
        "--spectral-norm/--no-spectral-norm",
        default=None,
        help="Apply spectral norm to the discriminator's weights.",
    ),
    click.option(
        "--minibatch-std/--no-minibatch-std",
        default=None,
        help="Give the discriminator the batch's standard deviation.",
    ),
)
GANS = section(
    "GANs: initial weights and GPU settings",
    click.option("--from", "start", type=PLACE, metavar="RUN", help="Start from the weights of a run, where they fit."),
    click.option("--freeze", metavar="NAMES", help="Do not train these parts, for example generator.0,discriminator."),
    click.option("--precision", metavar="NAME", help="Multiply on the GPU in float32, tf32 or bf16 [float32]."),
    click.option("--captured", is_flag=True, default=None, help="Launch each step on the GPU as one CUDA graph."),
)
DECONVNET = section(
    "deconvnet",
    click.option("--task", metavar="NAME", help="Train for super-resolution, completion, denoising or classification."),
    click.option(
        "--adversarial", type=AMOUNT, metavar="X", help="Add an adversarial term of weight X to the loss [0]."
    ),
    click.option("--filters", type=POSITIVE, metavar="N", help="Use N channels between layers [32]."),
    click.option("--kernel", type=POSITIVE, metavar="N", help="Use kernels of N x N pixels [3]."),
    click.option("--depth", type=POSITIVE, metavar="N", help="Use N convolutions and N transposed ones [1]."),
    click.option(
        "--features",
        type=PLACE,
        metavar="RUN",
        help="Classify with the hidden layers of a run's network, and train only the last layer.",
    ),
)


def train_options(command):
    """Add all of these options to a command."""
    for options in (DECONVNET, GANS, RECIPE, OPTIMISER, RUN, DATA):
        command = options(command)
    return command
