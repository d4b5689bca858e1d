"""004: both players minimise the same number, the discriminator never sees a real image, a convolution of a vector."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

import minigan as mg
from docs.build.errata.experiment import Experiment, error_of, quoted, table
from docs.build.errata.pictures import panels, sheet
from docs.build.errata.rgan import alternating
from docs.build.errata.training import (
    FEATURES,
    SEED,
    SHOWN,
    Curve,
    adam,
    cross_entropy,
    distance,
    drawn,
    floor,
    fresh,
    probability,
    rounds,
    sampled,
)
from minigan.nn import Conv2d, Linear, ReLU, Reshape, Sequential, Tanh


def same_number(gan, images, steps, curve):
    """As printed: both players minimise the probability that D gives to fakes."""
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
    """The right losses, but no real images for the discriminator."""
    g, d = gan.generator, gan.discriminator
    g_optimiser, d_optimiser = adam(g), adam(d)
    for real, noise in rounds(gan, images, steps):
        fake = g(noise)
        fake_scores = d(fake.detach())
        d_optimiser.step(mg.grad(cross_entropy(fake_scores, 0), d.parameters()))
        g_optimiser.step(mg.grad(cross_entropy(d(fake), 1), g.parameters()))
        with mg.no_grad():
            curve.add(d(real), fake_scores)


def plain() -> Sequential:
    """The printed generator with a reshape before its convolution: no batch norm, default initialisation."""
    rng = np.random.default_rng(SEED)
    layers = []
    for inputs, outputs in itertools.pairwise((100, 256, 512, 1024)):
        layers += [Linear(inputs, outputs, rng=rng), ReLU()]
    last = Linear(1024, 784, rng=rng), Reshape(28, 28, 1), Conv2d(1, 1, 3, padding="same", rng=rng), Tanh()
    return Sequential(*layers, *last)


WAYS = {  # name -> (how, whether the generator is the printed one)
    "D(G(z)) for both": (same_number, False),
    "no real images": (only_fakes, False),
    "no batch norm": (alternating, True),
    "repaired": (alternating, False),
}


def players(images: np.ndarray, pictures: Path, steps: int) -> dict:
    rows, shown, curves = [], [], []
    for name, (train, printed) in WAYS.items():
        gan, curve = fresh("dense-conv-gan", images), Curve(steps)
        if printed:
            gan.generator = plain()
        train(gan, images, steps, curve)
        made = sampled(gan)
        shown.append((name, sheet(made[:SHOWN])))
        lines = {kind: curve.column(number) for number, kind in ((1, "real"), (2, "fake"))}
        curves.append((name, {kind: (at, probability(scores)) for kind, (at, scores) in lines.items()}))
        verdicts = {kind: float(probability(curve.last(number))) for number, kind in ((1, "real"), (2, "fake"))}
        verdicts["spread"] = float(made.std(0).mean())
        rows.append({"name": name, **verdicts, "distance": distance(made, images)})
    panels(pictures / "documents-players.png", shown, curves, bounds=(-0.03, 1.03))
    return {"steps": steps, "rows": rows, "spread": float(drawn(images).std(0).mean()), "floor": floor(images)}


def show_players(figures: dict) -> str:
    rows = [
        [row["name"], f"{row['real']:.3f}", f"{row['fake']:.3f}", f"{row['spread']:.0f}", f"{row['distance']:.1f}"]
        for row in figures["rows"]
    ]
    heading = ["", "verdict on real images", "verdict on fakes", "spread", "Frechet distance"]
    return (
        f"{table(heading, rows)}\n\n"
        f"The networks of `dense-conv-gan` after {figures['steps']:,} steps. A verdict is the sigmoid of the mean "
        "score over the last steps; the curves show it during training. The spread is the standard deviation of a "
        f"pixel over 1,000 images, averaged over all pixels (real images: {figures['spread']:.0f} of 255). Frechet "
        f"distance of {FEATURES} (other real images: {figures['floor']:.2f})."
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
