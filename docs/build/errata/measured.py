"""Tables of the page whose measurements take hours: what their files in benchmarks/results/training say."""

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
    """What the scores are, and a row for every model that `python -m benchmarks.experiments.quality` has trained."""
    judge, count = figures["judge"], figures["count"]
    about = (
        f"{count:,} images of each network beside the {figures['training']:,} training images, by {judge['features']} "
        f"features of a {judge['name']} with {judge['accuracy']:.2%} on the test images: means and standard deviations "
        "over the networks of a model, which differ by their seed. *Rarest* is how many images show the "
        f"class that is seen least in any network, where a share would be {count // figures['classes']:,}."
    )
    heading = ["model", "steps x images", "seeds", *COLUMNS, "rarest"]
    rows = [_row("test images", "", figures["floor"])]
    for name, model in figures["models"].items():
        for engine, networks in model["networks"].items():
            title = f"`{name}`" + ("" if engine == "minigan" else ", in PyTorch")
            rows.append(_row(title, f"{model['steps']:,} x {model['batch']}", networks))
    return f"{about}\n\n" + "\n".join(["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|", *rows])


COLUMNS: dict[str, tuple[Callable[[dict], float], str]] = {  # what of a network's scores, in which form
    "Frechet distance": (lambda of: of["frechet"], ",.1f"),
    "kernel distance": (lambda of: of["kernel"]["mean"], ",.1f"),
    "classifier score": (lambda of: of["score"]["mean"], ",.2f"),
    "precision": (lambda of: of["precision"], ",.2f"),
    "recall": (lambda of: of["recall"], ",.2f"),
}


def _row(title, length, networks):
    """A line for networks that differ by their seed."""
    cells = [title, length, str(len(networks))]
    for value_of, form in COLUMNS.values():
        cells.append(spread([value_of(of) for of in networks.values()], form))
    return "| " + " | ".join([*cells, str(min(min(of["counts"]) for of in networks.values()))]) + " |"


def of_model(name: str, figures: dict) -> str | None:
    """The command, samples and scores of a model's network with the first seed; None where there is none."""
    model = figures["models"].get(name)
    network = model and model["networks"].get("minigan", {}).get("0")
    if network is None:
        return None
    floor = figures["floor"]["0"]
    scores = (
        f"{figures['count']:,} such images: Frechet distance {network['frechet']:.1f} (test images: "
        f"{floor['frechet']:.1f}), precision {network['precision']:.2f} ({floor['precision']:.2f}), recall "
        f"{network['recall']:.2f} ({floor['recall']:.2f}), by the features of a {figures['judge']['name']}, as [all "
        "models](#how-good-they-are) are judged."
    )
    length = f"{model['steps']:,} steps of {model['batch']} images"
    picture = f"![{name}](pictures/documents-{name}.png)"
    return f"`minigan train {name} --data {figures['data']}` ({length}):\n\n{picture}\n\n{scores}"


def of_fine_tuning(figures: dict) -> str:
    judge = figures["judge"]
    about = (
        f"Frechet distance of {figures['count']:,} images to the training images, by a {judge['name']} with "
        f"{judge['accuracy']:.2%} on the test images, mean and standard deviation of {len(figures['distances'])} seeds:"
    )
    return f"{about}\n\n{fine_tuning.table(figures['distances'])}"


def of_few_labels(figures: dict) -> str:
    return few_labels.table(figures["accuracies"])


def of_yardsticks(figures: dict) -> str:
    judge, count = figures["judge"], figures["sets"]["test images"]["count"]
    about = f"The {count:,} test images of {figures['data']}, by a {judge['name']} with {judge['accuracy']:.2%}:"
    return f"{about}\n\n{yardsticks.table(figures['sets'])}"


def of_pruned(figures: dict) -> str:
    judge, whose = figures["judge"], "of all weights" if figures["scope"] == "global" else "of each layer's weights"
    about = (
        f"{figures['count']:,} images of each run beside {figures['training']:,} training images of {figures['data']}, "
        f"by a {judge['name']} with {judge['accuracy']:.2%}; accuracy on {figures['test']:,} test images. The smallest "
        f"{whose} are 0, and nothing was trained again:"
    )
    return f"{about}\n\n{pruned.table(figures['runs'])}"


def of_sizes(figures: dict) -> str:
    threads = figures["threads"]
    about = (
        f"For MNIST's images, on {threads} {'core' if threads == 1 else 'cores'} ({figures['machine']['processor']}), "
        f"medians of {figures['samples']} samples. Multiply-adds are those of the network that makes, classifies or "
        "restores an image; *in use* is how many it does:"
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
    """A table, or what is said of a model, as Markdown; None where the measurement has left nothing of it."""
    file = folder / ("quality.json" if name in GENERATING else f"{name.replace('-', '_')}.json")
    if not file.exists():
        return None
    figures = json.loads(file.read_text())
    return of_model(name, figures) if name in GENERATING else TABLES[name](figures)
