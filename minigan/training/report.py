"""A run on one page that needs nothing but itself: pictures, curves, settings, networks, environment."""

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

    lines: a label for each curve -> the number's name in the records
    percent: they are shares, drawn from 0% to 100%
    """

    title: str
    lines: dict[str, str]
    percent: bool = False


@dataclass(frozen=True)
class Shown:
    """The parts of a report that a kind of training words itself.

    caption: what the grids show, before "after step 300"
    along: a sentence on the grids along the way
    curves, about_curves: figures, and a sentence on how to read them
    facts: a label -> the name in the records of a number, whose mean over the last steps is shown at the top
    results: a label -> what was measured at the end, shown at the top before all else
    settings: rows of the table of settings, besides those of all runs
    pictures: the names of `Loop.pictures()` -> what each shows
    """

    caption: str = "Results"
    along: str = ""
    curves: tuple[Curves, ...] = ()
    about_curves: str = "Lines are means of a few steps, bands their range."
    facts: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict:
        """All of it as JSON keeps it."""
        return asdict(self)


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


POINTS = 100  # that a curve is drawn with
INK, LINE = "#010203", "#040506"  # stand for the page's own colours, which are put in afterwards


def curves(steps: np.ndarray, series: dict[str, tuple[str, np.ndarray]], percent: bool = False) -> str:
    """Curves over steps as an <svg> element for a page.

    steps: (steps,)
    series: label -> (CSS variable with the colour, values (steps,))
    percent: values are shares, drawn from 0% to 100%; others get their range as a band around them
    """
    from matplotlib.figure import Figure

    series = {_label(label): line for label, line in series.items()}
    settings = {
        "svg.fonttype": "none",  # text stays text, in the page's fonts
        "svg.hashsalt": "-".join(series),  # the same ids every time, and others in every figure of a page
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
    """A label that a legend shows: it leaves out those that are empty or begin with _."""
    text = printable(text, LONGEST)
    return text if text[:1] not in ("", "_") else f" {text}"


def _draw(axes, steps, values, label, colour, banded):
    """The mean of each few steps and, where two bands can be told apart, one from the lowest to the highest of them."""
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
    """From where to where an axis with these curves goes: 0 is on it, a few outliers need not be."""
    curves = [finite for values in curves if len(finite := values[np.isfinite(values)])] or [np.zeros(1)]
    low = min(0.0, *(float(np.quantile(values, 0.01)) for values in curves))
    high = max(0.0, *(float(np.quantile(values, 0.99)) for values in curves))
    margin = 0.15 * (high - low) or 1.0
    return low - margin if low < 0 else 0.0, high + margin if high > 0 or not low else 0.0


def _for_page(svg, colours):
    """The element alone, without what only a file of its own needs, in the page's colours and fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # names that nothing refers to, the same in every figure
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for colour, variable in {INK: "--ink-soft", LINE: "--line", **colours}.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
