"""Models that restore or classify, and GANs of coloured and larger images, trained with their defaults: the command and
a picture for each. `benchmarks.experiments.quality` trains the models that generate MNIST's digits.

Run folders are kept, and a model that has one is not trained again.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.experiments.common import trained
from docs.build.errata import pictures
from docs.build.errata.experiment import table
from docs.build.errata.training import FEATURES, SCORED, SEED, distance, floor
from minigan import gan, models, restoration
from minigan.data import Dataset, load_splits
from minigan.errors import MiniganError
from minigan.training import fitting
from minigan.training.folder import RunFolder
from minigan.training.grids import enlarged, grid, png

COUNT, COLUMNS = 48, 12  # samples in a picture
WIDE = 800  # approximate width of a picture in pixels
PIXELS = 28  # size of the dataset's images
DECONVNET = 32  # image size of the document
ADVERSARIAL = "0.01"  # weight of the adversarial term
MODELS: dict[str, Trained] = {}


@dataclass(frozen=True)
class Trained:
    """A model as `minigan train` trains it.

    arguments: of the command, except for the data
    size: resize images to this many pixels, or None
    colour: train on the coloured images instead of the page's dataset
    features: the name of the model whose hidden layers `--features` uses
    """

    arguments: tuple[str, ...]
    size: int | None = None
    colour: bool = False
    features: str | None = None

    def options(self, features: str | Path) -> list[str]:
        """All arguments except for the paths of the data and the run.

        features: the run folder for `--features`, if the model uses it
        """
        given = ["--features", str(features)] if self.features else []
        return [*self.arguments, *given, *(["--size", str(self.size)] if self.size else [])]

    def shown(self, data: str) -> list[str]:
        """The options as shown on the page, with run folders at their default paths."""
        return self.options(f"runs/{self.features}-{data}")

    def length(self) -> int | None:
        """The number of steps in the arguments, or None."""
        return int(self.arguments[self.arguments.index("--steps") + 1]) if "--steps" in self.arguments else None


@dataclass(frozen=True)
class Sources:
    """Where images come from.

    data, data_dir: a set of 28 x 28 grey images, as for `minigan train`
    colour: a folder or an archive of coloured images, or None
    """

    data: str
    data_dir: str | None = None
    colour: str | None = None

    def of(self, trained: Trained) -> tuple[str, str | None]:
        """The --data and --data-dir for a model. Raises MiniganError if it needs colour images and none are given."""
        if not trained.colour:
            return self.data, self.data_dir
        if self.colour is None:
            raise MiniganError(
                f"{trained.arguments[0]} is also trained on coloured images: give their path with --colour, or train a "
                "model that needs none with --only NAME"
            )
        return self.colour, None


def _models():
    yield "rgan-64", Trained(("rgan",), 64)
    yield "rgan-colour", Trained(("rgan",), 32, colour=True)
    yield "rgan-colour-64", Trained(("rgan",), 64, colour=True)
    for task in ("super-resolution", "completion", "denoising"):
        yield f"deconvnet-{task}", Trained(("deconvnet", "--task", task), DECONVNET)
    for task in ("super-resolution", "completion"):
        arguments = ("deconvnet", "--task", task, "--adversarial", ADVERSARIAL)
        yield f"deconvnet-{task}-adversarial", Trained(arguments, DECONVNET)
    deep = "deconvnet", "--task", "completion", "--depth", "6", "--steps", "1500"
    yield "deconvnet-completion-deep", Trained(deep, DECONVNET)
    classifier = "deconvnet", "--task", "classification"
    yield "deconvnet-classification", Trained(classifier, DECONVNET)
    yield "deconvnet-features", Trained(classifier, DECONVNET, features="deconvnet-denoising")
    yield "cnn", Trained(("cnn",))


def train(name: str, sources: Sources, runs: Path, steps: int | None = None) -> RunFolder:
    """Train a model, and first the one whose features it uses, unless its run exists; return the run folder.

    steps: overrides the model's own, for a rehearsal
    raises MiniganError if training fails
    """
    one = MODELS[name]
    if one.features:
        train(one.features, sources, runs, steps)
    data, data_dir = sources.of(one)
    arguments = [*one.options(runs / str(one.features)), "--data", data]
    arguments += ["--data-dir", data_dir] if data_dir else []
    arguments += ["--steps", str(steps)] if steps else []
    return trained(runs / name, arguments, steps or one.length())


def show_run(name: str, data: str, folder: RunFolder, dataset: Dataset, test: Dataset | None, path: Path) -> dict:
    """Draw a model's images, and return the figures of its run.

    data: the path of the data as shown on the page
    """
    config = folder.config()
    kind = config.get("kind", "gan")
    figures = {"kind": kind, "data": data, "steps": config["steps_done"], "batch": config["batch"]}
    trained = MODELS[name]
    figures["arguments"] = trained.shown(data)
    if config["steps"] != trained.length():
        figures["arguments"] += _length(config, len(dataset))
    model = fitting.load(folder.path)
    if kind == "gan":
        made = gan.sample(model, max(SCORED, COUNT), SEED)
        figures |= {"distance": distance(made, dataset.images), "floor": floor(dataset.images)}
        content = grid(made[: COUNT // 2 if MODELS[name].colour else COUNT], COLUMNS)  # colour pictures are large files
    elif kind == "restoration":
        figures["results"] = config["results"]
        held_out = test.images[:: max(1, len(test) // 9)][:9]
        content = grid(restoration.evaluate(model, held_out, np.random.default_rng(SEED)).examples(9), 12)
    else:
        figures["accuracy"] = config["results"]["accuracy"]
        figures["wrong"], content = mistakes(model, test)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pictures.small(png(enlarged(content, WIDE))))
    return figures


def _length(config: dict, images: int) -> list[str]:
    """The options for the length of a run, if it differs from its model's default."""
    model = models.build(config["model"], config["image_shape"], **(config.get("options") or {}))
    if hasattr(model, "first_epochs"):
        usual = model.first_epochs * (images // model.batch), model.batch
    else:
        usual = model.first_run
    given = {"--steps": config["steps"], "--batch": config["batch"]}
    return [
        word
        for (option, number), normal in zip(given.items(), usual, strict=True)
        if number != normal
        for word in (option, str(number))
    ]


def mistakes(model, test: Dataset) -> tuple[list[str], np.ndarray]:
    """The most confident mistakes of a classifier: class and prediction, such as "4 → 9", and a picture of them."""
    from minigan.classifier.pictures import surest_mistakes

    logits = model.logits(test.images)
    chosen = surest_mistakes(test.labels, logits)[:COLUMNS]
    words = [f"{test.classes[test.labels[i]]} → {test.classes[logits[i].argmax()]}" for i in chosen]
    return words, grid(test.images[chosen], COLUMNS)


def make(name: str, sources: Sources, runs: Path, folder: Path, steps: int | None = None) -> dict:
    """Train a model if necessary, draw its images to folder/documents-NAME.png, and return its figures."""
    size = MODELS[name].size or models.size_for(MODELS[name].arguments[0], PIXELS, PIXELS)
    data, data_dir = sources.of(MODELS[name])
    dataset, test = load_splits(data, data_dir, size=size)
    run = train(name, sources, runs, steps)
    said = Path(data).name if MODELS[name].colour else dataset.name
    return show_run(name, said, run, dataset, test, folder / f"documents-{name}.png")


def show(name: str, figures: dict | None) -> str | None:
    """The command, picture and figures of a model as Markdown."""
    if figures is None:
        return None
    command = shlex.join(["minigan", "train", *figures["arguments"], "--data", figures["data"]])
    length = f"{figures['steps']:,} steps of {figures['batch']} images"
    parts = [f"`{command}` ({length}):", f"![{name}](pictures/documents-{name}.png)"]
    if figures["kind"] == "restoration":
        rows = [[form, f"{of['psnr']:.2f} dB", f"{of['ssim']:.3f}"] for form, of in restored(figures).items()]
        parts.append("Three examples per row: the damaged image, the baseline, the network's output, the original.")
        parts.append(table([f"{figures['results']['images']:,} held-out images", "PSNR", "SSIM"], rows))
    elif figures["kind"] == "classifier":
        wrong = ", ".join(figures["wrong"])
        parts.append(
            f"{figures['accuracy']:.2%} of the test images are classified correctly. The most confident mistakes "
            f"(class → prediction): {wrong}."
        )
    else:
        parts.append(
            f"Frechet distance of {FEATURES}, 1,000 samples to 1,000 training images: {figures['distance']:.2f} (other "
            f"real images: {figures['floor']:.2f})."
        )
    return "\n\n".join(parts)


def restored(figures: dict) -> dict:
    """Title -> psnr and ssim."""
    words = {"damaged": "damaged", "baseline": "baseline", "restored": "the network"}
    return {words[form]: figures["results"][form] for form in words}


MODELS.update(_models())
