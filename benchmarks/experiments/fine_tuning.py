"""Does a GAN learn a dataset faster if it starts from the weights of a GAN trained on another?

    minigan train cnn --data mnist --data-dir FOLDER --out runs/cnn
    python -m benchmarks.experiments.fine_tuning --classifier runs/cnn --data-dir FOLDER [--seeds 3] [--out FILE]

For each seed a DCGAN is trained on one dataset (synthetic glyphs, unless --first names another), and then for several
numbers of steps on a second one:

    from scratch          with random initial weights, as any model
    fine-tuned            with the first run's weights, as by `minigan train --from`
    partly frozen         the same, with the discriminator's first convolution unchanged, as by `--freeze`

All three see the same batches and noise. The table has the Frechet distance of generated images to the training images
on the classifier's features: means and standard deviations over the seeds.

source: Mo, Cho & Shin, Freeze the discriminator: a simple baseline for fine-tuning GANs, arXiv:2002.10964
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.experiments.common import spread
from minigan import classifier, data, gan, metrics
from minigan.data import Dataset
from minigan.models import GAN

MODEL, FROZEN = "dcgan", ("discriminator.0",)
WAYS = {"from scratch": {}, "fine-tuned": {"start": True}, "partly frozen": {"start": True, "freeze": FROZEN}}


def distances(way: dict, first: GAN, second: Dataset, lengths: list[int], seed: int, judge, given) -> dict[int, float]:
    """The Frechet distance after each number of steps in `lengths` on the second dataset.

    first: a GAN trained on the first
    judge: a function from uint8 images to their distance
    """
    found = {}

    def look(trainer, record):
        if trainer.step in lengths:
            found[trainer.step] = judge(gan.sample(trainer.gan, given.count, seed))

    settings = {**way, "start": first} if way.get("start") else way
    gan.fit(
        MODEL,
        second,
        steps=max(lengths),
        batch=given.batch,
        seed=seed,
        callbacks=[gan.Every(1, look)],
        **settings,
    )
    return found


def table(results: list[dict[str, dict[int, float]]]) -> str:
    """Means and standard deviations over the seeds, as Markdown."""
    lengths = list(results[0]["from scratch"])
    lines = ["| batches | " + " | ".join(WAYS) + " |", "|---" * (1 + len(WAYS)) + "|"]
    for length in lengths:
        values = ([row[way][length] for row in results] for way in WAYS)
        lines.append(f"| {int(length):,} | " + " | ".join(map(spread, values)) + " |")
    return "\n".join(lines)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.fine_tuning")
    parser.add_argument("--classifier", required=True, help="a run of a cnn trained on the second dataset")
    parser.add_argument("--first", default="glyphs", help="the first dataset")
    parser.add_argument("--data", default="mnist", help="the second dataset, on which the GAN is evaluated")
    parser.add_argument("--data-dir", help="the folder of the second dataset's files")
    parser.add_argument("--first-steps", type=int, default=1500)
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 150, 500, 1500], help="steps on the second one")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--count", type=int, default=5000, help="generated images to evaluate")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write all distances to this JSON file")
    given = parser.parse_args(arguments)
    first, (second, test) = data.load(given.first), data.load_splits(given.data, given.data_dir)
    if first.shape != second.shape:
        parser.error(
            f"{given.first} has images of {first.shape}, {given.data} of {second.shape}: weights fit one shape only"
        )
    model = classifier.load(given.classifier)
    real, accuracy = model.features(second.images), float((model.predict(test.images) == test.labels).mean())
    by = {"name": model.name, "accuracy": accuracy, "digest": model.digest()}

    def judge(images):
        return metrics.frechet_distance(real, model.features(images))

    results = []
    for seed in range(given.seeds):
        learned = gan.fit(MODEL, first, steps=given.first_steps, batch=given.batch, seed=seed).gan
        results.append(
            {name: distances(way, learned, second, given.lengths, seed, judge, given) for name, way in WAYS.items()}
        )
        print(f"seed {seed}", json.dumps(results[-1]), flush=True)
        if given.out:
            kept = {name: value for name, value in vars(given).items() if name not in ("out", "data_dir", "classifier")}
            given.out.write_text(json.dumps({**kept, "judge": by, "distances": results}, indent=2) + "\n")
    print(f"\n{MODEL}: {given.first_steps} steps on {given.first}, then on {given.data}\n\n{table(results)}")


if __name__ == "__main__":
    main()
