"""python -m docs.build.errata [samples] [--only NAME] [--data SOURCE] [--data-dir FOLDER]"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

from docs.build.errata import page, samples
from docs.build.errata.training import SEED
from minigan import data
from minigan.errors import MiniganError
from minigan.training import files

DOCS = Path(__file__).parents[2]


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m docs.build.errata", description="Show mistakes in the documents and what minigan builds instead"
    )
    parser.add_argument("what", nargs="?", choices=["experiments", "samples", "page"], default="experiments")
    parser.add_argument("--only", metavar="NAME", help="a single experiment or model")
    parser.add_argument("--data", default="mnist", help="a dataset of 28 x 28 grey images [mnist]")
    parser.add_argument("--data-dir", metavar="FOLDER", help="the folder of its files")
    parser.add_argument("--colour", metavar="SOURCE", help="a folder or archive of coloured images, for samples")
    parser.add_argument("--steps", type=int, metavar="N", help="train for N steps only, as a rehearsal")
    parser.add_argument("--runs", type=Path, default=Path("runs/documents"), metavar="FOLDER", help="trained models")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="FOLDER", help="the folder of the page [docs]")
    given = parser.parse_args(arguments)
    try:
        run(given)
    except MiniganError as error:
        print(f"docs.build.errata: {error}", file=sys.stderr)
        return 1
    return 0


def run(given) -> None:
    """Run the experiments or train the models, and save each result at once."""
    keep(given.docs)
    if given.what == "experiments":
        dataset = data.load(given.data, given.data_dir)
        origin = {"data": dataset.name, "images": len(dataset), "seed": SEED}
        keep(given.docs, origin=origin | {name: version(name) for name in ("minigan", "numpy")})
        for name in chosen(page.EXPERIMENTS, given.only):
            one = page.EXPERIMENTS[name]
            print(name, flush=True)
            found = one.run(dataset.images, given.docs / "pictures", given.steps or one.steps)
            keep(given.docs, experiments={name: found})
    elif given.what == "samples":
        sources = samples.Sources(given.data, given.data_dir, given.colour)
        wanted = chosen(samples.MODELS, given.only)
        for name in wanted:
            sources.of(samples.MODELS[name])  # raises before any training
        for name in wanted:
            print(name, flush=True)
            where = given.runs, given.docs / "pictures"
            keep(given.docs, samples={name: samples.make(name, sources, *where, given.steps)})


def chosen(known, only: str | None) -> list[str]:
    """All names, or only one. Raises MiniganError if it does not exist."""
    if only is not None and only not in known:
        raise MiniganError(f"there is no {only!r}; there are: {', '.join(known)}")
    return list(known) if only is None else [only]


def keep(docs: Path, **found: dict) -> None:
    """Add results to the figures on disk, which other processes may have changed, and to the page."""
    figures = page.read(docs / "errata.json")
    for part, content in found.items():
        figures[part] |= content
    page.write(docs / "errata.json", figures)
    document = docs / "documents.md"
    if document.exists():
        files.write(document, page.filled(document.read_text(), figures).encode())


if __name__ == "__main__":
    sys.exit(main())
