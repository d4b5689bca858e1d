"""Charts of the benchmark results, mostly ratios minigan / PyTorch with a line at 1: shorter is faster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

OURS, PEER, INK, FAINT = "#c2452d", "#4a6785", "#222222", "#d9d9d9"
DIRECTIONS = {"forward": ("#c2452d", "o"), "input gradient": ("#4a6785", "s"), "weight gradient": ("#d9a441", "^")}
STYLE = {
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "legend.frameon": False,
    "savefig.dpi": 150,
}
PARTS = ("#c2452d", "#dd8452", "#e8b98a", "#4a6785", "#7d9bb8", "#b7c9da", "#6b8f5e", "#d0d0d0")
WITHOUT_PEER = ("profile",)
RATIO = "minigan / PyTorch; the line is PyTorch"


def draw(records: list[dict], folder: Path) -> Path | None:
    """Draw one suite's records to folder/performance-SUITE.png; return None if there is nothing to compare."""
    suite = records[0]["suite"]
    compared = [one for one in records if one["ratio"] is not None or suite in WITHOUT_PEER]
    if suite not in PICTURES or not compared:
        return None
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context(STYLE):
        figure = PICTURES[suite](pyplot, compared)
        path = folder / f"performance-{suite}.png"
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
        pyplot.close(figure)
    return path


def bars(title: str, amount: Callable[[float], str], unit: str) -> Callable:
    """Return a function that draws a bar per case: its ratio, the quartiles as a line, both amounts beside it.

    unit: "ms" or "mb", as in the records' names; amount: formats such a number
    """

    def picture(pyplot, records):
        figure, axes = pyplot.subplots(figsize=(7.5, 0.9 + 0.3 * len(records)))
        places = range(len(records))
        ratios = [one["ratio"] for one in records]
        axes.barh(places, ratios, 0.62, color=OURS)
        axes.hlines(places, [one["low"] for one in records], [one["high"] for one in records], color=INK, linewidth=1.2)
        most = max(1.0, *(one["high"] for one in records))
        for place, one in zip(places, records, strict=True):
            ours, theirs = amount(one[f"ours_{unit}"]), amount(one[f"peer_{unit}"])
            axes.text(most * 1.04, place, f"{one['ratio']:.2f}   {ours} / {theirs}", va="center")
        axes.text(most * 1.04, -0.85, "ratio   minigan / PyTorch", va="center", color=PEER)
        _against_the_peer(axes, most * 1.02)
        axes.set_yticks(places, [one["case"] for one in records])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_title(title)
        return figure

    return picture


def _against_the_peer(axes, most):
    axes.axvline(1, color=PEER, linewidth=1.5)
    axes.set_xlim(0, most)
    axes.set_xlabel(RATIO)
    axes.spines["left"].set_visible(False)


def convolutions(pyplot, records):
    """A row per layer, a marker per direction."""
    layers = list(dict.fromkeys(layer_of(one["case"])[0] for one in records))
    figure, axes = pyplot.subplots(figsize=(7.5, 1.2 + 0.27 * len(layers)))
    axes.hlines(range(len(layers)), 0, 10, color=FAINT, linewidth=0.6, zorder=0)
    for direction, (colour, mark) in DIRECTIONS.items():
        chosen = [one for one in records if layer_of(one["case"])[1] == direction]
        places = [layers.index(layer_of(one["case"])[0]) for one in chosen]
        ratios = [one["ratio"] for one in chosen]
        axes.plot(ratios, places, mark, color=colour, label=direction, markersize=6)
    _against_the_peer(axes, max(1.1, *(one["ratio"] * 1.05 for one in records)))
    plain = {layer_of(one["case"])[0] for one in records if one["plain_product"]}
    axes.set_yticks(range(len(layers)), [f"{layer} *" if layer in plain else layer for layer in layers])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_title("Every convolution of the models    (* a plain matrix product)", pad=26)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0.2, handletextpad=0.2)
    return figure


def layer_of(case: str) -> tuple[str, str]:
    """The layer and the direction in the name of a case of the conv suite."""
    direction = next(direction for direction in DIRECTIONS if case.endswith(f" {direction}"))
    return case.removesuffix(f" {direction}"), direction


def scaling(pyplot, records):
    """GFLOP/s against batch, channels, size or threads, one panel each."""
    panels = list(dict.fromkeys(panel_of(one) for one in records))
    columns = 3
    rows = -(-len(panels) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(8.5, 2.5 * rows), layout="constrained", squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        chosen = sorted((one for one in records if panel_of(one) == panel), key=lambda one: one["value"])
        values = [one["value"] for one in chosen]
        for engine, rate, colour, mark in (("minigan", "rate", OURS, "o"), ("PyTorch", "peer_rate", PEER, "s")):
            axes.plot(values, [one[rate] for one in chosen], f"{mark}-", color=colour, label=engine, markersize=4)
        if panel[1] != "threads":
            axes.set_xscale("log", base=2)
        axes.set_xticks(values, map(str, values))
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_title("{}, by {}".format(*panel))
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel("GFLOP/s")
    grid[0, 0].legend(loc="lower right")
    return figure


def panel_of(record: dict) -> tuple[str, str]:
    """(layer or step, quantity that varies) of a record of the scaling suite."""
    return record["case"].partition(",")[0], record["axis"]


def profile(pyplot, records):
    """A stacked bar per step: the share of each part."""
    figure, axes = pyplot.subplots(figsize=(7.5, 1.1 + 0.32 * len(records)))
    places = range(len(records))
    begin = [0.0] * len(records)
    for part, colour in zip(records[0]["parts"], PARTS, strict=True):
        shares = [one["parts"][part] / sum(one["parts"].values()) for one in records]
        axes.barh(places, shares, 0.66, left=begin, color=colour, label=part)
        for place, start, share in zip(places, begin, shares, strict=True):
            if share > 0.045:
                axes.text(start + share / 2, place, f"{share:.0%}", ha="center", va="center", fontsize=8)
        begin = [start + share for start, share in zip(begin, shares, strict=True)]
    for place, one in zip(places, records, strict=True):
        axes.text(1.015, place, short_time(one["ours_ms"]), va="center")
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.set_yticks(places, [one["case"] for one in records])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_title("Where a training step's time goes")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.02), ncols=4, handlelength=1, columnspacing=1.2)
    return figure


def short_time(milliseconds: float) -> str:
    """Three digits, in ms or in s."""
    return f"{milliseconds / 1e3:.3g} s" if milliseconds >= 999.5 else f"{milliseconds:.3g} ms"


PICTURES = {
    "step": bars("A training step", short_time, "ms"),
    "kernels": bars("Kernels other than convolutions", short_time, "ms"),
    "memory": bars("Memory of a training step", "{:.0f} MB".format, "mb"),
    "cold": bars("A cold start", short_time, "ms"),
    "conv": convolutions,
    "scaling": scaling,
    "profile": profile,
}
