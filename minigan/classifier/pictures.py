"""Pictures of a classifier's mistakes: the confusion matrix and misclassified images."""

import math
from collections.abc import Sequence

import numpy as np

from minigan.training.grids import LONGEST, drawing, png_of, printable

ERRORS = 40  # images, at most
COLUMNS = 8
DPI = 160
CELL = 0.5  # inches per class in a confusion matrix
WIDE = 20  # inches, the most for the whole matrix
NAMED = 40  # the most classes that fit with all names and numbers
LETTER = 0.09  # inches per character of a name, an upper bound on the average


def confusion(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """Draw a confusion matrix (classes, classes) as the bytes of a PNG file of bounded size.

    Only mistakes are shaded, because next to the diagonal they would all look alike. For up to 40 classes, the matrix
    shows all numbers and names; for more, only some names.
    """
    from matplotlib.figure import Figure

    count, names = len(matrix), [printable(name, LONGEST) for name in classes]
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    ticks = range(0, count, -(-count // NAMED))
    side, beside = min(CELL * count, WIDE), 0.8 + LETTER * max(len(names[tick]) for tick in ticks)
    with drawing():
        figure = Figure(figsize=(side + beside + 0.3, side + beside), layout="constrained", dpi=DPI)
        axes = figure.add_subplot()
        axes.imshow(wrong / max(1, wrong.max()), cmap="Oranges", vmin=0, vmax=1.3)
        if count <= NAMED:
            _write_numbers(axes, matrix)
        labels = [names[tick] for tick in ticks]
        axes.set_xticks(ticks, labels, rotation=0 if max(map(len, labels)) < 3 else 90)
        axes.set_yticks(ticks, labels)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return png_of(figure)


def _write_numbers(axes, matrix):
    for row, column in zip(*np.nonzero(matrix), strict=True):
        axes.text(
            *(column, row, f"{matrix[row, column]:,}"),
            ha="center",
            va="center",
            fontsize=8,
            color="#1d1c1a" if row != column else "#3b5bdb",
        )


def errors(images: np.ndarray, labels: np.ndarray, logits: np.ndarray, classes: Sequence[str]) -> bytes:
    """Draw the misclassified images, the most confident mistakes first, as the bytes of a PNG file.

    images: (N, H, W, 1 or 3), uint8
    labels: (N,); at least one image is misclassified
    logits: (N, classes)
    """
    from matplotlib.figure import Figure

    chosen = surest_mistakes(labels, logits)[:ERRORS]
    rows = math.ceil(len(chosen) / COLUMNS)
    longest = max(LONGEST // COLUMNS, 8)
    with drawing():
        figure = Figure(figsize=(1.05 * COLUMNS, 1.3 * rows), layout="constrained", dpi=DPI)
        for place, index in enumerate(chosen, 1):
            axes = figure.add_subplot(rows, COLUMNS, place)
            image = images[index]
            axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
            true, predicted = (
                printable(classes[number], longest) for number in (labels[index], logits[index].argmax())
            )
            axes.set_title(f"{true} → {predicted}", fontsize=7)
            axes.set_axis_off()
        return png_of(figure)


def surest_mistakes(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return the indices of misclassified images, the largest probability of the predicted class first."""
    top = logits.max(1)
    confidence = -np.log(np.exp(logits - top[:, None]).sum(1))  # the logarithm of the largest probability
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    return wrong[np.argsort(-confidence[wrong], kind="stable")]
