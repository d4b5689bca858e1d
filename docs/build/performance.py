"""Write benchmark results into docs/performance.md, as tables and charts: `python -m docs.build.performance`.

Reads benchmarks/results/*.json, written by `python -m benchmarks SUITE --json FILE`, and replaces the text between
`<!-- results: SUITE -->` and `<!-- end -->` for every suite that has results.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from pathlib import Path

from docs.build.charts import DIRECTIONS, draw, layer_of, short_time
from minigan.errors import DataError

ROOT = Path(__file__).parents[2]
SECTION = r"(<!-- results: {} -->\n)(.*?)(<!-- end -->)"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.build.performance", description=__doc__.partition(":")[0])
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results", metavar="FOLDER")
    parser.add_argument("--document", type=Path, default=ROOT / "docs" / "performance.md", metavar="FILE")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "pictures", metavar="FOLDER")
    given = parser.parse_args(arguments)
    try:
        text = given.document.read_text()
        for path in sorted(given.results.glob("*.json")):
            text = filled(text, path, given.pictures, given.document.parent)
    except DataError as error:
        print(f"docs.build.performance: {error}", file=sys.stderr)
        return 1
    given.document.write_text(text)
    return 0


def filled(text: str, path: Path, pictures: Path, beside: Path) -> str:
    """Return the document with the results of one file filled in.

    pictures: the folder for charts; beside: the document's folder, to which links are relative
    raises DataError if the file holds no results, or the document has no section for its suite
    """
    try:
        results = json.loads(path.read_text())
        records, suite = results["records"], results["records"][0]["suite"]
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path}: not results that `python -m benchmarks` wrote ({error!r})") from error
    pattern = re.compile(SECTION.format(re.escape(suite)), re.DOTALL)
    if suite not in TABLES or not pattern.search(text):
        raise DataError(f"{path}: the document has no section for the suite {suite!r}")
    parts = [TABLES[suite](records), origin(results)]
    picture = draw(records, pictures)
    if picture is not None:
        link = Path(os.path.relpath(picture, beside)).as_posix()
        parts.insert(1, f"![{suite}: chart]({link})")
    return pattern.sub(lambda found: found[1] + "\n" + "\n\n".join(parts) + "\n\n" + found[3], text, count=1)


def origin(results: dict) -> str:
    """A line with the machine, the versions and the ceilings of a measurement."""
    machine, versions = results["machine"], dict(results["versions"])
    threads = sorted({one["threads"] for one in results["records"]})
    samples = sorted({one["samples"] for one in results["records"]})
    words = [
        f"{machine['processor']}, threads: {', '.join(map(str, threads))}",
        f"pairs of samples: {', '.join(map(str, samples))}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
    ]
    words += [
        f"ceilings with {found['threads']}: {found['products']:.0f} GFLOP/s, {found['copies']:.0f} GB/s"
        for found in machine.get("ceilings", [])
    ]
    return f"<sub>{'; '.join(words)}</sub>"


def table(heading: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with text in the first column and numbers in the others."""
    rule = ["---", *["--:" for _ in heading[1:]]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, rule, *rows))


def amounts(title: str, unit: str, write, *, rate: str = "", totals: bool = False):
    """Return a function that makes a table with a row per case: ours, the peer's, the ratio and its quartiles.

    unit: as in the records' names; write: formats such a number
    rate: the name of the ceiling; adds columns for the rate and its share of the ceiling
    totals: also show each process's peak memory
    """

    def rows(records):
        heading = [title, "minigan", "PyTorch", "variant", "ratio", "quartiles"]
        heading += [records[0]["rate_unit"], f"of {rate}"] if rate else []
        heading += ["peak, minigan", "peak, PyTorch"] if totals else []
        lines = []
        for one in records:
            peer = one["ratio"] is not None
            line = [one["case"], write(one[f"ours_{unit}"]), write(one[f"peer_{unit}"]) if peer else ""]
            line += [(one["peer"] or "").removeprefix("torch").strip(), f"**{one['ratio']:.2f}**" if peer else ""]
            line.append(f"{one['low']:.2f} to {one['high']:.2f}" if peer else "")
            line += [f"{one['rate']:.0f}", f"{one['share']:.0%}"] if rate else []
            line += [write(one["ours_peak_mb"]), write(one["peer_peak_mb"]) if peer else ""] if totals else []
            lines.append(line)
        return table(heading, lines)

    return rows


def convolutions(records: list[dict]) -> str:
    """A row per layer with the time and ratio of each direction; then the mean of the ratios and the worst."""
    cells = {}
    for one in records:
        layer, direction = layer_of(one["case"])
        layer += " *" if one["plain_product"] else ""
        ratio = "" if one["ratio"] is None else f", **{one['ratio']:.2f}**"
        cells.setdefault(layer, {})[direction] = f"{short_time(one['ours_ms'])}{ratio}"
    rows = [[layer, *(row.get(direction, "") for direction in DIRECTIONS)] for layer, row in cells.items()]
    parts = [table(["layer", *DIRECTIONS], rows)]
    compared = [one for one in records if one["ratio"] is not None]
    if compared:
        mean = math.exp(sum(math.log(one["ratio"]) for one in compared) / len(compared))
        worst = max(compared, key=lambda one: one["ratio"])
        parts.append(
            f"Geometric mean of {len(compared)} ratios: **{mean:.2f}**; the worst is {worst['ratio']:.2f}, "
            f"{worst['case']}."
        )
    return "\n\n".join(parts)


def profile(records: list[dict]) -> str:
    """A row per step with the share of each part."""
    rows = [
        [one["case"], short_time(one["ours_ms"]), *(f"{spent / one['ours_ms']:.0%}" for spent in one["parts"].values())]
        for one in records
    ]
    return table(["step", "total", *records[0]["parts"]], rows)


TABLES = {
    "overhead": amounts("", "us", "{:.2f} us".format),
    "kernels": amounts("kernel", "ms", short_time, rate="copy bandwidth"),
    "conv": convolutions,
    "step": amounts("step", "ms", short_time, rate="product peak"),
    "memory": amounts("step", "mb", "{:.0f} MB".format, totals=True),
    "cold": amounts("", "ms", short_time),
    "scaling": amounts("", "ms", short_time, rate="product peak"),
    "profile": profile,
}


if __name__ == "__main__":
    sys.exit(main())
