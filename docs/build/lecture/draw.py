"""Shared by the pictures of docs/kernels.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.build.charts import FAINT, INK, OURS, PEER, STYLE

GOLD, GREEN, PALE, GREY = "#d9a441", "#6b8f5e", "#f4f1ec", "#8c8c8c"
COLOURS = (OURS, PEER, GOLD, GREEN)
PLAIN = STYLE | {"axes.spines.left": False, "axes.spines.bottom": False, "axes.titlesize": 10}

__all__ = ["COLOURS", "FAINT", "GOLD", "GREEN", "GREY", "INK", "OURS", "PALE", "PEER", "arrow", "bare", "cell", "save"]


def save(picture: Callable, path: Path) -> None:
    """Save a picture, given as a function of pyplot that returns a figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context(PLAIN):
        figure = picture(pyplot)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
        pyplot.close(figure)


def bare(axes, width: float, height: float, title: str = "", margin: float = 0.15) -> None:
    """Turn axes into a sheet of cells, with the first one at the top left."""
    axes.set_xlim(-margin, width + margin)
    axes.set_ylim(height + margin, -margin)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title)


def cell(axes, x, y, colour=PALE, text="", *, width=1.0, height=1.0, edge="white", ink=INK, size=7.5, line=1.0, **more):
    """A rectangle with a text and its top left corner at x, y."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor=edge, linewidth=line, **more))
    if text != "":
        axes.text(x + width / 2, y + height / 2, str(text), ha="center", va="center", fontsize=size, color=ink)


def frame(axes, x, y, width, height, colour=INK, line=1.8):
    """An empty rectangle."""
    cell(axes, x, y, "none", width=width, height=height, edge=colour, line=line, zorder=3)


def arrow(axes, start, end, colour=INK, line=1.2, style="-|>", bend=0.0):
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": style,
            "color": colour,
            "linewidth": line,
            "shrinkA": 1,
            "shrinkB": 1,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )
