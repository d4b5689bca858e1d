"""001: a discriminator that scores each pixel alone, losses without real images, and whether the adjoint restores an
image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import minigan as mg
from docs.build.errata.experiment import Experiment, short, table
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
from minigan import data
from minigan.models import GAN
from minigan.nn import LeakyReLU, Linear, Sequential

# ----------------------------------------------------------------------------------------- each pixel alone


FEW_IMAGES = 16  # per batch, since a score for every pixel is 784 times the work


def pixelwise() -> Sequential:
    """The printed discriminator: dense layers act on the last axis, which is the one channel of a pixel."""
    rng = np.random.default_rng(SEED)
    return Sequential(
        Linear(1, 128, rng=rng), LeakyReLU(0.2), Linear(128, 128, rng=rng), LeakyReLU(0.2), Linear(128, 1, rng=rng)
    )


def as_printed(gan: GAN, images, steps, curve):
    """The printed losses: both players call generated images real, and the discriminator scores its own scores as if
    they were an image. No real image is used."""
    g, d = gan.generator, gan.discriminator
    g_optimiser, d_optimiser = adam(g), adam(d)
    for real, noise in rounds(gan, images, steps):
        scores = d(g(noise))
        twice = d(scores)
        gradients = mg.grad(cross_entropy(scores, 1), g.parameters(), retain_graph=True)
        d_optimiser.step(mg.grad(cross_entropy(twice, 1), d.parameters()))
        g_optimiser.step(gradients)
        with mg.no_grad():
            curve.add(d(real), scores)


def shuffled(images: np.ndarray) -> np.ndarray:
    """The images with their pixels shuffled, in the same order for all."""
    order = np.random.default_rng(SEED).permutation(images[0].size)
    return images.reshape(len(images), -1)[:, order].reshape(images.shape)


@mg.no_grad()
def change_by_shuffling(discriminator, images: np.ndarray) -> float:
    """How much shuffling pixels changes the mean scores of images, in standard deviations of the scores."""
    given = data.scaled(images[:256])
    scores, others = (
        discriminator(mg.tensor(each)).numpy().astype(np.float64).reshape(len(given), -1).mean(1)
        for each in (given, shuffled(given))
    )
    return float(np.abs(scores - others).mean() / scores.std())


def pixels(images: np.ndarray, pictures: Path, steps: int) -> dict:
    rows, shown = [], [("real", sheet(images[:SHOWN])), ("real, shuffled", sheet(shuffled(images[:SHOWN])))]
    ways = {
        "all as printed": (as_printed, True),
        "pixels alone": (alternating, True),
        "flattened": (alternating, False),
    }
    for name, (train, alone) in ways.items():
        gan, curve = fresh("mlp-gan", images, FEW_IMAGES), Curve(steps)
        if alone:
            gan.discriminator = pixelwise()
        train(gan, images, steps, curve)
        made = sampled(gan)
        shown.append((name, sheet(made[:SHOWN])))
        rows.append(
            {
                "name": name,
                "shuffling": change_by_shuffling(gan.discriminator, images),
                "real": float(probability(curve.last(1))),
                "fake": float(probability(curve.last(2))),
                "mean": float(made.mean()),
                "distance": distance(made, images),
            }
        )
    panels(pictures / "documents-pixels.png", shown, height=1.75)
    return {
        "steps": steps,
        "batch": FEW_IMAGES,
        "rows": rows,
        "mean": float(drawn(images).mean()),
        "floor": floor(images),
    }


def show_pixels(figures: dict) -> str:
    rows = [
        [
            row["name"],
            short(row["shuffling"]),
            f"{row['real']:.2f}",
            f"{row['fake']:.2f}",
            f"{row['mean']:.0f}",
            f"{row['distance']:.1f}",
        ]
        for row in figures["rows"]
    ]
    heading = ["", "change of scores", "verdict on real images", "verdict on fakes", "mean grey", "Frechet distance"]
    return (
        f"{table(heading, rows)}\n\n"
        "*Change of scores*: how much the trained discriminator's scores of real images change when the pixels are "
        f"shuffled, in standard deviations of the scores. The mean grey of real images is {figures['mean']:.0f} of "
        f"255. {figures['steps']:,} steps of {figures['batch']} images; Frechet distance of {FEATURES} (other real "
        f"images: {figures['floor']:.2f})."
    )


# ----------------------------------------------------------------------------------------- does the adjoint restore?

FEW, MANY = 1, 8  # kernels: fewer features than pixels, and twice as many
ITERATIONS = 200
STRIDE, KERNEL = 2, 5
HOW = {"stride": STRIDE, "padding": "same"}


def inverse(y: np.ndarray, w: np.ndarray, size: int, iterations: int = ITERATIONS) -> np.ndarray:
    """The x that minimises |conv2d(x, w) - y|, by conjugate gradients on A conv2d(x) = A y, where A is the adjoint.

    source: Hestenes & Stiefel, J. Research of the National Bureau of Standards 49 (1952), section 10
    """
    x = np.zeros((1, size, size, 1))
    rest = adjoint(y, w, size)
    direction, square = rest.copy(), float(np.vdot(rest, rest))
    first = square
    for _ in range(iterations):
        image = mg.conv2d(direction, w, **HOW)
        length = square / float(np.vdot(image, image))
        x += length * direction
        rest -= length * adjoint(image, w, size)
        square, before = float(np.vdot(rest, rest)), square
        if square < 1e-28 * first:
            break
        direction = rest + square / before * direction
    return x


def adjoint(y: np.ndarray, w: np.ndarray, size: int) -> np.ndarray:
    """The transposed convolution to an image of this size."""
    return mg.conv2d_transpose(y, w, output_size=(size, size), **HOW)


def restoring(images: np.ndarray, pictures: Path, steps: int) -> dict:
    x, size = images[:1] / 255.0, images.shape[1]
    rows, shown = [], [("image", x[0])]
    for count in (FEW, MANY):
        w = np.random.default_rng(SEED).standard_normal((KERNEL, KERNEL, 1, count))
        y = mg.conv2d(x, w, **HOW)
        back, least = adjoint(y, w, size), inverse(y, w, size)
        rows.append(
            {
                "kernels": count,
                "features": int(y.size),
                "adjoint": error(x, back),
                "inverse": error(x, least),
                "residual": float(np.linalg.norm(mg.conv2d(least, w, **HOW) - y) / np.linalg.norm(y)),
            }
        )
        words = "1 kernel" if count == 1 else f"{count} kernels"
        shown += [(f"features, {words}", features_in_one(y)), ("adjoint", back[0]), ("least squares", least[0])]
    panels(pictures / "documents-adjoint.png", shown, height=1.35)
    return {"pixels": int(x.size), "iterations": ITERATIONS, "rows": rows}


def error(x, restored):
    """The relative error after scaling by the best factor, since an adjoint's scale means nothing."""
    factor = np.vdot(restored, x) / np.vdot(restored, restored)
    return float(np.linalg.norm(factor * restored - x) / np.linalg.norm(x))


