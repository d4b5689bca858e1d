"""Does a GAN learn as well as in PyTorch? The same network, weights to begin with, batches, noise and recipe, both
trained on MNIST; 10,000 images of each are scored by the Frechet distance on the features of one classifier.

    python -m benchmarks.quality --data-dir FOLDER [--model wgan] [--only minigan] [--seeds 3] [--epochs 5] [--out RUNS]

Without --epochs a model is trained as long as `minigan train` does by itself. With --only it can be any GAN, also one
that PyTorch's side has not, or the VAE: it learns from labels where it wants them and from images as large as it makes
them, which are resized to MNIST's 28 pixels before they are judged.

The classifier is trained in PyTorch and its accuracy printed: the score is on its features and no other. What is done
is kept in the out folder, and a run that was stopped goes on with the next network. From the file of --results, which
may have the scores of many models, `python -m benchmarks.errata page` makes the table of docs/documents.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers.torch_recipes import RecipeTraining
from minigan import data, models, random
from minigan.data import Batches, to_uint8
from minigan.data.pixels import resized
from minigan.errors import DataError
from minigan.kernels.cpu.threads import get_threads
from minigan.metrics import frechet_distance
from minigan.training import files

COUNT = 10_000  # images of each network that are scored
ENGINES = ("minigan", "torch")
GENERATING = [name for name in models.available() if models.kind_of(name) in ("gan", "vae")]


class Classifier(nn.Module):
    """Two convolutions and two dense layers; the 128 numbers before the last are the features."""

    SIZE = 28  # pixels

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU()),
        )
        self.head = nn.Linear(128, 10)

    def forward(self, images):
        return self.head(self.body(images))

    @torch.no_grad()
    def features(self, images: np.ndarray) -> np.ndarray:
        """(N, 128) of uint8 images (N, 28, 28, 1)."""
        parts = np.array_split(images, max(1, len(images) // 1000))
        return np.concatenate([self.body(to_torch(part)).numpy() for part in parts])

    @torch.no_grad()
    def classes(self, images: np.ndarray) -> np.ndarray:
        parts = np.array_split(images, max(1, len(images) // 1000))
        return np.concatenate([self(to_torch(part)).argmax(1).numpy() for part in parts])


def to_torch(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(data.scaled(images)).permute(0, 3, 1, 2).contiguous()


def trained_classifier(train: data.Dataset, test: data.Dataset, file: Path) -> tuple[Classifier, float]:
    """A classifier and its accuracy on the test images; kept in `file`."""
    torch.manual_seed(0)
    classifier = Classifier()
    if file.exists():
        classifier.load_state_dict(torch.load(file, weights_only=True))
    else:
        optimiser = torch.optim.Adam(classifier.parameters(), 1e-3)
        batches = Batches(train.images, train.labels, batch_size=128, seed=0)
        for _ in range(3 * batches.steps_per_epoch):
            images, labels = next(batches)
            loss = F.cross_entropy(classifier(torch.from_numpy(images).permute(0, 3, 1, 2)), torch.from_numpy(labels))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        batches.close()
        torch.save(classifier.state_dict(), file)
    return classifier, float(np.mean(classifier.classes(test.images) == test.labels))


def train_ours(model, batches: Batches, seed: int, steps: int) -> np.ndarray:
    """10,000 uint8 images after so many steps in minigan."""
    importlib.import_module(f"minigan.{model.kind}").Trainer(model, batches, steps=steps, seed=seed).run()
    return to_uint8(model.generate(score_noise(model, seed)))  # of a conditional GAN all classes in turn


def train_theirs(gan, batches: Batches, seed: int, steps: int) -> np.ndarray:
    """The same in PyTorch, in its quicker layout for these networks."""
    trainer = RecipeTraining(gan, gan.recipe, channels_last=True)
    noise, mixing = random.Philox(seed, "noise"), random.Philox(seed, "mixing")
    for _ in range(steps):
        draws = []
        for _ in range(gan.recipe.critic_steps):
            images, _ = next(batches)
            draws.append(
                {"real": trainer.images(images), "noise": torch.from_numpy(gan.noise(len(images), noise).numpy())}
            )
            if gan.recipe.gradient_penalty:
                draws[-1]["mixing"] = torch.from_numpy(mixing.random((len(images), 1, 1, 1)))
        trainer.step(draws)
    batches.close()
    trainer.generator.eval()
    with torch.no_grad():
        parts = torch.from_numpy(score_noise(gan, seed).numpy()).split(500)
        images = np.concatenate([trainer.generator(part).permute(0, 2, 3, 1).numpy() for part in parts])
    return to_uint8(images)


def score_noise(model, seed):
    return model.noise(COUNT, random.derived(seed, "metrics"))


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("--data-dir", required=True, help="where MNIST's files are")
    parser.add_argument("--model", default="dcgan", choices=GENERATING)
    parser.add_argument("--only", choices=ENGINES, help="train in this engine alone")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="passes over the images; a model's first run unless given")
    parser.add_argument("--out", type=Path, default=Path("runs/quality"))
    parser.add_argument("--results", type=Path, metavar="FILE", help="put the scores of first runs into FILE too")
    given = parser.parse_args(arguments)
    if given.results and given.epochs is not None:
        parser.error("--results is for first runs, which --epochs are none of")
    torch.set_num_threads(get_threads())
    given.out.mkdir(parents=True, exist_ok=True)
    train, test = (data.load("mnist", given.data_dir, split=split) for split in ("train", "test"))
    classifier, accuracy = trained_classifier(train, test, given.out / "classifier.pt")
    features = classifier.features(train.images)
    floor = frechet_distance(features, classifier.features(test.images))
    print(f"features: 128 of a classifier with {accuracy:.2%} on MNIST's test images")
    print(f"Frechet distance to the {len(train)} training images; of the {len(test)} test images: {floor:.3f}")
    results = Results(given.results, accuracy=accuracy, floor=floor, images=COUNT) if given.results else None
    scores = {engine: [] for engine in ENGINES if given.only in (None, engine)}
    size = models.size_for(given.model, *train.shape[:2])
    learned_from = train if size is None else data.load("mnist", given.data_dir, size=size)
    for seed in range(given.seeds):
        for engine in scores:
            result = one(engine, given, seed, learned_from, classifier, features)
            scores[engine].append(result["frechet"])
            if results:
                results.add(given.model, engine, seed, result)
            print(f"{given.model}, {length(given)}, seed {seed}, {engine:8}", json.dumps(result), flush=True)
    for engine, values in scores.items():
        spread = f", standard deviation {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        print(f"{engine:8} mean {np.mean(values):.3f}{spread} ({len(values)} seeds)")


def length(given) -> str:
    """How long each network is trained, in words."""
    return "first run" if given.epochs is None else f"{given.epochs} epochs"


class Results:
    """A file of scores, of first runs by one classifier: {"accuracy", "floor", "images", "models": {name: {"steps",
    "batch", "networks": {engine: {seed: {"frechet", "digits"}}}}}}.

    raises DataError for a file with scores by another classifier, or of other counts of images
    """

    def __init__(self, file: Path, **judged_by):
        self.file = file
        try:
            self.content = json.loads(file.read_text()) if file.exists() else {**judged_by, "models": {}}
            before = {name: self.content[name] for name in judged_by}
        except (ValueError, LookupError, TypeError) as error:
            raise DataError(f"{file}: no results that this wrote ({error!r}); name another as --results") from error
        if not file.parent.is_dir():
            raise DataError(f"{file}: there is no folder {file.parent}")
        if not np.allclose(list(before.values()), list(judged_by.values()), rtol=1e-3):
            raise DataError(f"{file}: its scores are by {before}, not by {judged_by}; name another file as --results")

    def add(self, model: str, engine: str, seed: int, result: dict) -> None:
        """Put a score beside the others of a model; those of runs of another length go."""
        length, scores = {name: result[name] for name in ("steps", "batch")}, self.content["models"]
        if model not in scores or any(scores[model][name] != value for name, value in length.items()):
            scores[model] = {**length, "networks": {}}
        score = {name: result[name] for name in ("frechet", "digits")}
        scores[model]["networks"].setdefault(engine, {})[str(seed)] = score
        files.write(self.file, (json.dumps(self.content, indent=1) + "\n").encode())


def one(engine, given, seed, train, classifier, features) -> dict:
    """The score of one network, from the out folder if one of this recipe and length is there."""
    model = models.build(given.model, train.shape, seed, len(train.classes))
    steps, batch = model.first_run if given.epochs is None else (None, model.batch)
    labels = train.labels if getattr(model, "classes", None) else None
    if steps is None:
        critic_steps = model.recipe.critic_steps if model.kind == "gan" else 1
        steps = given.epochs * (len(train) // batch) // critic_steps
    recipe = model.recipe.plain() if model.kind == "gan" else None
    wanted = {"steps": steps, "batch": batch, "recipe": recipe, "images": COUNT}
    name = f"{given.model}-{length(given).replace(' ', '-')}-seed-{seed}-{engine}"
    file = given.out / f"{name}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    if any(found.get(key, ...) != value for key, value in json.loads(json.dumps(wanted)).items()):
        batches = Batches(train.images, labels, batch_size=batch, seed=seed)
        images = (train_ours if engine == "minigan" else train_theirs)(model, batches, seed, steps)
        images = resized(images, Classifier.SIZE)
        counts = np.bincount(classifier.classes(images), minlength=10)
        score = frechet_distance(features, classifier.features(images))
        np.savez_compressed(file.with_suffix(".npz"), images=images)
        found = {"frechet": score, **wanted, "digits": counts.tolist()}
        files.write(file, json.dumps(found).encode())
    return found


if __name__ == "__main__":
    main()
