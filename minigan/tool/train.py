"""`minigan train`: from names to a run folder."""

import shlex

import click

from minigan import devices, models
from minigan import gan as gans
from minigan.data import Augment, Dataset, load
from minigan.errors import UnknownNameError
from minigan.tool.downloads import Downloads
from minigan.tool.words import text_of_shape
from minigan.training.errors import Interrupted
from minigan.training.folder import REPORT, WEIGHTS, RunFolder, numbered

FOLDER_SIZE = 32  # pixels that a folder's images are resized to unless told otherwise


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
    learning_rate,
    threads,
    device,
    out,
    force,
):
    """Train, showing how it goes, and say where everything is. The arguments are the command's options."""
    check_device(device)
    if model not in models.available():
        raise UnknownNameError("model", model, models.available())
    augment = parse_augment(augment)
    if out:
        RunFolder(out).check_free(force)
    set_threads(threads)
    dataset = load_data(source, data_dir, size, channels)
    gan = models.build(model, dataset.shape, seed)
    length = f"{epochs} epochs" if epochs else f"{steps or gan.first_run[0]} steps"
    out = out or numbered("runs", f"{model}-{dataset.name}".replace("/", "-"))
    click.echo(announcement(model, dataset, length, seed, out))
    try:
        gans.fit(
            gan,
            dataset,
            steps=steps,
            epochs=epochs,
            batch=batch,
            seed=seed,
            learning_rate=learning_rate,
            augment=augment,
            device=device,
            callbacks=[gans.Progress()],
            out=out,
            force=force,
        )
    except Interrupted:
        farewell(out)
        raise
    farewell(out)


def check_device(device: str) -> None:
    """Raise UnknownNameError for no device, DeviceError for one that cannot be used here."""
    devices.on(device)


def parse_augment(text: str | None) -> Augment | None:
    """Augment from "flip,shift=2,crop=4"; None where nothing is asked for."""
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
    """Use so many cores, all unless given."""
    if threads:
        import threadpoolctl

        from minigan.kernels.cpu import threads as ours

        ours.set_threads(threads)
        threadpoolctl.threadpool_limits(threads)


def load_data(source: str, data_dir: str | None, size: int | None, channels: str | None) -> Dataset:
    """The training images of a source, with a word on any download."""
    from minigan.data import available

    named = {listing.name for listing in available()}
    size = FOLDER_SIZE if size is None and source not in named else size
    with Downloads() as downloads:
        return load(
            source, data_dir, size=size, channels=None if channels is None else int(channels), report=downloads.report
        )


def announcement(model: str, dataset: Dataset, length: str, seed: int, out) -> str:
    """What is about to happen, in two lines."""
    images = f"{len(dataset):,} images of {text_of_shape(dataset.shape)}"
    return f"{model} on {dataset.name}: {images}, {length}, seed {seed}\nrun folder: {out}"


def farewell(out) -> None:
    """Where everything is, and what to do with it."""
    folder = RunFolder(out)
    for title, name in (("report: ", REPORT), ("weights:", WEIGHTS)):
        if (folder / name).is_file():
            click.echo(f"{title} {folder / name}")
    if (folder / WEIGHTS).is_file():
        click.echo(f"more images: minigan sample {shlex.quote(str(out))} --count 64 --out samples.png")
