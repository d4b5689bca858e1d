"""Curves as SVG, small whatever the number of steps, in colours that the page around them chooses."""

import io
import re

import numpy as np

from minigan.training.drawing import LONGEST, drawing, printable

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
