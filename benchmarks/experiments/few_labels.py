"""Do generated images help a classifier that has few labelled ones?

    python -m benchmarks.experiments.few_labels --data-dir FOLDER [--labels 50 100 500] [--seeds 3] [--out FILE]

For each seed some images are drawn, equally many of every class, and all others are as if they did not exist. A
conditional GAN (or with another --model one GAN for each class) learns from these alone and makes images of every
class. Then the cnn is trained from the same first weights, for the same number of steps, on

    real                  the labelled images
    real + generated      the same and generated ones, of which every batch has about half
    real, shifted         the labelled images, each moved by up to two pixels anew every time: the usual remedy
    both                  generated ones besides, all of them shifted

and measured on the whole test split. The table has means and standard deviations over the seeds, and the difference
that generated images make, seed by seed, so that the luck of a draw of images cancels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.experiments.common import spread
from minigan import classifier, gan, models
from minigan.data import Augment, Dataset, load_splits
from minigan.errors import DataError

SHIFT = 2  # pixels
WAYS = {  # name -> (with generated images, shifted)
    "real": (False, False),
    "real + generated": (True, False),
    "real, shifted": (False, True),
    "both": (True, True),
}


def few(dataset: Dataset, count: int, seed: int) -> Dataset:
    """So many images of a data set, drawn at random, equally many of every class.

    raises DataError where the count is not a multiple of the number of classes, or a class has too few images
    """
    each, rest = divmod(count, len(dataset.classes))
    if rest or not each:
        raise DataError(f"{count} labelled images are not equally many of {len(dataset.classes)} classes")
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(dataset.labels == label) for label in range(len(dataset.classes))]
    if min(map(len, rows)) < each:
        raise DataError(f"{each} images of every class are wanted, but one has {min(map(len, rows))}")
    return dataset[np.concatenate([rng.choice(of, each, replace=False) for of in rows])]


def generated(labelled: Dataset, model: str, steps: int, each: int, seed: int) -> Dataset:
    """Images of every class, `each` of one, by GANs that saw the labelled images and nothing else."""
    classes, shift = range(len(labelled.classes)), Augment(shift=SHIFT)
    settings = {"steps": steps, "seed": seed, "augment": shift}
    conditional = models.build(model, labelled.shape, classes=len(classes)).classes is not None
    if conditional:
        result = gan.fit(model, labelled, batch=min(64, len(labelled)), **settings)
        images = [result.sample(each, seed, label) for label in classes]
    else:
        of_class = [labelled[labelled.labels == label].images for label in classes]
        images = [gan.fit(model, of, batch=min(64, len(of)), **settings).sample(each, seed) for of in of_class]
    labels = np.repeat(np.arange(len(classes)), each)
    return Dataset(np.concatenate(images), labels, "generated", labelled.classes)


def together(labelled: Dataset, others: Dataset) -> Dataset:
    """Both sets in one, the smaller repeated until it is about half."""
    first, second = sorted((labelled, others), key=len)
    times = max(1, round(len(second) / len(first)))
    parts = [first] * times + [second]
    images, labels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    return Dataset(images, labels, "both", labelled.classes)


def measure(train: Dataset, test: Dataset, count: int, seed: int, given) -> dict[str, float]:
    """The accuracy on the test images for every one of WAYS, with one draw of labelled images."""
    labelled = few(train, count, seed)
    others = generated(labelled, given.model, given.gan_steps, given.generated // len(train.classes), seed)
    accuracies = {}
    for name, (with_generated, shifted) in WAYS.items():
        learned_from = together(labelled, others) if with_generated else labelled
        result = classifier.fit(
            "cnn",
            learned_from,
            test=test,
            steps=given.steps,
            batch=min(64, len(labelled)),
            seed=seed,
            augment=Augment(shift=SHIFT) if shifted else None,
        )
        accuracies[name] = result.accuracy
    return accuracies


def table(results: dict[int, list[dict[str, float]]]) -> str:
    """Means and standard deviations over the seeds, and the differences that generated images make, as Markdown."""
    lines = ["| labels | training images | accuracy | change due to generated images |", "|---|---|---|---|"]
    for count, rows in results.items():
        for name, (with_generated, shifted) in WAYS.items():
            accuracies = np.array([row[name] for row in rows])
            change = ""
            if with_generated:
                without = next(way for way, how in WAYS.items() if how == (False, shifted))
                change = _percent(accuracies - [row[without] for row in rows], "+.2f")
            lines.append(f"| {count} | {name} | {_percent(accuracies, '.2f')} | {change} |")
    return "\n".join(lines)


def _percent(shares, form):
    return f"{spread(100 * np.asarray(shares), form)} %"


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.few_labels")
    parser.add_argument("--data", default="mnist", help="a data set that has labels")
    parser.add_argument("--data-dir", help="where its files are")
    parser.add_argument("--size", type=int, help="pixels that images are resized to")
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 100, 500], help="how many, in all classes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default="cgan", help="a GAN; one that knows no classes is trained once for each")
    parser.add_argument("--gan-steps", type=int, default=1500)
    parser.add_argument("--generated", type=int, default=2000, help="images, in all classes")
    parser.add_argument("--steps", type=int, default=400, help="of every classifier")
    parser.add_argument("--out", type=Path, help="a JSON file for all accuracies")
    given = parser.parse_args(arguments)
    train, test = load_splits(given.data, given.data_dir, size=given.size)
    results = {}
    for count in given.labels:
        results[count] = []
        for seed in range(given.seeds):
            results[count].append(measure(train, test, count, seed, given))
            print(f"{count} labels, seed {seed}", json.dumps(results[count][-1]), flush=True)
            if given.out:
                kept = {name: value for name, value in vars(given).items() if name not in ("out", "data_dir")}
                given.out.write_text(json.dumps({**kept, "accuracies": results}, indent=2) + "\n")
    print(
        f"\n{given.model}, {given.gan_steps} steps, {given.generated} images; cnn, {given.steps} steps; {given.data}\n"
    )
    print(table(results))


if __name__ == "__main__":
    main()
