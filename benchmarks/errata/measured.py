"""Tables of the page whose measurements take hours: what their files in benchmarks/results/training say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import few_labels, fine_tuning, pruned, sizes, yardsticks

RESULTS = Path(__file__).parents[1] / "results" / "training"


def quality(figures: dict) -> str:
    """What the scores are, and a row for every model that `python -m benchmarks.quality` has trained."""
    rows = []
    for name, model in figures["models"].items():
        ours, theirs = (model["networks"].get(engine, {}) for engine in ("minigan", "torch"))
        digits = [one["digits"] for one in ours.values()]
        rarest = str(np.min(digits)) if digits else ""
        length = f"{model['steps']:,} x {model['batch']}"
        seeds = f"{len(ours)}, {len(theirs)}" if theirs else f"{len(ours)}"
        rows.append(f"| `{name}` | {length} | {_distances(ours)} | {_distances(theirs)} | {seeds} | {rarest} |")
    about = (
        f"{figures['images']:,} images of each network beside the training images: Frechet distance on 128 features of "
        f"a classifier with {figures['accuracy']:.2%} on the test images, which themselves are at "
        f"{figures['floor']:.2f}. Means and standard deviations over the seeds, where there are two numbers of these "
        "minigan's and PyTorch's; *rarest* is how many images show the digit that the classifier saw least in any of "
        f"minigan's networks, where a tenth would be {figures['images'] // 10:,}."
    )
    heading = ["| model | steps x images | minigan | PyTorch | seeds | rarest |", "|---" * 6 + "|"]
    return f"{about}\n\n" + "\n".join([*heading, *rows])


def _distances(networks: dict) -> str:
    return fine_tuning.spread([one["frechet"] for one in networks.values()]) if networks else ""


def of_fine_tuning(figures: dict) -> str:
    return fine_tuning.table(figures["distances"])


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
    """A table as Markdown, None where its measurement has left no file."""
    file = folder / f"{name.replace('-', '_')}.json"
    return TABLES[name](json.loads(file.read_text())) if file.exists() else None
