"""How good are the models' images? Each is trained on MNIST as by `minigan train`, with several seeds, and 10,000
images of each network are scored as by `minigan evaluate`; three models are also trained in PyTorch.

    python -m benchmarks.experiments.quality [--only MODEL ...] [--seeds 3] [--data-dir FOLDER] [--engine minigan]

The judge is `minigan train cnn --data mnist`. Networks in PyTorch have the same initial weights, batches, noise and
recipe. Trained networks stay in the folder of the runs and scores in the file of results, so an interrupted measurement
resumes where it stopped. The table of scores and samples of each first seed are written to docs/documents.md, or for a
rehearsal (--steps, --count) to the folder of the runs.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.experiments.common import trained
from benchmarks.request import positive
from docs.build.errata import measured, page, pictures
from docs.build.errata.measured import GENERATING
from minigan import classifier, kinds, models
from minigan.data import Batches, load, load_splits
from minigan.errors import DataError, MiniganError
from minigan.evaluation import Reference
from minigan.training import files, fitting
from minigan.training.grids import enlarged, grid, png

DATA = "mnist"
COUNT = 10_000  # scored images per network
SHOWN, COLUMNS, WIDE = 48, 12, 800  # samples in a picture and per row; approximate width in pixels
ENGINES = ("minigan", "torch")
PEERS = ("dcgan", "mlp-gan", "wgan")  # also trained in PyTorch
DOCS, FILE = Path(__file__).parents[2] / "docs", measured.RESULTS / "quality.json"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.experiments.quality", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--only", nargs="+", choices=GENERATING, metavar="MODEL", help=f"of {', '.join(GENERATING)}")
    parser.add_argument("--engine", choices=ENGINES, help="only networks of this engine")
    parser.add_argument("--seeds", type=positive, default=3, metavar="N", help="networks of each model [3]")
    parser.add_argument("--data-dir", metavar="FOLDER", help="the folder of MNIST's files; prevents a download")
    parser.add_argument("--classifier", type=Path, metavar="RUN", help="the judge [RUNS/cnn, trained if necessary]")
    parser.add_argument("--runs", type=Path, default=Path("runs/quality"), help="the folder of all runs [runs/quality]")
    parser.add_argument("--results", type=Path, metavar="FILE", help=f"[benchmarks/results/training/{FILE.name}]")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="the folder of the page and its pictures [docs]")
    parser.add_argument("--steps", type=positive, metavar="N", help="steps of every model, for a rehearsal")
    parser.add_argument("--count", type=positive, default=COUNT, metavar="N", help="images, for a rehearsal [10000]")
    given = parser.parse_args(arguments)
    rehearsal = given.steps is not None or given.count != COUNT
    given.results = given.results or (given.runs / FILE.name if rehearsal else FILE)
    given.docs = given.docs or (given.runs if rehearsal else DOCS)
    try:
        run(given)
    except MiniganError as error:
        print(f"benchmarks.experiments.quality: {error}", file=sys.stderr)
        return 1
    return 0


def run(given) -> None:
    """Train and score the requested networks, one after the other, and save each result at once."""
    wanted = given.only or GENERATING
    engines = {name: [one for one in engines_of(name) if given.engine in (None, one)] for name in wanted}
    if any("torch" in of for of in engines.values()) and importlib.util.find_spec("torch") is None:
        raise MiniganError("PyTorch is not installed: pip install -e '.[parity]', or skip it (--engine minigan)")
    given.runs.mkdir(parents=True, exist_ok=True)
    source = ["--data", DATA, *(["--data-dir", given.data_dir] if given.data_dir else [])]
    folder = given.classifier or trained(given.runs / "cnn", ["cnn", *source]).path
    judge = Reference(classifier.load(folder), *load_splits(DATA, given.data_dir))
    results = Results(given.results, judge, given.count)
    for name, seed, engine in ((n, s, e) for n in wanted for s in range(given.seeds) for e in engines[n]):
        network = (Ours if engine == "minigan" else Theirs)(name, seed, given, source)
        if not results.has(network):
            results.add(network, judge.evaluate(network.images(given.count), seed))
        if seed == 0 and engine == "minigan":
            (given.docs / "pictures").mkdir(parents=True, exist_ok=True)
            files.write(given.docs / "pictures" / f"documents-{name}.png", picture(network.images(SHOWN)))
        frechet = results.content["models"][name]["networks"][engine][str(seed)]["frechet"]
        print(f"{name}, seed {seed}, {engine}: Frechet distance {frechet:.2f}", flush=True)
    print(f"\n{measured.quality(results.content)}")
    document = given.docs / "documents.md"
    if document.exists():
        filled = page.filled(document.read_text(), page.read(given.docs / "errata.json"), given.results.parent)
        files.write(document, filled.encode())


def engines_of(name: str) -> tuple[str, ...]:
    """The engines in which a model is trained."""
    return ENGINES if name in PEERS else ENGINES[:1]


def picture(images: np.ndarray) -> bytes:
    """Samples as a PNG file."""
    return pictures.small(png(enlarged(grid(images, COLUMNS), WIDE)))


class Ours:
    """A network that `minigan train` has trained."""

    engine = "minigan"

    def __init__(self, name: str, seed: int, given, source: list[str]):
        steps, batch = models.build(name, shape_for(name)).first_run
        arguments = [name, *source, "--seed", str(seed)]
        arguments += ["--steps", str(given.steps), "--batch", str(batch)] if given.steps else []
        run = trained(given.runs / f"{name}-seed-{seed}", arguments, given.steps or steps)
        config = run.config()
        self.name, self.seed = name, seed
        self.kind = kinds.kind_of_model(name)
        self.model = fitting.load(run.path)
        self.length = {"steps": config["steps"], "batch": config["batch"]}
        self.digest = self.model.digest()

    def images(self, count: int) -> np.ndarray:
        """Images (count, H, W, C), uint8, as from `minigan sample` and `minigan evaluate` with the network's seed."""
        return self.kind.sample(self.model, count, self.seed)


