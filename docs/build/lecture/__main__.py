"""Write the tables of docs/kernels.md and draw its pictures: `python -m docs.build.lecture`.

Replaces the text between `<!-- table: NAME -->` and `<!-- end -->`. Nothing is measured: FLOPs, bytes and addresses are
counted, some of them on the device sim, which needs g++.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from docs.build.lecture import draw_roofline, draw_sums, draw_tiles, draw_windows
from docs.build.lecture.draw import save
from docs.build.lecture.tables import TABLES

DOCS = Path(__file__).parents[2]
SECTION = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
PICTURES = {
    "im2col": draw_windows.im2col,
    "phases": draw_windows.transposed,
    "tiles": draw_tiles.ownership,
    "banks": draw_tiles.banks,
    "fold": draw_sums.fold,
    "mma": draw_tiles.fragments,
    "roofline": draw_roofline.roofline,
    "fibers": draw_sums.fibers,
}


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.build.lecture", description=__doc__.partition(":")[0])
    parser.add_argument("--document", type=Path, default=DOCS / "kernels.md", metavar="FILE")
    parser.add_argument("--pictures", type=Path, default=DOCS / "pictures", metavar="FOLDER")
    given = parser.parse_args(arguments)
    given.document.write_text(filled(given.document.read_text()))
    for name, picture in PICTURES.items():
        save(picture, given.pictures / f"kernels-{name}.png")
    return 0


def filled(text: str) -> str:
    """The page with up-to-date tables."""
    return SECTION.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[4]}", text)


if __name__ == "__main__":
    sys.exit(main())
