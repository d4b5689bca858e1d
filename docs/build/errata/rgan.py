"""000: the printed networks, a sigmoid before a loss that has one, and which loss updates which network."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

import minigan as mg
from docs.build.errata.experiment import Experiment, error_of, quoted, short, table
from docs.build.errata.pictures import panels, sheet
from docs.build.errata.training import (
    FEATURES,
    SEED,
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
from minigan import models
from minigan.nn import Conv2d, ConvTranspose2d, LeakyReLU, Linear, Sequential

HALVE = {"stride": 2, "padding": "same"}  # with a 5 x 5 kernel; its adjoint doubles
THIN = 64  # divides the printed generator's channels, which other dimensions do not depend on

# ----------------------------------------------------------------------------------------- the shapes


@mg.no_grad()
def printed_shapes() -> list[tuple[int, ...]]:
    """Shapes in the printed generator for one noise vector, stage by stage, without the skips that do not fit."""
    rng = np.random.default_rng(SEED)
    widths = [width // THIN for width in (512, 256, 128, 64)]
    x = Linear(100, 16 * widths[0], rng=rng)(mg.tensor(rng.standard_normal((1, 100), np.float32)))
    x = x.reshape(-1, 4, 4, widths[0])
    shapes = [x.shape]
    for inputs, outputs in itertools.pairwise(widths):
        x = ConvTranspose2d(inputs, outputs, 5, rng=rng, **HALVE)(x)
        x = Linear(outputs, 16 * outputs, rng=rng)(x).reshape(-1, 4, 4, outputs)
        shapes.append(x.shape)
    return [*shapes, ConvTranspose2d(widths[-1], 3, 5, rng=rng, **HALVE)(x).shape]


@mg.no_grad()
def repaired_shapes() -> list[tuple[int, ...]]:
    """The same for minigan's R-GAN."""
    gan = models.build("rgan", (64, 64, 3), SEED)
    x, shapes = gan.noise(1, np.random.default_rng(SEED)), []
    for layer in gan.generator:
        x = layer(x)
        if x.ndim == 4:
            shapes.append(x.shape)
    return shapes[:-1]  # tanh changes no shape


def skip() -> mg.Tensor:
    """The printed concatenation of a stage's output and its input."""
    given = mg.tensor(np.zeros((1, 4, 4, 512), np.float32))
    return mg.concatenate([ConvTranspose2d(512, 256, 5, **HALVE)(given), given], axis=3)


def shapes(images: np.ndarray, pictures: Path, steps: int) -> dict:
    labels = error_of(lambda: mg.binary_cross_entropy_with_logits(mg.tensor(np.zeros((8, 1))), np.zeros(8)))
    return {
        "thin": THIN,
        "printed": [list(shape) for shape in printed_shapes()],
        "repaired": [list(shape) for shape in repaired_shapes()],
        "skip": error_of(skip),
        "labels": labels,
    }


def show_shapes(figures: dict) -> str:
    stages = ["dense layer", "stage 1", "stage 2", "stage 3", "image"]
    rows = [  # without channels, since the printed network has fewer here
        [stage, " x ".join(map(str, printed[:3])), " x ".join(map(str, repaired[:3]))]
        for stage, printed, repaired in zip(stages, figures["printed"], figures["repaired"], strict=True)
    ]
    return (
        f"The printed skip connection, in minigan:\n\n{quoted(figures['skip'])}\n\n"
        "Shapes without the skips, for one noise vector (images x height x width):\n\n"
        f"{table(['', 'as printed', 'repaired'], rows)}\n\n"
        f"Labels and scores of different shapes, in minigan:\n\n{quoted(figures['labels'])}"
    )


# ----------------------------------------------------------------------------------------- no activation


def linear(images: np.ndarray, pictures: Path, steps: int) -> dict:
    """How far the discriminator's three convolutions are from a linear map, with and without activations between."""
    rng = np.random.default_rng(SEED)
    first, second = (rng.standard_normal((1, 64, 64, 3)) for _ in range(2))
    figures = {}
    for name, between in (("printed", []), ("repaired", [LeakyReLU(0.2)])):
        layers = []
        for inputs, outputs in ((3, 64), (64, 128), (128, 256)):
            layers += [Conv2d(inputs, outputs, 5, bias=False, rng=rng, **HALVE), *between]
        network = Sequential(*layers).astype(np.float64)
        with mg.no_grad():
            together, apart = network(mg.tensor(first + second)), network(mg.tensor(first)) + network(mg.tensor(second))
        figures[name] = float(np.linalg.norm((together - apart).numpy()) / np.linalg.norm(together.numpy()))
    return figures


def show_linear(figures: dict) -> str:
    return (
        "For three such convolutions without bias, |f(a + b) - f(a) - f(b)| / |f(a + b)| on two random images in "
        f"float64 is **{short(figures['printed'])}** as printed, and {short(figures['repaired'])} with a leaky ReLU "
        "after each."
    )


# ----------------------------------------------------------------------------------------- two sigmoids


def gradient(scores: np.ndarray, twice: bool, label: int) -> tuple[np.ndarray, np.ndarray]:
    """The loss and its gradient for each score."""
    x = mg.tensor(scores, requires_grad=True)
    total = cross_entropy(mg.sigmoid(x) if twice else x, label) * len(scores)
    given = mg.sigmoid(mg.tensor(scores)).numpy() if twice else scores
    losses = mg.softplus(mg.tensor(-given if label else given)).numpy()
    return losses, mg.grad(total, x)