class Theirs:
    """A network trained by PyTorch, whose images are saved.

    raises DataError for a file that this did not write
    """

    engine = "torch"

    def __init__(self, name: str, seed: int, given, _source):
        dataset = load(DATA, given.data_dir, size=models.size_for(name, 28, 28))
        gan = models.build(name, dataset.shape, seed, len(dataset.classes))
        first, self.name, self.seed = gan.first_run, name, seed
        self.length = {"steps": given.steps or first[0], "batch": first[1]}
        wanted = json.dumps({**self.length, "recipe": gan.recipe.plain(), "count": given.count})
        file = given.runs / f"{name}-seed-{seed}-torch.npz"
        self._images = _kept(file, wanted)
        if self._images is None:
            self._images = _in_torch(gan, dataset, seed, self.length, given.count)
            np.savez_compressed(file, images=self._images, settings=wanted)
        self.digest = hashlib.sha256(self._images.tobytes()).hexdigest()[:8]

    def images(self, count: int) -> np.ndarray:
        """Images (count, H, W, C), uint8, from the same noise as minigan's."""
        return self._images[:count]


def _kept(file, wanted):
    """The images of a file if they were made with these settings, or None."""
    if not file.exists():
        return None
    try:
        with np.load(file) as kept:
            return kept["images"] if str(kept["settings"]) == wanted else None
    except (ValueError, OSError, KeyError) as error:
        raise DataError(f"{file}: not images written by this experiment ({error}); remove it to train again") from error


def _in_torch(gan, dataset, seed, length, count):
    import torch

    from benchmarks.peers import torch_recipes
    from minigan.kernels.cpu.runtime.threads import get_threads

    torch.set_num_threads(get_threads())
    with Batches(dataset.images, batch_size=length["batch"], seed=seed) as batches:
        trainer = torch_recipes.trained(gan, batches, seed, length["steps"])
    return torch_recipes.sampled(trainer, gan, count, seed)


def shape_for(name: str) -> tuple[int, int, int]:
    """The shape of a model's images of MNIST."""
    size = models.size_for(name, 28, 28) or 28
    return size, size, 1


class Results:
    """A file of scores from one judge.

    {"data", "judge", "training", "classes", "count", "floor": {seed: scores}, "models": {name: {"steps", "batch",
    "networks": {engine: {seed: {"digest", scores ...}}}}}}

    raises DataError for a file with scores from another judge, or for other numbers of images
    """

    def __init__(self, file: Path, judge: Reference, count: int):
        if not file.parent.is_dir():
            raise DataError(f"{file}: the folder {file.parent} does not exist")
        self.file = file
        new = {"data": judge.train.name, "judge": asdict(judge.judge), "training": len(judge.train)}
        new |= {"classes": judge.classifier.classes, "count": min(count, len(judge.train), len(judge.test))}
        try:
            self.content = json.loads(file.read_text()) if file.exists() else {**new, "floor": {}, "models": {}}
            before = {name: self.content[name] for name in new}
        except (ValueError, LookupError, TypeError) as error:
            raise DataError(f"{file}: not results of this experiment ({error!r}); choose another --results") from error
        if before != new:
            raise DataError(
                f"{file}: its scores are for {before}, but new ones would be for {new}; choose another --results, or "
                "remove it to score all networks again"
            )

    def has(self, network: Ours | Theirs) -> bool:
        """Whether there is a score of exactly this network."""
        of_model = self.content["models"].get(network.name, {})
        score = of_model.get("networks", {}).get(network.engine, {}).get(str(network.seed), {})
        return score.get("digest") == network.digest and network.length.items() <= of_model.items()

    def add(self, network: Ours | Theirs, found) -> None:
        """Add a score to a model's; drops scores of runs of another length."""
        plain, of_all = found.plain(), self.content["models"]
        if not network.length.items() <= of_all.get(network.name, {}).items():
            of_all[network.name] = {**network.length, "networks": {}}
        networks = of_all[network.name]["networks"].setdefault(network.engine, {})
        networks[str(network.seed)] = {"digest": network.digest, **plain["made"]}
        self.content["floor"][str(network.seed)] = plain["floor"]
        self.content["models"] = {name: of_all[name] for name in GENERATING if name in of_all}
        files.write(self.file, (json.dumps(self.content, indent=1) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
