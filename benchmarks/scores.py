"""How good are the images of trained runs, one beside the other? Scored on the features of one trained cnn.

    minigan train cnn --data mnist --data-dir FOLDER --out runs/cnn
    python -m benchmarks.scores runs/mlp-gan runs/wgan runs/vae --classifier runs/cnn --data mnist --data-dir FOLDER

A row for every run of a GAN or a VAE: the Frechet distance of its images to the training images, how many images the
classifier takes for each class, and how sure it is on average (blurred digits make it less sure). What is good and what
is bad, two rows say: the test images, and images whose pixels are each drawn from another training image.
"""

from __future__ import annotations

import argparse

import numpy as np

from minigan import classifier
from minigan.data import load_splits
from minigan.evaluation import digest
from minigan.metrics import frechet_distance
from minigan.models import Classifier
from minigan.tool.sample import samples


def score(model: Classifier, images: np.ndarray, real: np.ndarray) -> tuple[float, list[int], float]:
    """The Frechet distance to `real` features, images per class, and the mean probability of the likeliest class."""
    features, logits = model.features(images), model.logits(images)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    counts = np.bincount(logits.argmax(1), minlength=model.classes).tolist()
    return frechet_distance(real, features), counts, float((1 / exponentials.sum(1)).mean())


def independent_pixels(images: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Images of which each pixel is drawn from that place in some image: each by itself is right, together nothing."""
    rows = np.random.default_rng(seed).integers(0, len(images), (count, *images.shape[1:3]))
    return images[rows, np.arange(images.shape[1])[:, None], np.arange(images.shape[2])]


def row(name: str, distance: float, counts: list[int], surety: float) -> str:
    return f"| {name} | {distance:.1f} | {surety:.3f} | {' '.join(map(str, counts))} |"


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scores")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--classifier", required=True, help="a run of a cnn")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-dir")
    parser.add_argument("--size", type=int)
    parser.add_argument("--count", type=int, default=10_000, help="images of each run")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    train, test = load_splits(given.data, given.data_dir, size=given.size)
    model = classifier.load(given.classifier)
    real = model.features(train.images)
    accuracy = np.mean(model.predict(test.images) == test.labels)
    print(
        f"features: {real.shape[1]} of a {model.name} ({digest(model)}) with {accuracy:.2%} on {len(test):,} test "
        f"images; {given.count:,} images of each run, {len(train):,} training images\n"
    )
    print("| images of | Frechet distance | surety | taken for each class |\n|---|---|---|---|")
    print(row("test split", *score(model, test.images, real)), flush=True)
    pixels = independent_pixels(train.images, given.count, given.seed)
    print(row("independent pixels", *score(model, pixels, real)), flush=True)
    for run in given.runs:
        print(row(run, *score(model, samples(run, given.count, given.seed), real)), flush=True)


if __name__ == "__main__":
    main()
