"""Models that restore or classify, and GANs of coloured and larger images, trained by their defaults: the command, and
a picture of what each makes. Those that generate MNIST's digits are `benchmarks.experiments.quality`'s.

A model's run folder is kept, and one that is there is not trained again.
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
WIDE = 800  # pixels of it, about
PIXELS = 28  # of the data's images
DECONVNET = 32  # as the document has them
ADVERSARIAL = "0.01"  # the weight of that term
MODELS: dict[str, Trained] = {}


@dataclass(frozen=True)
class Trained:
    """A model as `minigan train` trains it.

    arguments: of the command, besides the data
    size: pixels that images are resized to; None leaves them
    colour: whether it learns from the coloured images, not from the page's data set
    features: the name of the model that `--features` takes the hidden layers of
    """

    arguments: tuple[str, ...]
    size: int | None = None
    colour: bool = False
    features: str | None = None

    def options(self, features: str | Path) -> list[str]:
        """All arguments but those that say where the data are and the run goes.

        features: the folder of the run that `--features` names, where the model has it
        """
        given = ["--features", str(features)] if self.features else []
        return [*self.arguments, *given, *(["--size", str(self.size)] if self.size else [])]

    def shown(self, data: str) -> list[str]:
        """The options as a reader of the page gives them, whose runs are where `minigan train` puts them."""
        return self.options(f"runs/{self.features}-{data}")

    def length(self) -> int | None:
        """The steps that the arguments give."""
        return int(self.arguments[self.arguments.index("--steps") + 1]) if "--steps" in self.arguments else None


@dataclass(frozen=True)
class Sources:
    """Where images come from.

    data, data_dir: as `minigan train` has them, a set of 28 x 28 grey images
    colour: a folder or an archive of coloured images; None where there are none
    """

    data: str
    data_dir: str | None = None
    colour: str | None = None

    def of(self, trained: Trained) -> tuple[str, str | None]:
        """The --data and the --data-dir that a model learns from. Raises MiniganError where it has none."""
        if not trained.colour:
            return self.data, self.data_dir
        if self.colour is None:
            raise MiniganError(
                f"{trained.arguments[0]} is trained on coloured images too: --colour says where they are; --only NAME "
                "trains one of the models that need none"
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
    """The run folder of a model, trained unless it is there; and before it the one whose features it takes.

    steps: other than the model's own, for a rehearsal
    raises MiniganError where training fails
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
    """Draw what a model makes, and say how good it is: figures of its run.

    data: what the page says of where the data are
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
        content = grid(made[: COUNT // 2 if MODELS[name].colour else COUNT], COLUMNS)  # colours make large files
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
    """The options that say how long a run was, if it was not as long as its model would be by itself."""
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
    """The surest mistakes of a classifier: what each is and what was said, "4 → 9", and a picture of them in order."""
    from minigan.classifier.pictures import surest_mistakes

    logits = model.logits(test.images)
    chosen = surest_mistakes(test.labels, logits)[:COLUMNS]
    words = [f"{test.classes[test.labels[i]]} → {test.classes[logits[i].argmax()]}" for i in chosen]
    return words, grid(test.images[chosen], COLUMNS)


def make(name: str, sources: Sources, runs: Path, folder: Path, steps: int | None = None) -> dict:
    """Train a model if need be, and draw what it makes into folder/documents-NAME.png. Returns its figures."""
    size = MODELS[name].size or models.size_for(MODELS[name].arguments[0], PIXELS, PIXELS)
    data, data_dir = sources.of(MODELS[name])
    dataset, test = load_splits(data, data_dir, size=size)
    run = train(name, sources, runs, steps)
    said = Path(data).name if MODELS[name].colour else dataset.name
    return show_run(name, said, run, dataset, test, folder / f"documents-{name}.png")


def show(name: str, figures: dict | None) -> str | None:
    """The command, the picture and the figures of a model, as Markdown."""
    if figures is None:
        return None
    command = shlex.join(["minigan", "train", *figures["arguments"], "--data", figures["data"]])
    length = f"{figures['steps']:,} steps of {figures['batch']} images"
    parts = [f"`{command}` ({length}):", f"![{name}](pictures/documents-{name}.png)"]
    if figures["kind"] == "restoration":
        rows = [[form, f"{of['psnr']:.2f} dB", f"{of['ssim']:.3f}"] for form, of in restored(figures).items()]
        parts.append("Three examples in a row, of each the damaged image, the plain remedy, the network's, the truth.")
        parts.append(table([f"{figures['results']['images']:,} held-out images", "PSNR", "SSIM"], rows))
    elif figures["kind"] == "classifier":
        wrong = ", ".join(figures["wrong"])
        parts.append(f"{figures['accuracy']:.2%} of the test images are right. The surest mistakes: {wrong}.")
    else:
        parts.append(
            f"Frechet distance of {FEATURES}, 1,000 samples to 1,000 training images: {figures['distance']:.2f} (other "
            f"real images: {figures['floor']:.2f})."
        )
    return "\n\n".join(parts)


def restored(figures: dict) -> dict:
    """form -> psnr and ssim."""
    words = {"damaged": "damaged", "baseline": "plain remedy", "restored": "the network"}
    return {words[form]: figures["results"][form] for form in words}


MODELS.update(_models())
