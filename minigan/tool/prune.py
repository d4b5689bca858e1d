"""`minigan prune`: evaluate a run's model with and without its smallest weights."""

from __future__ import annotations

import os
from collections.abc import Callable

import click
import numpy as np

from minigan import evaluation, pruning, random, restoration
from minigan.errors import RunError
from minigan.evaluation import Scores
from minigan.kinds import kind
from minigan.models import Classifier, Model, Restorer
from minigan.pruning import Pruned
from minigan.tool.evaluate import check_files, echo_after, load_judge, write_figures
from minigan.tool.options import forced
from minigan.tool.output import table
from minigan.tool.training_data import TrainingData, real_images, required_judge, say_notes
from minigan.training import fitting, weights
from minigan.training.folder import CONFIG, ENVIRONMENT, WEIGHTS, RunFolder

RESTORED = 1000  # images at most: SSIM takes a millisecond for each
OF_TRAINING = "results", "shown"  # fields of config.json that do not hold for the pruned model
MEASURES = {  # name -> title, format, note
    "frechet": ("Frechet distance", ".2f", "0 is best"),
    "kernel": ("kernel distance", ".4f", "0 is best"),
    "score": ("classifier score", ".2f", ""),
    "precision": ("precision", ".3f", ""),
    "recall": ("recall", ".3f", ""),
    "covered": ("classes covered", "", ""),
    "accuracy": ("accuracy on test images", ".2%", ""),
    "psnr": ("PSNR of restored test images", ".2f", "dB"),
    "ssim": ("SSIM", ".4f", "at most 1"),
    "deflated": ("weights, deflated", ",", "bytes"),
}
Scorer = Callable[[Model], dict[str, float]]  # model -> its scores, by names in MEASURES


def run(folder, share, scope, count, judge, source, data_dir, seed, out, file):
    """Evaluate a run's model, prune it, and evaluate it again. The arguments are the command's options.

    raises RunError if the model cannot be evaluated or `out` is not free; MiniganError for an invalid share
    """
    check_files(file, None)
    if out:
        if os.path.realpath(out) == os.path.realpath(folder):
            raise RunError(f"--out {out}: this is the run itself, which is never changed; choose another folder")
        RunFolder(out).check_free(forced())
    config = RunFolder(folder).config()
    model = fitting.load(folder)
    player = pruning.player_of(model)
    network = model.networks()[player]
    score = scorer_of(folder, config, model, count, judge, source, data_dir, seed)
    pruned, columns = None, {}
    for name in ("before", "after"):
        if name == "after":
            pruned = pruning.prune(network, share, scope)
        columns[name] = {**score(model), "deflated": pruning.deflated_size(network)}
    plain = {"run": folder, "player": player, "seed": seed, **pruned.plain(), **columns}
    zeros = f"{pruned.zeros:,} of {pruned.weights:,} weights of the {player} of {folder} are 0 ({scope})"
    with echo_after(f"{zeros}\n\n{table_of_layers(pruned)}\n\n{table_of_scores(columns)}"):
        write_figures(file, plain)
        if out:
            keep_run(model, player, folder, out, plain)
    if out:
        click.echo(f"the pruned run is in {out}")


def scorer_of(folder, config, model, count, judge, source, data_dir, seed) -> Scorer:
    """Return a function that scores a model of this run: by its images, its accuracy or the images it restores."""
    if kind(model.kind).sample:
        return scorer_by_images(TrainingData.of(folder, config), model, count, judge, source, data_dir, seed)
    if judge:
        raise RunError(f"{folder}: a run of a {model.kind}, which generates no images, so --classifier does not apply")
    run_data = TrainingData.of(folder, config)
    name, data_dir = run_data.source(source, data_dir)
    train, test = real_images(name, data_dir, model.image_shape)
    say_notes([run_data], train)
    if isinstance(model, Classifier):
        run_data.check_classes(test)
        if test.labels is None or test.labels.max() >= model.classes:
            raise RunError(f"{folder}: the classifier has {model.classes} classes, but {name} has other labels or none")
        return lambda model: {"accuracy": float(np.mean(model.predict(test.images) == test.labels))}
    if not isinstance(model, Restorer):
        raise RunError(f"{folder}: there is no measure for a run of a {model.kind}")
    images = test.images[:: -(-len(test) // RESTORED)]
    return lambda model: restoration.evaluate(model, images, random.derived(seed, "damage")).figures["restored"]


def scorer_by_images(run_data, model, count, judge, source, data_dir, seed) -> Scorer:
    """Return a function that scores images as `minigan evaluate` does, with the same noise each time."""
    judge = judge or required_judge(run_data)
    by, config = load_judge(judge)
    judge_data = TrainingData.of(judge, config, "the classifier")
    train, test = real_images(*judge_data.source(source, data_dir), by.image_shape)
    judge_data.check_classes(train)
    say_notes([run_data, judge_data], train)
    sample, reference = kind(model.kind).sample, evaluation.Reference(by, train, test)
    return lambda model: figures(reference.evaluate(sample(model, count, seed), seed).made)


def figures(scores: Scores) -> dict[str, float]:
    """Return the scores that are shown, as numbers."""
    kept = {name: getattr(scores, name) for name in ("frechet", "precision", "recall", "covered")}
    return kept | {"kernel": scores.kernel.mean, "score": scores.score.mean}


def table_of_layers(pruned: Pruned) -> str:
    """Format how many weights of each layer are 0."""
    rows = [("weights", "0", "of", "")]
    rows += [(name, f"{zeros:,}", f"{size:,}", f"{zeros / size:.1%}") for name, (zeros, size) in pruned.layers.items()]
    return table(rows)


def table_of_scores(columns: dict[str, dict[str, float]]) -> str:
    """Format the scores, a row for each measure, a column for before and one for after pruning."""
    rows = [("", *columns, "")]
    for name, (title, form, note) in MEASURES.items():
        if name in columns["before"]:
            rows.append((title, *(f"{column[name]:{form}}" for column in columns.values()), note))
    return table(rows)


def keep_run(model: Model, player: str, folder: str, out: str, plain: dict) -> None:
    """Write a run folder with the pruned weights, for `minigan sample` and `minigan evaluate`."""
    source = RunFolder(folder)
    header, arrays = source.weights()
    arrays |= {f"{player}.{name}": array for name, array in model.networks()[player].state_dict().items()}
    how = {"from": str(folder), **{name: plain[name] for name in ("player", "share", "scope", "before", "after")}}
    kept = {name: value for name, value in source.config().items() if name not in OF_TRAINING}
    header = {name: value for name, value in header.items() if name not in OF_TRAINING}
    environment = source.environment() if (source / ENVIRONMENT).is_file() else None
    claim = RunFolder(out).claim(forced())
    try:
        claim.place.write_json(CONFIG, {**kept, "pruned": how})
        if environment is not None:
            claim.place.write_json(ENVIRONMENT, environment)
        weights.save(claim.place / WEIGHTS, header, arrays)
        claim.commit()
    finally:
        claim.end()
