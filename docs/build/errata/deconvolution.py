"""000: its formula for deconvolution and its three steps, beside the true transposed convolution and the adjoint law.

A convolution is a linear map, and the map that goes back through it, which its gradient needs, is its adjoint A:
<conv2d(x, w), y> = <x, A(y, w)> for all x and y. So the law tells a transposed convolution from what is none.
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
    """A kernel without any symmetry, which a picture shows at once: an L, 5 x 5."""
    w = np.zeros((KERNEL, KERNEL))
    w[:, 1] = 1.0
    w[4, 1:4] = 1.0
    return w


def printed_formula(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """One index where there should be two: the kernel is stamped where row and column are the same number."""
    return _stamped(y, w, ((k, k) for k in range(min(y.shape))))


def two_indices(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The formula as it was meant: every pixel stamps the kernel."""
    return _stamped(y, w, np.ndindex(y.shape))


def _stamped(y, w, places):
    """The kernel times y at each place, added up; the borders that lie outside are cut off."""
    edge = KERNEL // 2
    image = np.zeros((y.shape[0] + 2 * edge, y.shape[1] + 2 * edge))
    for row, column in places:
        if not y[row, column]:
            continue  # most of a digit is black
        image[row : row + KERNEL, column : column + KERNEL] += y[row, column] * w
    return image[edge:-edge, edge:-edge]


def printed_steps(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Turn round and lay out as a vector, multiply with the kernel's, and make an image of the result.

    The product of a vector of 784 with one of 25 can only be a convolution of one dimension, if the result is to be a
    vector too; what sticks out at the end has no place in the image.
    """
    vector = np.convolve(y.ravel()[::-1], w.ravel())
    return vector[: y.size].reshape(y.shape)


def flipped_kernel(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """A convolution with the kernel turned round: what flipping is good for, while the stride is 1."""
    return plain(mg.conv2d(batch(y), kernel(w[::-1, ::-1]), padding="same"))


def transposed(y: np.ndarray, w: np.ndarray, stride: int = 1) -> np.ndarray:
    """The transposed convolution."""
    return plain(mg.conv2d_transpose(batch(y), kernel(w), stride=stride, padding="same"))


def convolved(x: np.ndarray, w: np.ndarray, stride: int = 1) -> np.ndarray:
    """The convolution that all of them are compared with."""
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
    """The median over drawn x, w, y of |<conv2d(x, w), y> - <x, A(y, w)>| / |<conv2d(x, w), y>|, in float64."""
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        x, y = rng.standard_normal((size * stride, size * stride)), rng.standard_normal((size, size))
        w = rng.standard_normal((KERNEL, KERNEL))
        there, back = np.vdot(convolved(x, w, stride), y), np.vdot(x, candidate(y, w))
        found.append(abs(there - back) / abs(there))
    return float(np.median(found))


def read(candidate: Map, size: int) -> int:
    """How many pixels of y change anything in the result, with a kernel that has no zeros."""
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
    shown = {"image": digit, "kernel": np.pad(w, 1)}  # with a border, as it would not end on the white page
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
    heading = ["A(y, w)", "image", "pixels of y read", "<conv2d(x, w), y>", "<x, A(y, w)>", "law broken by"]
    return (
        f"{table(heading, rows)}\n\n"
        "The two products are of two digits and the kernel of the picture; the last column is the median of their "
        f"relative difference over {figures['draws']} drawn x, w and y, in float64. Multiplied number by number, the "
        f"two vectors of the printed steps do not fit:\n\n{quoted(figures['product'])}"
    )


EXPERIMENTS = (Experiment("deconvolution", run, show, picture="documents-deconvolution.png"),)
