"""Tables of the page whose measurements take hours, from files in benchmarks/results/training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from benchmarks.experiments import few_labels, fine_tuning, pruned, sizes, yardsticks
from benchmarks.experiments.common import spread
from minigan import models

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "training"
GENERATING = [name for name in models.available() if models.kind_of(name) in ("gan", "vae")]


def quality(figures: dict) -> str:
    """An explanation of the scores, and a row for every model in the results of `benchmarks.experiments.quality`."""
    judge, count = figures["judge"], figures["count"]
    about = (
        f"{count:,} images of each network compared with the {figures['training']:,} training images, on "
        f"{judge['features']} features of a {judge['name']} with {judge['accuracy']:.2%} accuracy on the test images: "
        "means and standard deviations over networks with different seeds. *Rarest* is the smallest number of images "
        f"of any class in any network; an equal share would be {count // figures['classes']:,}."
    )
    heading = ["model", "steps x images", "seeds", *COLUMNS, "rarest"]
    rows = [_row("test images", "", figures["floor"])]
    for name, model in figures["models"].items():
        for engine, networks in model["networks"].items():
            title = f"`{name}`" + ("" if engine == "minigan" else ", in PyTorch")
            rows.append(_row(title, f"{model['steps']:,} x {model['batch']}", networks))
    return f"{about}\n\n" + "\n".join(["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|", *rows])


COLUMNS: dict[str, tuple[Callable[[dict], float], str]] = {  # title -> (value from a network's scores, format)
    "Frechet distance": (lambda of: of["frechet"], ",.1f"),
    "kernel distance": (lambda of: of["kernel"]["mean"], ",.1f"),
    "classifier score": (lambda of: of["score"]["mean"], ",.2f"),
    "precision": (lambda of: of["precision"], ",.2f"),
    "recall": (lambda of: of["recall"], ",.2f"),
}


def _row(title, length, networks):
    """A row for networks that differ only in their seed."""
    cells = [title, length, str(len(networks))]
    for value_of, form in COLUMNS.values():
        cells.append(spread([value_of(of) for of in networks.values()], form))
    return "| " + " | ".join([*cells, str(min(min(of["counts"]) for of in networks.values()))]) + " |"


def of_model(name: str, figures: dict) -> str | None:
    """The command, samples and scores of a model's network with the first seed, or None."""
    model = figures["models"].get(name)
    network = model and model["networks"].get("minigan", {}).get("0")
    if network is None:
        return None
    floor = figures["floor"]["0"]
    scores = (
        f"{figures['count']:,} such images: Frechet distance {network['frechet']:.1f} (test images: "
        f"{floor['frechet']:.1f}), precision {network['precision']:.2f} ({floor['precision']:.2f}), recall "
        f"{network['recall']:.2f} ({floor['recall']:.2f}), on the features of a {figures['judge']['name']} (see [all "
        "scores](#scores-of-all-models))."
    )
    length = f"{model['steps']:,} steps of {model['batch']} images"
    picture = f"![{name}](pictures/documents-{name}.png)"
    return f"`minigan train {name} --data {figures['data']}` ({length}):\n\n{picture}\n\n{scores}"


def of_fine_tuning(figures: dict) -> str:
    judge = figures["judge"]
    about = (
        f"Frechet distance of {figures['count']:,} images to the training images, on features of a {judge['name']} "
        f"with {judge['accuracy']:.2%} accuracy; mean and standard deviation of {len(figures['distances'])} seeds:"
    )
    return f"{about}\n\n{fine_tuning.table(figures['distances'])}"


def of_few_labels(figures: dict) -> str:
    return few_labels.table(figures["accuracies"])


def of_yardsticks(figures: dict) -> str:
    judge, count = figures["judge"], figures["sets"]["test images"]["count"]
    about = (
        f"The {count:,} test images of {figures['data']}, on features of a {judge['name']} with "
        f"{judge['accuracy']:.2%} accuracy:"
    )
    return f"{about}\n\n{yardsticks.table(figures['sets'])}"


def of_pruned(figures: dict) -> str:
    judge, whose = figures["judge"], "of all weights" if figures["scope"] == "global" else "of each layer's weights"
    about = (
        f"{figures['count']:,} images of each run compared with {figures['training']:,} training images of "
        f"{figures['data']}, on features of a {judge['name']} with {judge['accuracy']:.2%} accuracy; accuracy on "
        f"{figures['test']:,} test images. The smallest {whose} are set to 0, without retraining:"
    )
    return f"{about}\n\n{pruned.table(figures['runs'])}"


def of_sizes(figures: dict) -> str:
    threads = figures["threads"]
    about = (
        f"For MNIST's images, on {threads} {'core' if threads == 1 else 'cores'} ({figures['machine']['processor']}), "
        f"medians of {figures['samples']} samples. Multiply-adds are counted for the network that generates, "
        "classifies or restores an image, and *throughput* is measured for it:"
    )
    return f"{about}\n\n{sizes.table(figures['models'])}"


TABLES: dict[str, Callable[[dict], str]] = {
    "quality": quality,
    "fine-tuning": of_fine_tuning,
    "few-labels": of_few_labels,
    "yardsticks": of_yardsticks,
    "pruned": of_pruned,
    "sizes": of_sizes,
}


def show(name: str, folder: Path = RESULTS) -> str | None:
    """A table, or a model's section, as Markdown; None if there are no results for it."""
    file = folder / ("quality.json" if name in GENERATING else f"{name.replace('-', '_')}.json")
    if not file.exists():
        return None
    figures = json.loads(file.read_text())
    return of_model(name, figures) if name in GENERATING else TABLES[name](figures)
