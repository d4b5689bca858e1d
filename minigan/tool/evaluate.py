"""`minigan evaluate`: measure the quality of a run's images."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from minigan import classifier, devices, evaluation
from minigan.data import Dataset
from minigan.errors import RunError
from minigan.evaluation import fid, inception_weights
from minigan.evaluation.adversarial import check_enough
from minigan.evaluation.fid import InceptionEvaluation, cache_folder
from minigan.evaluation.inception_weights import Weights
from minigan.evaluation.intervals import percent
from minigan.evaluation.judging import fitted, words
from minigan.tool.options import check_new_file
from minigan.tool.sample import generating_kind, samples
from minigan.tool.training_data import TrainingData, real_images, required_judge, say_notes, usual_judge
from minigan.training import files
from minigan.training.callbacks import clock
from minigan.training.folder import RunFolder
from minigan.training.grids import grid_png

COLUMNS = 12  # of the picture, in pairs of images


def run(folder, count, judge, source, data_dir, seed, adversarial, file, picture, inception, most, device):
    """Evaluate a run's images and print the results. The arguments are the command's options.

    raises RunError if the model generates no images, or there is neither a classifier nor an Inception network;
        DataError if the real images are missing
    """
    check_files(file, picture)
    weights = load_network(inception, device) if inception else None
    config = RunFolder(folder).config()
    generating_kind(folder, config)  # refuses other kinds before a classifier is looked for
    run_data, model, judge_data = TrainingData.of(folder, config), None, None
    if not judge:
        judge = usual_judge(run_data) if weights else required_judge(run_data)
    if judge:
        model, config = load_judge(judge)
        judge_data = TrainingData.of(judge, config, "the classifier")
    elif adversarial or picture:
        raise RunError("--adversarial and --picture need a classifier; give one (--classifier RUN)")
    source, data_dir = (judge_data or run_data).source(source, data_dir)
    images = samples(folder, count, seed)
    shape = images.shape[1:] if model is None else model.image_shape
    train, test = real_images(source, data_dir, shape)
    if judge_data:
        judge_data.check_classes(train)
    say_notes([run_data, judge_data] if judge_data else [run_data], train)
    for note in (*(notes_on_judge(judge, config) if judge_data else ()), *notes_on_size(images, shape)):
        click.echo(f"note: {note}")
    title = f"{count:,} images of {folder}"
    plain = {"run": folder, "seed": seed, "dataset": train.identity.plain()}
    if model:
        plain["classifier"] = str(judge)

        def save(figures):
            plain.update(figures)
            write_figures(file, plain)

        evaluate_with_classifier(title, images, model, train, test, seed, adversarial, picture, save)
    else:
        click.echo(f"{title}; without a classifier, its measures are skipped (--classifier RUN)")
    if weights:
        if images.shape[1:] != shape:
            train, test = real_images(source, data_dir, images.shape[1:])
        found = evaluate_with_inception(images, weights, train, test, most)
        plain["inception"] = {"file": inception, **found.plain()}
        with echo_after(f"\n{fid.words(found)}"):
            write_figures(file, plain)


@contextlib.contextmanager
def echo_after(text: str) -> Iterator[None]:
    """Print the text at the end of the block, which writes files, even if writing fails."""
    try:
        yield
    finally:
        click.echo(text)


def write_figures(file: str | None, plain: dict) -> None:
    """Write figures to a file as JSON, if one is named."""
    if file:
        files.write(Path(file), (json.dumps(plain, indent=2) + "\n").encode())


def evaluate_with_classifier(title, images, model, train, test, seed, adversarial, picture, save):
    """Evaluate images with a classifier: save the figures, draw the picture, then print the results."""
    if adversarial:
        check_enough(images, test.images)
    judged_of_either = min(map(len, (images, train, test)))
    if judged_of_either < len(images):
        click.echo(f"note: {judged_of_either:,} of the images are evaluated, as there are only that many real ones")
    found = evaluation.evaluate(images, model, train, test, seed)
    with echo_after(words(found, title)):
        save(found.plain())
        if picture:
            files.write(Path(picture), grid_png(found.nearest, COLUMNS))
    if adversarial:
        apart = evaluation.tell_apart(fitted(images, model.image_shape), test.images, seed=seed)
        with echo_after(text_of(apart)):
            save({"adversarial": asdict(apart)})


def check_files(file: str | None, picture: str | None) -> None:
    """Raise RunError, before any work is done, for output files that cannot be written."""
    for option, path in (("--json", file), ("--picture", picture)):
        if path is not None:
            check_new_file(option, path)
    if picture and Path(picture).suffix.lower() != ".png":
        raise RunError(f"--picture {picture}: the file's name must end in .png")


def notes_on_judge(folder: str | Path, config: dict) -> Iterator[str]:
    """Yield caveats about the classifier, from its config.json."""
    if "pruned" in config:
        yield f"the classifier in {folder} is pruned"
    elif config.get("outcome", "finished") != "finished":
        yield f"the training of the classifier in {folder} did not finish"


def notes_on_size(images: np.ndarray, shape: tuple[int, int, int]) -> Iterator[str]:
    """Yield a caveat if generated images are resized for the classifier."""
    if images.shape[1:] != tuple(shape):
        sizes = (" x ".join(map(str, of[:2])) for of in (images.shape[1:], shape))
        yield "generated images are resized from {} to {} pixels; real ones are not".format(*sizes)


def text_of(apart: evaluation.ToldApart) -> str:
    """Describe the accuracy of a newly trained discriminator."""
    right = f"{percent(apart.accuracy)} of held-out images (95% interval {apart.interval})"
    kinds = f"{apart.on_real:.1%} of {apart.held_out:,} test images and {apart.on_made:.1%} of as many generated ones"
    return f"\na new discriminator classifies {right} correctly; 50% is best\n({kinds})"


def load_judge(folder):
    """Load a run's classifier and config. Raises RunError if the weights do not match the recorded digest."""
    model, config = classifier.load(folder), RunFolder(folder).config()
    found, kept = model.digest(), config.get("results", {}).get("digest")
    if kept not in (None, found):
        raise RunError(
            f"{folder}: the weights' digest is {found}, but config.json records {kept}; train the classifier again"
        )
    return model, config


