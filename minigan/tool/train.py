"""`minigan train`: train a model by name and write a run folder."""

import contextlib
import shlex
import signal
from pathlib import Path

import click

import minigan
from minigan import devices, models
from minigan.data import Augment, Dataset, available, load, load_splits
from minigan.data.dataset import counted
from minigan.data.sources import SOURCES
from minigan.errors import Interrupted
from minigan.kinds import Kind, architecture, kind_of_model, kinds
from minigan.kinds import kind as kind_named
from minigan.tool.options import skip_unreadable
from minigan.training import Progress
from minigan.training.callbacks import Downloads
from minigan.training.folder import REPORT, WEIGHTS, RunFolder, make_numbered

CTRL_C = {signal.SIGINT: "Ctrl-C"}
FOLDER_SIZE = 32  # pixels that a folder's images are resized to by default


def run(
    model,
    source,
    data_dir,
    steps,
    epochs,
    batch,
    seed,
    size,
    channels,
    augment,
    threads,
    device,
    out,
    force,
    **special,
):
    """Train with a progress bar, and print where everything is. The arguments are the command's options.

    special: the options that only some models have
    """
    devices.on(device)
    kind, built, trained = split(model, special)
    augment = parse_augment(augment)
    if out:
        RunFolder(out).check_free(force)
    set_threads(threads)
    dataset, test = load_data(source, data_dir, size or usual_size(model, source), channels, splits=kind.holds_out)
    if test is not None:
        trained["test"] = test
    model = models.build(model, dataset.shape, seed, **built, **classes(kind, model, dataset))
    length = {
        "steps": steps,
        "epochs": epochs,
        "batch": batch,
        "seed": seed,
        "augment": augment,
        "device": device,
        "force": force,
    }
    with folder_of_run(out, run_name(model, dataset)) as out:
        click.echo(announcement(model.name, dataset, text_of_length(model, steps, epochs), seed, out))
        try:
            kind.fit(model, dataset, callbacks=[Progress()], out=out, **length, **trained)
        except Interrupted as stopped:
            print_results(out)
            done = f"after step {stopped.step}; everything so far is saved"
            click.echo(f"stopped by {CTRL_C.get(stopped.signal, stopped.signal.name)} {done}", err=True)
            raise click.exceptions.Exit(128 + stopped.signal) from stopped
    print_results(out)


@contextlib.contextmanager
def folder_of_run(out, name):
    """Yield the named folder, or else create a numbered one and remove it afterwards if it stays empty."""
    if out:
        yield out
        return
    made = make_numbered("runs", name)
    try:
        yield str(made)
    finally:
        for folder in (made, made.parent):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def run_name(model, dataset: Dataset) -> str:
    """Return the default name of a run's folder: the model, its task if it has one, the data."""
    parts = model.name, getattr(model, "options", {}).get("task"), dataset.name
    return "-".join(part for part in parts if part).replace("/", "-")


def text_of_length(model, steps: int | None, epochs: int | None) -> str:
    """Describe the length of a run: as given, or else the model's default."""
    if epochs or not steps:
        epochs = epochs or getattr(model, "first_epochs", None)
    return counted(epochs, "epoch") if epochs else counted(steps or model.first_run[0], "step")


def split(model: str, special: dict) -> tuple[Kind, dict, dict]:
    """Return a model's kind, the options to build it with, and the extra arguments of the kind's `fit`.

    special: option -> value, or None if it was not given
    raises UnknownNameError for an unknown model, click.UsageError for an option that it does not have
    """
    given = {name: value for name, value in special.items() if value is not None}
    own = architecture(model)
    kind = kind_of_model(model, given)
    for name in given:
        if name not in own.options and name not in kind.settings:
            _refuse(name, model)
    if kind.name == "classifier" and "adversarial" in given:
        raise click.UsageError("--adversarial applies to image restoration, not to classification.")
    built = {name: given[name] for name in own.options if name in given}
    if "adversarial" in built:  # an option of the network, and a weight in its loss
        built["adversarial"] = built["adversarial"] > 0
    return kind, built, kind.from_command({name: given[name] for name in kind.settings if name in given})


def _refuse(name, model):
    flag = {"start": "--from"}.get(name, "--" + name.replace("_", "-"))
    if name == "features" and "task" in architecture(model).options:
        raise click.UsageError(
            "--features applies to --task classification: it names the run whose features are classified."
        )
    owners = [each for kind in kinds() for each, own in kind.models.items() if name in own.options]
    owners = owners or [kind.plural for kind in kinds() if name in kind.settings]
    raise click.UsageError(f"{flag} is an option of {' and '.join(owners)}, not of {model}.")


def classes(kind: Kind, model: str, dataset: Dataset) -> dict:
    """Return the number of classes as an option of `models.build`, if the model needs it."""
    if not kind.uses_labels or not architecture(model).classes:
        return {}
    return kind.trainer.options(dataset.labels, {}, {"names": dataset.classes})


def parse_augment(text: str | None) -> Augment | None:
    """Parse "flip,shift=2,crop=4" into an Augment; None for an empty text."""
    if not text:
        return None
    changes = {}
    for word in text.split(","):
        name, _, pixels = (part.strip() for part in word.partition("="))
        if name == "flip" and not pixels:
            changes[name] = True
        elif name in ("shift", "crop") and pixels.isdecimal():
            changes[name] = int(pixels)
        else:
            raise click.BadParameter(
                f"{word.strip()!r} is not flip, shift=N or crop=N (pixels).", param_hint="--augment"
            )
    return Augment(**changes)


def set_threads(threads: int | None) -> None:
    """Use this many cores. None keeps the default, all of them."""
    if threads:
        import threadpoolctl

        minigan.set_threads(threads)
        threadpoolctl.threadpool_limits(threads)


def usual_size(model: str, source: str) -> int | None:
    """Return the size in pixels that images are resized to by default; None for no resizing."""
    shapes = {listing.name: listing.shape for listing in available()}
    return models.size_for(model, *shapes[source][:2]) if shapes.get(source) else None


def load_data(
    source: str, data_dir: str | None, size: int | None, channels: str | None, splits: bool = False
) -> tuple[Dataset, Dataset | None]:
    """Load a source's training images and, with `splits`, its test images. Shows the progress of downloads."""
    size = FOLDER_SIZE if size is None and source not in SOURCES else size
    if source in SOURCES and data_dir is None and Path(source).is_dir():
        click.echo(
            f"note: {source} is one of minigan's datasets; to use the folder of this name, give --data ./{source}"
        )
    with Downloads() as downloads:
        how = {
            "size": size,
            "channels": None if channels is None else int(channels),
            "report": downloads.report,
            "skip_unreadable": skip_unreadable(),
        }
        return load_splits(source, data_dir, **how) if splits else (load(source, data_dir, **how), None)


def announcement(model: str, dataset: Dataset, length: str, seed: int, out) -> str:
    """Describe the run that begins, in two lines."""
    return f"{model} on {dataset.name}: {dataset.words()}; {length}, seed {seed}\nrun folder: {out}"


def print_results(out) -> None:
    """Print where the report and the weights are, and how to sample images."""
    folder = RunFolder(out)
    for title, name in (("report: ", REPORT), ("weights:", WEIGHTS)):
        if (folder / name).is_file():
            click.echo(f"{title} {folder / name}")
    if (folder / WEIGHTS).is_file() and kind_named(folder.config().get("kind", "gan")).sample:
        click.echo(f"more images: minigan sample {shlex.quote(str(out))} --count 64 --out samples.png")
