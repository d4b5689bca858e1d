"""004: both players make the same number small, the discriminator never sees a real image, a flat convolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import minigan as mg
from benchmarks.errata.experiment import Experiment, error_of, quoted, table
from benchmarks.errata.pictures import panels, sheet
from benchmarks.errata.rgan import alternating
from benchmarks.errata.training import (
    FEATURES,
    SHOWN,
    Curve,
    adam,
    cross_entropy,
    distance,
    floor,
    fresh,
    probability,
    rounds,
    sampled,
)
from minigan.nn import Conv2d


def same_number(gan, images, steps, curve):
    """As printed: the probability that D gives to fakes is the loss of both, and both make it small."""
    g, d = gan.generator, gan.discriminator
    g_optimiser, d_optimiser = adam(g), adam(d)
    for real, noise in rounds(gan, images, steps):
        scores = d(g(noise))
        loss = mg.sigmoid(scores).mean()
        gradients = mg.grad(loss, g.parameters(), retain_graph=True)
        d_optimiser.step(mg.grad(loss, d.parameters()))
        g_optimiser.step(gradients)
        with mg.no_grad():
            curve.add(d(real), scores)


def only_fakes(gan, images, steps, curve):
    """The right losses, and still no real image for the discriminator."""
    g, d = gan.generator, gan.discriminator
    g_optimiser, d_optimiser = adam(g), adam(d)
    for real, noise in rounds(gan, images, steps):
        fake = g(noise)
        fake_scores = d(fake.detach())
        d_optimiser.step(mg.grad(cross_entropy(fake_scores, 0), d.parameters()))
        g_optimiser.step(mg.grad(cross_entropy(d(fake), 1), g.parameters()))
        with mg.no_grad():
            curve.add(d(real), fake_scores)


WAYS = {"D(G(z)) for both, as printed": same_number, "no real images": only_fakes, "repaired": alternating}


def players(images: np.ndarray, pictures: Path, steps: int) -> dict:
    rows, shown, curves = [], [], []
    for name, train in WAYS.items():
        gan, curve = fresh("dense-conv-gan", images), Curve(steps)
        train(gan, images, steps, curve)
        made = sampled(gan)
        shown.append((name, sheet(made[:SHOWN])))
        lines = {kind: curve.column(number) for number, kind in ((1, "real"), (2, "fake"))}
        curves.append((f"verdicts: {name}", {kind: (at, probability(scores)) for kind, (at, scores) in lines.items()}))
        verdicts = {kind: float(probability(curve.last(number))) for number, kind in ((1, "real"), (2, "fake"))}
        rows.append({"name": name, **verdicts, "distance": distance(made, images[:1000])})
    panels(pictures / "documents-players.png", shown, curves, bounds=(-0.03, 1.03))
    return {"steps": steps, "rows": rows, "floor": floor(images)}


def show_players(figures: dict) -> str:
    rows = [
        [row["name"], f"{row['real']:.3f}", f"{row['fake']:.3f}", f"{row['distance']:.1f}"] for row in figures["rows"]
    ]
    heading = ["", "verdict on real images", "on fakes", "Frechet distance"]
    return (
        f"{table(heading, rows)}\n\n"
        f"The networks of `dense-conv-gan`, {figures['steps']:,} steps. A verdict is the sigmoid of the mean "
        f"score over the last of them. Frechet distance of {FEATURES}, other real images: {figures['floor']:.2f}."
    )


def flat(images: np.ndarray, pictures: Path, steps: int) -> dict:
    vector = mg.tensor(np.zeros((1, 784), np.float32))
    return {"error": error_of(lambda: Conv2d(1, 1, 3, padding="same")(vector))}


def show_flat(figures: dict) -> str:
    return f"The convolution of a flat vector, in minigan:\n\n{quoted(figures['error'])}"


EXPERIMENTS = (
    Experiment("players", players, show_players, steps=600, picture="documents-players.png"),
    Experiment("flat", flat, show_flat),
)
