"""What a classifier gets wrong, drawn: the confusion matrix, and the images themselves."""

import io
import math

import numpy as np

ERRORS = 40  # images, at most
COLUMNS = 8
DPI = 160


def confusion(matrix: np.ndarray, classes: tuple[str, ...]) -> bytes:
    """A confusion matrix (classes, classes) as the bytes of a PNG file.

    Shades count mistakes only: beside what is right they would all look alike.
    """
    from matplotlib.figure import Figure

    count = len(matrix)
    wrong = matrix * (1 - np.eye(count, dtype=int))
    figure = Figure(figsize=(1.6 + 0.5 * count, 1.3 + 0.5 * count), layout="constrained", dpi=DPI)
    axes = figure.add_subplot()
    axes.imshow(wrong / max(1, wrong.max()), cmap="Oranges", vmin=0, vmax=1.3)
    for row in range(count):
        for column in range(count):
            if matrix[row, column]:
                axes.text(
                    *(column, row, f"{matrix[row, column]:,}"),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="#1d1c1a" if row != column else "#3b5bdb",
                )
    axes.set_xticks(range(count), classes, rotation=0 if max(map(len, classes)) < 3 else 90)
    axes.set_yticks(range(count), classes)
    axes.set_xlabel("what the network says")
    axes.set_ylabel("what it is")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return _png(figure)


def errors(images: np.ndarray, labels: np.ndarray, logits: np.ndarray, classes: tuple[str, ...]) -> bytes:
    """The images that were mistaken, the surest mistakes first, as the bytes of a PNG file.

    images: (N, H, W, 1 or 3), uint8
    labels: (N,); at least one image is mistaken
    logits: (N, classes)
    """
    from matplotlib.figure import Figure

    chosen = surest_mistakes(labels, logits)[:ERRORS]
    rows = math.ceil(len(chosen) / COLUMNS)
    figure = Figure(figsize=(1.05 * COLUMNS, 1.3 * rows), layout="constrained", dpi=DPI)
    for place, index in enumerate(chosen, 1):
        axes = figure.add_subplot(rows, COLUMNS, place)
        image = images[index]
        axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{classes[labels[index]]} → {classes[logits[index].argmax()]}", fontsize=7)
        axes.set_axis_off()
    return _png(figure)


def surest_mistakes(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """The indices of mistaken images, largest probability of the wrong class first."""
    top = logits.max(1)
    surety = -np.log(np.exp(logits - top[:, None]).sum(1))  # the logarithm of the largest probability
    wrong = np.flatnonzero(logits.argmax(1) != labels)
    return wrong[np.argsort(-surety[wrong], kind="stable")]


def _png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
