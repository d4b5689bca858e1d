"""000: its formula for deconvolution and its three steps, compared with the true transposed convolution.

A convolution is a linear map, and its gradient needs its adjoint A: <conv2d(x, w), y> = <x, A(y, w)> for all x and y.
So this law tells whether a map is the transposed convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import minigan as mg
from docs.build.errata.experiment import Experiment, error_of, quoted, short, table
from docs.build.errata.pictures import panels

KERNEL = 5
DRAWS = 100
Map = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (features (H, W), kernel) -> image (H, W)


def stroke() -> np.ndarray:
    """A 5 x 5 kernel without symmetry: an L."""
    w = np.zeros((KERNEL, KERNEL))
    w[:, 1] = 1.0
    w[4, 1:4] = 1.0
    return w


def printed_formula(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """With one index instead of two, only pixels on the diagonal stamp the kernel."""
    return _stamped(y, w, ((k, k) for k in range(min(y.shape))))


def two_indices(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The formula as it was meant: every pixel stamps the kernel."""
    return _stamped(y, w, np.ndindex(y.shape))


def _stamped(y, w, places):
    """Sum of the kernel times y at each place, cropped to the size of y."""
    edge = KERNEL // 2
    image = np.zeros((y.shape[0] + 2 * edge, y.shape[1] + 2 * edge))
    for row, column in places:
        if not y[row, column]:
            continue  # most of a digit is black
        image[row : row + KERNEL, column : column + KERNEL] += y[row, column] * w
    return image[edge:-edge, edge:-edge]


def printed_steps(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Reverse the image as a vector, multiply it by the kernel's vector, and reshape the result to an image.

    The product of vectors of 784 and 25 numbers can only be a vector again if it is a one-dimensional convolution. Its
    last numbers do not fit into the image and are dropped.
    """
    vector = np.convolve(y.ravel()[::-1], w.ravel())
    return vector[: y.size].reshape(y.shape)


def flipped_kernel(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """A convolution with the flipped kernel, which is the transposed convolution if the stride is 1."""
    return plain(mg.conv2d(batch(y), kernel(w[::-1, ::-1]), padding="same"))


def transposed(y: np.ndarray, w: np.ndarray, stride: int = 1) -> np.ndarray:
    return plain(mg.conv2d_transpose(batch(y), kernel(w), stride=stride, padding="same"))


def convolved(x: np.ndarray, w: np.ndarray, stride: int = 1) -> np.ndarray:
    """The convolution whose adjoint the candidates should be."""
    return plain(mg.conv2d(batch(x), kernel(w), stride=stride, padding="same"))


def batch(image):
    return np.ascontiguousarray(image)[None, :, :, None]


def kernel(w):
    return np.ascontiguousarray(w)[:, :, None, None]


def plain(images):
    return images[0, :, :, 0]


CANDIDATES: dict[str, tuple[Map, int]] = {
    "the printed formula, x[k, k]": (printed_formula, 1),
    "the printed steps": (printed_steps, 1),
    "with two indices, x[k, l]": (two_indices, 1),
    "a convolution with the flipped kernel": (flipped_kernel, 1),
    "`conv2d_transpose`": (transposed, 1),
    "`conv2d_transpose`, stride 2": (lambda y, w: transposed(y, w, 2), 2),
}


def law(candidate: Map, stride: int, size: int) -> float:
    """The median over random x, w, y of |<conv2d(x, w), y> - <x, A(y, w)>| / |<conv2d(x, w), y>|, in float64."""
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        x, y = rng.standard_normal((size * stride, size * stride)), rng.standard_normal((size, size))
        w = rng.standard_normal((KERNEL, KERNEL))
        there, back = np.vdot(convolved(x, w, stride), y), np.vdot(x, candidate(y, w))
        found.append(abs(there - back) / abs(there))
    return float(np.median(found))


def read(candidate: Map, size: int) -> int:
    """How many pixels of y affect the result, with a kernel without zeros."""
    count, w = 0, np.ones((KERNEL, KERNEL))
    for place in np.ndindex(size, size):
        y = np.zeros((size, size))
        y[place] = 1.0
        count += bool(candidate(y, w).any())
    return count


def run(images: np.ndarray, pictures: Path, steps: int) -> dict:
    digit, other = (image[..., 0] / 255.0 for image in images[:2])
    w, size = stroke(), digit.shape[0]
    rows = []
    for name, (candidate, stride) in CANDIDATES.items():
        made = candidate(digit, w)
        row = {"name": name, "size": list(made.shape), "read": read(candidate, size)}
        if stride == 1:
            row["there"] = float(np.vdot(convolved(other, w), digit))
            row["back"] = float(np.vdot(other, made))
        rows.append({**row, "law": law(candidate, stride, size)})
    shown = {"image": digit, "kernel": np.pad(w, 1)}  # with a border, to show its edge on the white page
    shown |= {"its formula": printed_formula(digit, w), "its steps": printed_steps(digit, w)}
    shown |= {"transposed": transposed(digit, w), "stride 2, 56 x 56": transposed(digit, w, 2)}
    panels(pictures / "documents-deconvolution.png", list(shown.items()), height=1.45)
    product = error_of(lambda: mg.multiply(mg.tensor(digit.ravel()[::-1].copy()), mg.tensor(w.ravel())))
    return {"pixels": digit.size, "draws": DRAWS, "rows": rows, "product": product}


def show(figures: dict) -> str:
    rows = [
        [
            row["name"],
            " x ".join(map(str, row["size"])),
            f"{row['read']} of {figures['pixels']}",
            f"{row['there']:.2f}" if "there" in row else "",
            f"{row['back']:.2f}" if "back" in row else "",
            short(row["law"]),
        ]
        for row in figures["rows"]
    ]
    heading = ["A(y, w)", "image", "pixels of y read", "<conv2d(x, w), y>", "<x, A(y, w)>", "relative error"]
    return (
        f"{table(heading, rows)}\n\n"
        "The inner products use two digits and the kernel in the picture; the last column is the median of their "
        f"relative difference over {figures['draws']} random x, w and y, in float64. The two vectors of the printed "
        f"steps cannot be multiplied element by element:\n\n{quoted(figures['product'])}"
    )


EXPERIMENTS = (Experiment("deconvolution", run, show, picture="documents-deconvolution.png"),)
