"""Does a GAN learn a data set sooner when it begins with the weights of one that learned another?

    minigan train cnn --data mnist --data-dir FOLDER --out runs/cnn
    python -m benchmarks.experiments.fine_tuning --classifier runs/cnn --data-dir FOLDER [--seeds 3] [--out FILE]

For each seed a DCGAN learns from one data set (glyphs, which are drawn, unless --first names another), and then, for
so many steps, from a second one:

    afresh                weights to begin with are random, as for any model
    fine-tuned            they are the first run's, `minigan train --from`
    partly frozen         the same, and the discriminator's first convolution stays as it is, `--freeze`

All three see the same batches and noise. The table has the Frechet distance of generated images to the training images
on the classifier's features, means and standard deviations over the seeds.

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
    """The Frechet distance after so many steps on the second data set, for each of the lengths.

    first: a GAN that has learned the first
    judge: images, uint8 -> their distance
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
    parser.add_argument("--classifier", required=True, help="a run of a cnn that learned the second data set")
    parser.add_argument("--first", default="glyphs", help="what is learned before")
    parser.add_argument("--data", default="mnist", help="what is learned then, and judged")
    parser.add_argument("--data-dir", help="where the second one's files are")
    parser.add_argument("--first-steps", type=int, default=1500)
    parser.add_argument("--lengths", type=int, nargs="+", default=[50, 150, 500, 1500], help="steps on the second one")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--count", type=int, default=5000, help="images that are judged")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="a JSON file for all distances")
    given = parser.parse_args(arguments)
    first, (second, test) = data.load(given.first), data.load_splits(given.data, given.data_dir)
    if first.shape != second.shape:
        parser.error(
            f"{given.first} has images of {first.shape}, {given.data} of {second.shape}: weights fit one shape"
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
