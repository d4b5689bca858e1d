"""Write the figures of the experiments into docs/documents.md.

The figures come from docs/errata.json, and from benchmarks/results/training where measuring takes hours. The section
between `<!-- figures: NAME -->` and `<!-- end -->` has the picture and the text of the experiment NAME; the rest of the
page is written by hand.
"""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

from docs.build.errata import deconvnet, deconvolution, dense_conv_gan, measured, mlp_gan, rgan, samples, wgan
from docs.build.errata.experiment import Experiment
from minigan.errors import DataError
from minigan.training import files

SECTION = re.compile(r"(<!-- figures: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
MODULES = (deconvolution, rgan, mlp_gan, deconvnet, wgan, dense_conv_gan)
EXPERIMENTS: dict[str, Experiment] = {one.name: one for module in MODULES for one in module.EXPERIMENTS}
WIDTH, UNBROKEN = 120, {"break_long_words": False, "break_on_hyphens": False}
EMPTY = {"origin": {}, "experiments": {}, "samples": {}}


def read(path: Path) -> dict:
    """The figures of a file, empty if it does not exist. Raises DataError for a file of anything else."""
    if not path.exists():
        return {name: {} for name in EMPTY}
    try:
        figures = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path}: not figures that `python -m docs.build.errata` wrote ({error})") from error
    if not isinstance(figures, dict) or figures.keys() != EMPTY.keys():
        raise DataError(f"{path}: not figures that `python -m docs.build.errata` wrote")
    return figures


def write(path: Path, figures: dict) -> None:
    """Write the figures as JSON, in the page's order."""
    order = {name: figures["experiments"][name] for name in EXPERIMENTS if name in figures["experiments"]}
    made = {name: figures["samples"][name] for name in samples.MODELS if name in figures["samples"]}
    content = {"origin": figures["origin"], "experiments": order, "samples": made}
    files.write(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def filled(text: str, figures: dict, results: Path = measured.RESULTS) -> str:
    """The page with all available figures filled in.

    results: the folder of results that take hours to measure
    raises DataError for a section that belongs to no experiment or model
    """
    return SECTION.sub(lambda found: _section(found, figures, results), text)


def _section(found, figures, results):
    begin, name, _before, end = found.groups()
    if name == "origin":
        content = origin(figures["origin"])
    elif name in EXPERIMENTS:
        content = shown(EXPERIMENTS[name], figures["experiments"].get(name))
    elif name in samples.MODELS:
        content = samples.show(name, figures["samples"].get(name))
    elif name in (*measured.TABLES, *measured.GENERATING):
        content = measured.show(name, results)
    else:
        known = ", ".join(["origin", *EXPERIMENTS, *samples.MODELS, *measured.TABLES, *measured.GENERATING])
        raise DataError(f"the page has a section for {name!r}, but there are only: {known}")
    return found[0] if content is None else f"{begin}\n{wrapped(content)}\n\n{end}"


def wrapped(text: str) -> str:
    """Wrap the paragraphs of Markdown to the page's width, but not tables, lists, pictures and code."""
    parts = text.split("\n\n")
    return "\n\n".join(
        part if part.startswith(("|", "-", "!", "`", "<")) else textwrap.fill(part, WIDTH, **UNBROKEN) for part in parts
    )


def shown(experiment: Experiment, figures: dict | None) -> str | None:
    """An experiment's picture and text, or None without figures."""
    if figures is None:
        return None
    words = experiment.show(figures)
    return f"![{experiment.name}](pictures/{experiment.picture})\n\n{words}" if experiment.picture else words


def origin(figures: dict) -> str | None:
    """The dataset, versions and seed of the figures."""
    if not figures:
        return None
    return (
        f"<sub>Dataset: {figures['data']}, {figures['images']:,} images; minigan {figures['minigan']}, NumPy "
        f"{figures['numpy']}; seed {figures['seed']} everywhere.</sub>"
    )