def features_in_one(y):
    """Features (1, H, W, K) as one image, with the maps side by side in rows."""
    maps = np.moveaxis(y[0], 2, 0)
    columns = int(np.ceil(np.sqrt(len(maps))))
    rows = -(-len(maps) // columns)
    canvas = np.zeros((rows * y.shape[1], columns * y.shape[2]))
    for number, each in enumerate(maps):
        row, column = divmod(number, columns)
        canvas[row * y.shape[1] : (row + 1) * y.shape[1], column * y.shape[2] : (column + 1) * y.shape[2]] = each
    return canvas


def show_restoring(figures: dict) -> str:
    rows = [
        [
            str(row["kernels"]),
            f"{row['features']:,}",
            f"{row['adjoint']:.0%}",
            short(row["inverse"]),
            short(row["residual"]),
        ]
        for row in figures["rows"]
    ]
    heading = ["kernels", "features", "error of the adjoint", "error of least squares", "its residual"]
    return (
        f"{table(heading, rows)}\n\n"
        f"An image of {figures['pixels']} pixels, random 5 x 5 kernels, stride 2. Errors are |restored - image| / "
        "|image| after scaling by the best factor; the residual is the relative error of the features. Least squares "
        f"takes at most {figures['iterations']} steps of conjugate gradients, each with one `conv2d` and one "
        "`conv2d_transpose`."
    )


EXPERIMENTS = (
    Experiment("pixels", pixels, show_pixels, steps=1000, picture="documents-pixels.png"),
    Experiment("adjoint", restoring, show_restoring, picture="documents-adjoint.png"),
)
