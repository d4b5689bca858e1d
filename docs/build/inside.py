"""Draw docs/documents.md's pictures of networks trained by `benchmarks.experiments.quality`, with `minigan inspect`.

python -m docs.build.inside [--runs runs/quality] [--data mnist] [--data-dir FOLDER] [--docs docs]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from docs.build.errata.pictures import small
from minigan.tool.__main__ import main as minigan
from minigan.training import files

DOCS = Path(__file__).parents[1]
SHOWN = {  # run -> {picture of `minigan inspect`: name on the page}
    "cnn": {"views-6": "views", "saliency": "saliency"},
    "rgan-seed-0": {"directions": "directions"},
}


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.build.inside", description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/quality"), help="the folder of all runs [runs/quality]")
    parser.add_argument("--data", default="mnist", help="the classifier's training data [mnist]")
    parser.add_argument("--data-dir", metavar="FOLDER", help="the folder of its files")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="FOLDER", help="the folder of the page [docs]")
    given = parser.parse_args(arguments)
    source = ["--data", given.data, *(["--data-dir", given.data_dir] if given.data_dir else [])]
    (given.docs / "pictures").mkdir(parents=True, exist_ok=True)
    for run, shown in SHOWN.items():
        with tempfile.TemporaryDirectory() as folder:
            if minigan(["inspect", str(given.runs / run), *source, "--out", folder]):
                return 1
            for name, called in shown.items():
                content = small((Path(folder) / f"{name}.png").read_bytes())
                files.write(given.docs / "pictures" / f"documents-inside-{called}.png", content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