def sigmoids(images: np.ndarray, pictures: Path, steps: int) -> dict:
    scores = np.linspace(-10, 10, 201)
    once, twice = (gradient(scores, way, 1) for way in (False, True))
    panels(
        pictures / "documents-sigmoids.png",
        [],
        [
            ("Loss of a real image", {"one sigmoid": (scores, once[0]), "two": (scores, twice[0])}),
            ("Its gradient", {"one sigmoid": (scores, once[1]), "two": (scores, twice[1])}),
        ],
    )
    wrong = np.array([-6.0])
    most = np.array([40.0])
    lowest = gradient(most, True, 1)[0][0] + gradient(-most, True, 0)[0][0]
    return {
        "score": float(wrong[0]),
        "once": float(gradient(wrong, False, 1)[1][0]),
        "twice": float(gradient(wrong, True, 1)[1][0]),
        "lowest": float(lowest),
    }


def show_sigmoids(figures: dict) -> str:
    return (
        f"For a real image with the score {figures['score']:g}, which the discriminator takes for a fake, the gradient "
        f"of the loss is {figures['once']:.4f} through one sigmoid and **{figures['twice']:.4f}** through two. And a "
        f"perfect discriminator's loss on both kinds of images is **{figures['lowest']:.3f}** instead of 0, since a "
        "logit between 0 and 1 is never certain."
    )


# ----------------------------------------------------------------------------------------- who is updated


def one_optimiser(gan, images, steps, curve):
    """As printed: one Adam minimises the sum of both losses over the weights of both networks."""
    g, d = gan.generator, gan.discriminator
    optimiser = mg.optim.Adam([*g.parameters(), *d.parameters()], lr=2e-4, betas=(0.5, 0.999))
    for real, noise in rounds(gan, images, steps):
        real_scores, fake_scores = d(real), d(g(noise))
        loss = cross_entropy(real_scores, 1) + cross_entropy(fake_scores, 0)
        optimiser.step(mg.grad(loss, optimiser.parameters))
        curve.add(real_scores, fake_scores)


def generator_only(gan, images, steps, curve):
    """As in its FAQ: the discriminator is never updated."""
    g, d = gan.generator, gan.discriminator
    optimiser = adam(g)
    for real, noise in rounds(gan, images, steps):
        fake_scores = d(g(noise))
        optimiser.step(mg.grad(cross_entropy(fake_scores, 1), g.parameters()))
        with mg.no_grad():
            curve.add(d(real), fake_scores)


def alternating(gan, images, steps, curve):
    """Each player has its own loss and optimiser, in turn."""
    g, d = gan.generator, gan.discriminator
    g_optimiser, d_optimiser = adam(g), adam(d)
    for real, noise in rounds(gan, images, steps):
        fake = g(noise)
        real_scores, fake_scores = d(real), d(fake.detach())
        d_loss = cross_entropy(real_scores, 1) + cross_entropy(fake_scores, 0)
        d_optimiser.step(mg.grad(d_loss, d.parameters()))
        g_optimiser.step(mg.grad(cross_entropy(d(fake), 1), g.parameters()))
        curve.add(real_scores, fake_scores)


WAYS = {"one Adam for the sum": one_optimiser, "generator alone": generator_only, "in turn": alternating}


def optimisers(images: np.ndarray, pictures: Path, steps: int) -> dict:
    rows, shown, lines = [], [], {}
    for name, train in WAYS.items():
        gan, curve = fresh("mlp-gan", images), Curve(steps)
        train(gan, images, steps, curve)
        made = sampled(gan)
        shown.append((name, sheet(made[:SHOWN])))
        at, scores = curve.column(2)
        lines[name] = (at, probability(scores))
        verdicts = [float(probability(curve.last(number))) for number in (1, 2)]
        rows.append({"name": name, "real": verdicts[0], "fake": verdicts[1], "distance": distance(made, images)})
    panels(
        pictures / "documents-optimisers.png",
        shown,
        [("The discriminator's verdict on fakes: probability of real", lines)],
        bounds=(-0.03, 1.03),
    )
    return {"steps": steps, "rows": rows, "floor": floor(images)}


def show_optimisers(figures: dict) -> str:
    rows = [
        [row["name"], f"{row['real']:.2f}", f"{row['fake']:.2f}", f"{row['distance']:.1f}"] for row in figures["rows"]
    ]
    heading = ["", "verdict on real images", "verdict on fakes", "Frechet distance"]
    return (
        f"{table(heading, rows)}\n\n"
        f"The dense networks of `mlp-gan` after {figures['steps']:,} steps, with the same learning rate and noise each "
        "time. A verdict is the sigmoid of the mean score over the last steps; the Frechet distance compares "
        f"{FEATURES} of 1,000 generated and 1,000 real images (between two sets of real images: "
        f"{figures['floor']:.2f})."
    )


EXPERIMENTS = (
    Experiment("rgan-shapes", shapes, show_shapes),
    Experiment("rgan-linear", linear, show_linear),
    Experiment("sigmoids", sigmoids, show_sigmoids, picture="documents-sigmoids.png"),
    Experiment("optimisers", optimisers, show_optimisers, steps=2000, picture="documents-optimisers.png"),
)
