"""How much of a trained model can be pruned? Scores with the smallest weights set to 0, and compressed sizes.

    minigan train cnn --data mnist --data-dir FOLDER --out runs/cnn
    python -m benchmarks.experiments.pruned --runs runs --classifier runs/cnn --data-dir FOLDER [--out FILE]

For each run in the folder --runs with a name in --models, the network that generates images (or classifies) is pruned
by magnitude, without retraining. The score is the Frechet distance of its images, from the same noise each time, to the
training images on the classifier's features, or a classifier's accuracy on the test images. The table also has the size
of the pruned network's numbers, deflated as in a .zip.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minigan import classifier, kinds, metrics, pruning
from minigan.data import Dataset, load_splits
from minigan.errors import MiniganError
from minigan.models import Classifier, Model
from minigan.training import fitting
from minigan.training.folder import RunFolder

RUNS = "dcgan-seed-0", "mlp-gan-seed-0", "cgan-seed-0", "vae-seed-0", "cnn"
SHARES = 0.0, 0.25, 0.5, 0.75, 0.9
MEASURES = {"frechet": ("Frechet distance", ",.1f"), "accuracy": ("accuracy", ".2%")}


def judged_by(judge: Classifier, train: Dataset, test: Dataset, count: int, seed: int) -> Callable[[Model], dict]:
    """A function from a model to its score, {name in MEASURES: value}."""
    real = judge.features(train.images)

    def found(model):
        if model.kind == "classifier":
            return {"accuracy": float(np.mean(model.predict(test.images) == test.labels))}
        images = kinds.kind(model.kind).sample(model, count, seed)
        return {"frechet": metrics.frechet_distance(real, judge.features(images))}

    return found


def prune(run: Path, shares: list[float], scope: str, judged: Callable[[Model], dict]) -> dict:
    """A run's scores at all shares of pruned weights."""
    kind = RunFolder(run).config().get("kind", "gan")
    at = {}
    for share in shares:
        model = fitting.load(run)
        player = pruning.player_of(model)
        network = model.networks()[player]
        pruned = pruning.prune(network, share, scope)
        at[f"{share:g}"] = {**judged(model), "zeros": pruned.zeros, "deflated": pruning.deflated_size(network)}
        print(run.name, f"{share:.0%}", json.dumps(at[f"{share:g}"]), flush=True)
    return {"model": model.name, "kind": kind, "player": player, "weights": pruned.weights, "shares": at}


def table(rows: dict[str, dict]) -> str:
    """Two rows per run, scores and sizes, as Markdown."""
    shares = list(next(iter(rows.values()))["shares"])
    heading = ["model", "share of weights set to 0", *(f"{float(share):.0%}" for share in shares)]
    lines = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    for row in rows.values():
        at = list(row["shares"].values())
        measure, (title, form) = next((name, how) for name, how in MEASURES.items() if name in at[0])
        scores, bytes_left = [f"{one[measure]:{form}}" for one in at], [f"{one['deflated'] / 1e3:,.0f}" for one in at]
        lines.append(f"| `{row['model']}` | {title} | {' | '.join(scores)} |")
        lines.append(f"| | deflated, kB | {' | '.join(bytes_left)} |")
    return "\n".join(lines)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.pruned")
    parser.add_argument("--runs", type=Path, required=True, metavar="FOLDER", help="the folder of the runs")
    parser.add_argument("--models", nargs="+", default=RUNS, metavar="NAME", help="the runs' names in that folder")
    parser.add_argument("--classifier", required=True, help="a run of a cnn trained on this dataset")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-dir", help="the folder of its files")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="shares of the weights to set to 0")
    parser.add_argument("--scope", choices=pruning.SCOPES, default="global")
    parser.add_argument("--count", type=int, default=10_000, help="generated images to evaluate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures to this JSON file")
    given = parser.parse_args(arguments)
    if given.out and not given.out.parent.is_dir():
        parser.error(f"--out {given.out}: the folder {given.out.parent} does not exist")
    runs = {name: given.runs / name for name in given.models}
    try:
        judge = classifier.load(given.classifier)
        for run in runs.values():
            RunFolder(run).config()  # raises if it is not a run
        train, test = load_splits(given.data, given.data_dir, size=judge.image_shape[0], channels=judge.image_shape[2])
    except MiniganError as error:
        parser.error(str(error))
    judged = judged_by(judge, train, test, given.count, given.seed)
    rows = {name: prune(run, given.shares, given.scope, judged) for name, run in runs.items()}
    if given.out:
        by = {"name": judge.name, "digest": judge.digest(), "accuracy": judged(judge)["accuracy"]}
        kept = {name: getattr(given, name) for name in ("scope", "count", "seed")}
        content = {"judge": by, "data": train.name, "training": len(train), "test": len(test), **kept, "runs": rows}
        given.out.write_text(json.dumps(content, indent=1) + "\n")
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
