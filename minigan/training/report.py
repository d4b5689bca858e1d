"""The report of a run: one self-contained page with pictures, curves, settings, networks and environment."""

import base64
import io
import itertools
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from minigan.errors import RunError
from minigan.training import files
from minigan.training.callbacks import clock
from minigan.training.folder import REPORT, RunFolder, step_of
from minigan.training.grids import LONGEST, drawing, printable


@dataclass(frozen=True)
class Curves:
    """One figure of curves over the steps.

    lines: the label of each curve -> the name of its number in the records
    percent: whether the numbers are shares, drawn from 0% to 100%
    """

    title: str
    lines: dict[str, str]
    percent: bool = False


@dataclass(frozen=True)
class Shown:
    """The parts of a report that are specific to a kind of training.

    caption: what the grids show, followed in the report by "after step 300"
    along: a sentence about the grids during training
    curves, about_curves: figures, and a sentence on how to read them
    facts: label -> the name of a number in the records; its mean over the last steps is shown at the top
    results: label -> a measurement at the end of the run, shown at the top before everything else
    settings: additional rows in the table of settings
    pictures: the names of `Loop.pictures()` -> captions
    """

    caption: str = "Results"
    along: str = ""
    curves: tuple[Curves, ...] = ()
    about_curves: str = "Lines are means over a few steps; bands show their range."
    facts: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict:
        """Convert to JSON values."""
        return asdict(self)


COLOURS = ("--first", "--second", "--third", "--fourth")
STRIP = 8  # small grids from during training
TEMPLATE = Path(__file__).with_name("report.html")


def write(folder: RunFolder) -> Path:
    """Write report.html from the other files in the folder. Raises RunError if that fails."""
    path = folder / REPORT
    files.write(path, render(folder).encode())
    return path


def render(folder: RunFolder) -> str:
    """Return the page as self-contained HTML."""
    from jinja2 import Environment

    config, log = folder.config(), folder.log()
    if not log:
        raise RunError(f"{folder.path}: no step has been done, so there is nothing to report")
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
    """Escape unprintable characters in text, but leave markup unchanged."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else printable(value, lines=True)


def _inline(file):
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _spread(items, most):
    """Select at most `most` items, evenly spaced, including the first and the last."""
    if len(items) <= most:
        return items
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, most)]


def _column(log, name):
    return np.array([record[name] for record in log], np.float64)


def _figures(figures, log):
    """Yield (title, svg) of each figure. Lines take the colours in turn."""
    colours = itertools.cycle(COLOURS)
    for figure in figures:
        series = {label: (next(colours), _column(log, name)) for label, name in figure["lines"].items()}
        yield figure["title"], curves(_column(log, "step"), series, figure["percent"])


def _facts(config, log, peak_memory):
    """Return the facts at the top of the report."""
    seconds = _column(log, "seconds")
    facts = {**config["shown"]["results"], "steps": f"{config['steps_done']:,}", "time": clock(seconds[-1])}
    median = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0
    if median > 0:  # the clock may be too coarse to measure a step
        facts["time per step (median)"] = f"{median * 1e3:.0f} ms" if median < 10 else f"{median:.1f} s"
        facts["images per second"] = f"{config['batch'] / median:,.0f}"
    last = log[-50:]
    for label, name in config["shown"]["facts"].items():
        facts[label] = f"{_column(last, name).mean():.3f}"
    facts["parameters"] = f"{sum(config['parameters'].values()):,}"
    if peak_memory:
        facts["peak memory"] = f"{peak_memory / 2**20:,.0f} MiB"
    return facts


def _layers(network):
    """Return a network's text without its last line, the number of parameters, which the page shows above it."""
    return network.rpartition("\n")[0] or network


def _settings(config):
    """Return the settings as rows of a table."""
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


POINTS = 100  # per curve
INK, LINE = "#010203", "#040506"  # placeholders for the page's own colours, replaced afterwards


def curves(steps: np.ndarray, series: dict[str, tuple[str, np.ndarray]], percent: bool = False) -> str:
    """Draw curves over steps as an <svg> element for a page.

    steps: (steps,)
    series: label -> (CSS variable with the colour, values (steps,))
    percent: whether values are shares, drawn from 0% to 100%; other values get a band that shows their range
    """
    from matplotlib.figure import Figure

    series = {_label(label): line for label, line in series.items()}
    settings = {
        "svg.fonttype": "none",  # text stays text, in the page's fonts
        "svg.hashsalt": "-".join(series),  # reproducible ids that differ between the figures of a page
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with drawing(**settings):
        figure = Figure(figsize=(5.2, 2.9), layout="constrained")
        axes = figure.add_subplot()
        colours = {f"#0{number}0a0b": variable for number, (variable, _) in enumerate(series.values(), 1)}
        for colour, (label, (_, values)) in zip(colours, series.items(), strict=True):
            _draw(axes, steps, values, label, colour, banded=not percent)
        _dress(axes, [values for _, values in series.values()], percent)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator"), None))
    return _for_page(buffer.getvalue(), colours)


def _label(text):
    """Make a label visible: matplotlib's legend omits labels that are empty or begin with _."""
    text = printable(text, LONGEST)
    return text if text[:1] not in ("", "_") else f" {text}"


def _draw(axes, steps, values, label, colour, banded):
    """Draw means over a few steps and, if `banded`, a band from their minimum to their maximum."""
    few = -(-len(steps) // POINTS)
    starts = np.arange(0, len(steps), few)
    counts = np.diff(np.append(starts, len(steps)))
    where = np.add.reduceat(steps, starts) / counts
    mean = np.add.reduceat(values, starts) / counts
    if few > 1 and banded:
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        axes.fill_between(where, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(where, mean, color=colour, linewidth=1.6, label=label, marker="o" if len(steps) == 1 else None)


def _dress(axes, curves, percent):
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0)
    axes.margins(x=0.01)
    axes.set_xlabel("step")
    if percent:
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    else:
        axes.set_ylim(*limits(curves))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(curves), frameon=False, handlelength=1.4)


def limits(curves: list[np.ndarray]) -> tuple[float, float]:
    """Return the limits of an axis for these curves. They include 0 but may cut off a few outliers."""
    curves = [finite for values in curves if len(finite := values[np.isfinite(values)])] or [np.zeros(1)]
    low = min(0.0, *(float(np.quantile(values, 0.01)) for values in curves))
    high = max(0.0, *(float(np.quantile(values, 0.99)) for values in curves))
    margin = 0.15 * (high - low) or 1.0
    return low - margin if low < 0 else 0.0, high + margin if high > 0 or not low else 0.0


def _for_page(svg, colours):
    """Reduce an SVG file to its <svg> element, with the page's colours and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # unused ids, the same in every figure
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for colour, variable in {INK: "--ink-soft", LINE: "--line", **colours}.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
