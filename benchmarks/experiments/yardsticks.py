"""How do the measures of `minigan evaluate` score images with known faults?

    minigan train cnn --data mnist --data-dir FOLDER --out runs/cnn
    python -m benchmarks.experiments.yardsticks --classifier runs/cnn --data mnist --data-dir FOLDER [--out FILE]

The sets are real images that the classifier has not seen, the same blurred, a single class, images with every pixel
drawn independently from that place in some image, and noise: each is scored as if it had been generated.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from minigan import classifier
from minigan.data import Dataset, load_splits
from minigan.evaluation import Reference

BLUR = 1.0  # standard deviation of the Gaussian in pixels
ALONE = 3  # the only class of a set


def sets(train: Dataset, test: Dataset, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each set and its images (N, H, W, C), uint8."""
    yield "test images", test.images
    yield "test images, blurred", blurred(test.images)
    yield f"only class {test.classes[ALONE]}", test.images[test.labels == ALONE]
    yield "independent pixels", independent_pixels(train.images, len(test), seed)
    yield "noise", np.random.default_rng(seed).integers(0, 256, test.images.shape, np.uint8)


def blurred(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) after a Gaussian blur."""
    out, gaussian = np.empty_like(images), ImageFilter.GaussianBlur(BLUR)
    for image, place in zip(images, out, strict=True):
        picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
        place[:] = np.asarray(picture.filter(gaussian)).reshape(image.shape)
    return out


def independent_pixels(images: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Images whose pixels are drawn independently from that place in some image."""
    rows = np.random.default_rng(seed).integers(0, len(images), (count, *images.shape[1:3]))
    return images[rows, np.arange(images.shape[1])[:, None], np.arange(images.shape[2])]


def table(rows: dict[str, dict]) -> str:
    """A row per set, as Markdown."""
    heading = ["images", "Frechet distance", "kernel distance", "classifier score", "precision", "recall", "classes"]
    lines = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    for name, row in rows.items():
        kernel, score = row["kernel"]["mean"], row["score"]["mean"]
        numbers = f"{row['frechet']:,.1f} | {kernel:,.1f} | {score:.2f} | {row['precision']:.2f} | {row['recall']:.2f}"
        lines.append(f"| {name} | {numbers} | {row['covered']} |")
    return "\n".join(lines)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.yardsticks")
    parser.add_argument("--classifier", required=True, help="a run of a cnn trained on this dataset")
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--data-dir", help="the folder of its files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures to this JSON file")
    given = parser.parse_args(arguments)
    train, test = load_splits(given.data, given.data_dir)
    reference, rows = Reference(classifier.load(given.classifier), train, test), {}
    for name, images in sets(train, test, given.seed):
        found = reference.evaluate(images, given.seed).plain()
        rows[name] = {"count": found["count"], **found["made"]}
        print(name, json.dumps(rows[name]), flush=True)
    if given.out:
        kept = {name: found[name] for name in ("judge", "data", "training", "classes")}
        given.out.write_text(json.dumps({**kept, "sets": rows}, indent=1) + "\n")
    print(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
