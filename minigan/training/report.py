"""A run on one page that needs nothing but itself: pictures, curves, settings, networks, environment."""

import base64
import itertools
from pathlib import Path

import numpy as np

from minigan.training import files
from minigan.training.drawing import printable
from minigan.training.errors import RunError
from minigan.training.folder import REPORT, RunFolder, step_of
from minigan.training.plots import curves
from minigan.training.progress import clock

COLOURS = ("--first", "--second", "--third", "--fourth")
STRIP = 8  # grids shown small, along the way
TEMPLATE = Path(__file__).with_name("report.html")


def write(folder: RunFolder) -> Path:
    """Write report.html from what else is in the folder. Raises RunError where that fails."""
    path = folder / REPORT
    files.write(path, render(folder).encode())
    return path


def render(folder: RunFolder) -> str:
    """The page, as HTML that loads nothing."""
    from jinja2 import Environment

    config, log = folder.config(), folder.log()
    if not log:
        raise RunError(f"{folder.path}: no step was done, so there is nothing to report")
    template = Environment(autoescape=True, finalize=_plain, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    environment = folder.environment()
    peak_memory = environment.pop("peak_memory", None)
    shown = config["shown"]
    grids = [{"step": step_of(grid), "source": _inline(grid)} for grid in folder.grids()]
    return template.render(
        config=config,
        shown=shown,
        title=f"{config['model']} on {config['data']}",
        grids=_spread(grids, STRIP),
        last=grids[-1] if grids else None,
        pictures=[
            {"caption": shown["pictures"][file.stem], "source": _inline(file)}
            for file in folder.pictures()
            if file.is_file()
        ],
        figures=list(_figures(shown["curves"], log)),
        facts=_facts(config, log, peak_memory),
        settings=_settings(config),
        environment={k.replace("_", " "): v for k, v in environment.items() if v is not None},
        networks=[(title, config["parameters"][title], _layers(text)) for title, text in config["networks"].items()],
    )


def _plain(value):
    """Text as a page can hold it; what is markup already stays."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else printable(value, lines=True)


def _inline(file):
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _spread(items, most):
    """At most `most` of the items, evenly spread, including the first and the last."""
    if len(items) <= most:
        return items
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, most)]


def _column(log, name):
    return np.array([record[name] for record in log], np.float64)


def _figures(figures, log):
    """(title, svg) of each figure, every line in a colour of its own as long as there are colours."""
    colours = itertools.cycle(COLOURS)
    for figure in figures:
        series = {label: (next(colours), _column(log, name)) for label, name in figure["lines"].items()}
        yield figure["title"], curves(_column(log, "step"), series, figure["percent"])


def _facts(config, log, peak_memory):
    """The figures at the top: what a reader asks first."""
    seconds = _column(log, "seconds")
    facts = {**config["shown"]["results"], "steps": f"{config['steps_done']:,}", "time": clock(seconds[-1])}
    median = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0
    if median > 0:  # a clock may be too coarse for the steps
        facts["a step (median)"] = f"{median * 1e3:.0f} ms" if median < 10 else f"{median:.1f} s"
        facts["images a second"] = f"{config['batch'] / median:,.0f}"
    last = log[-50:]
    for label, name in config["shown"]["facts"].items():
        facts[label] = f"{_column(last, name).mean():.3f}"
    facts["parameters"] = f"{sum(config['parameters'].values()):,}"
    if peak_memory:
        facts["memory, at most"] = f"{peak_memory / 2**20:,.0f} MiB"
    return facts


def _layers(network):
    """A network as it prints, without the line that counts the parameters, which stands above it."""
    return network.rpartition("\n")[0] or network


def _settings(config):
    """What was asked for, as rows of a table."""
    augment = config.get("augment") or {}
    changes = [name if value is True else f"{name} {value}" for name, value in augment.items() if value]
    return {
        "model": config["model"],
        "image shape": " × ".join(map(str, config["image_shape"])),
        "data": f"{config['data']}, {config['images']:,} images",
        "augmentation": ", ".join(changes) or "none",
        **config["shown"]["settings"],
        "batch": config["batch"],
        "steps": f"{config['steps']:,}" + (f" ({config['epochs']} epochs)" if config.get("epochs") else ""),
        "seed": config["seed"],
    }
