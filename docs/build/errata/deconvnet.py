"""002: y = f(Wx + b), read literally and read as the matrix of a convolution."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import minigan as mg
from docs.build.errata.experiment import Experiment, short, table
from docs.build.errata.pictures import panels
from docs.build.errata.training import SEED
from minigan.nn import Conv2d, ConvTranspose2d, Linear, ReLU, Sequential

SMALL = 8  # pixels: small enough to show the matrix
IMAGE = (32, 32, 3)


def matrix(w: np.ndarray, size: int) -> np.ndarray:
    """W of a convolution of a square image with one channel; column i is the output for pixel i alone."""
    pixels = np.eye(size * size).reshape(-1, size, size, 1)
    return mg.conv2d(pixels, w).reshape(len(pixels), -1).T


def network() -> Sequential:
    """The printed network, with a transposed convolution as was meant."""
    rng = np.random.default_rng(SEED)
    layers = Conv2d(3, 32, 3, rng=rng), ReLU(), ConvTranspose2d(32, 32, 3, rng=rng), ReLU(), Linear(32, 1, rng=rng)
    return Sequential(*layers)


def seen(model: Sequential) -> tuple[int, int]:
    """Height and width of the input region that one output pixel depends on: where its gradient is not exactly 0."""
    x = mg.tensor(np.random.default_rng(SEED).random((64, *IMAGE)), requires_grad=True)
    gradient = mg.grad(model.astype(np.float64)(x)[:, 16, 16, 0].sum(), x)
    where = np.abs(gradient).sum((0, 3)) > 0
    return int(where.any(1).sum()), int(where.any(0).sum())


def run(images: np.ndarray, pictures: Path, steps: int) -> dict:
    model, shape, rows = network(), (1, *IMAGE), []
    x = mg.tensor(np.zeros(shape, np.float32))
    for name, layer in zip(
        ("convolution", "", "transposed convolution", "", "dense, at each pixel"), model, strict=True
    ):
        y = layer(x)
        if name:
            inputs, outputs = math.prod(x.shape), math.prod(y.shape)
            row = {"name": name, "shape": list(y.shape[1:]), "parameters": layer.parameter_count()}
            rows.append({**row, "dense": inputs * outputs + outputs})
        x = y
    w = np.arange(1.0, 10.0).reshape(3, 3, 1, 1)
    small = matrix(w, SMALL)
    y = np.random.default_rng(SEED).standard_normal((1, SMALL - 2, SMALL - 2, 1))
    back = mg.conv2d_transpose(y, w).ravel()
    shown = [(f"W of a convolution, {small.shape[0]} x {small.shape[1]}", small / 9), ("W transposed", small.T / 9)]
    panels(pictures / "documents-matrix.png", shown, height=3.2)
    return {
        "rows": rows,
        "small": SMALL,
        "matrix": list(small.shape),
        "zeros": float((small == 0).mean()),
        "numbers": len(np.unique(small[small != 0])),
        "transposed": float(np.abs(small.T @ y.ravel() - back).max()),
        "seen": list(seen(model)),
    }


def show(figures: dict) -> str:
    rows = [
        [row["name"], " x ".join(map(str, row["shape"])), f"{row['parameters']:,}", f"{row['dense']:,}"]
        for row in figures["rows"]
    ]
    heading = ["layer", "output", "parameters", "parameters of a dense layer"]
    small, (height, width) = figures["small"], figures["seen"]
    return (
        f"{table(heading, rows)}\n\n"
        f"The picture shows W of a 3 x 3 convolution of {small} x {small} pixels: {figures['matrix'][0]} x "
        f"{figures['matrix'][1]} numbers, {figures['zeros']:.0%} of them zero, and only {figures['numbers']} distinct "
        "others. Multiplying by its transpose is `conv2d_transpose` (largest difference: "
        f"{short(figures['transposed'])}). One output pixel of the printed network depends on {height} x {width} input "
        "pixels."
    )


EXPERIMENTS = (Experiment("matrix", run, show, picture="documents-matrix.png"),)