# --------------------------------------------------------------------------------------------------------------- FID


def load_network(file: str, device: str) -> Weights:
    """Load the Inception network from a file to a device. Raises the errors of `inception_weights.load`."""
    devices.on(device)
    weights = inception_weights.load(file)
    weights.network.to(device)
    return weights


def evaluate_with_inception(
    images: np.ndarray, weights: Weights, train: Dataset, test: Dataset, most: int | None
) -> InceptionEvaluation:
    """Compute FID and IS of generated images and show progress. The features of real images are cached on disk."""
    with InceptionProgress() as progress:
        return fid.evaluate(images, weights, train, test, most=most, folder=cache_folder(), report=progress.report)


class InceptionProgress:
    """Shows the Inception network's progress, rate and time left: one line, rewritten, on a terminal; a new line every
    ten seconds elsewhere. The first batch, which compiles kernels, does not count towards the rate."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.last_print, self.open = 0.0, False
        self.begun = None  # (time, images done) from which the rate is measured

    def report(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` images are done; name: the kind of the last ones."""
        now = time.perf_counter()
        if self.begun is None:
            self.begun = now, done
        if done < total and now - self.last_print < (0.2 if self.live else 10):
            return
        self.last_print = now
        rate = (done - self.begun[1]) / (now - self.begun[0]) if now > self.begun[0] else 0.0
        pace = f"{rate:.1f} images/s, {clock((total - done) / rate)} left" if rate else "compiling"
        line = f"Inception network: {done:,} of {total:,} images ({name}), {pace}"
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=self.stream, flush=True)
        self.open = self.live

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.open:
            print(file=self.stream)
