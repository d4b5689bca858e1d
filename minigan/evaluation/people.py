"""Make a self-contained HTML page on which people judge images, one by one, as real or generated."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from pathlib import Path

import numpy as np

from minigan.data.arrays import images_from, pillow
from minigan.errors import DataError
from minigan.evaluation.intervals import CONFIDENCE, quantile

FORMAT = "minigan-page-1"
ANSWERS = "minigan-answers-1"  # the format of saved answers
REAL, GENERATED = CHOICES = ("real", "generated")
MOST = 1000  # images of each kind: more than anybody answers, and few enough for the key's digits
VERDICTS = {
    "above": "The interval lies above 50%: people tell real from generated images better than by guessing.",
    "within": "The interval contains 50%, which is guessing: "
    "there is no evidence that people can tell real from generated images.",
    "below": "The interval lies below 50%: people confuse real and generated images more often than by guessing.",
}
HERE = Path(__file__).parent


def page(
    made: np.ndarray,
    real: np.ndarray,
    seed: int = 0,
    seconds: float | None = None,
    name: str = "images",
    examples: np.ndarray | None = None,
) -> str:
    """Make the page, as HTML that loads nothing else.

    made, real: (N, H, W, 1 or 3), uint8, equally many generated images and held-out real images
    seed: for the order in which they are shown
    seconds: how long each image is shown; by default until it is answered
    name: a description of the images, shown on the page
    examples: (M, H, W, C), uint8, other real images, shown as examples before the questions
    raises DataError for different numbers, shapes or dtypes of images, or for more than 1,000 of each
    source: HYPE-infinity, Zhou et al., arXiv:1904.01121, which shows 50 of each kind without a time limit; with a time
        limit: Denton et al., arXiv:1506.05751
    """
    from jinja2 import Environment

    made, real = (
        images_from("page", of, what=f"{kind} images", floats=False)
        for kind, of in (("generated", made), ("real", real))
    )
    examples = made[:0] if examples is None else images_from("page", examples, what="examples", floats=False)
    _check(made, real, examples, seconds)
    order = np.random.default_rng(seed).permutation(2 * len(made))
    images = np.concatenate([real, made])[order]
    identity = _identity(images, examples, order, seconds)
    content = {
        "format": FORMAT,
        "answers": ANSWERS,
        "id": identity,
        "seed": seed,
        "count": len(made),
        "height": images.shape[1],
        "width": images.shape[2],
        "seconds": seconds,
        "z": quantile(CONFIDENCE),
        "verdicts": VERDICTS,
        "key": hidden(order, identity),
        "examples": [_text(image) for image in examples],
        "images": [_text(image) for image in images],
    }
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_read("people.html"))
    return template.render(
        page=content, name=name, script=_read("people.js"), view=_read("people_view.js"), style=_read("people.css")
    )


def hidden(order: np.ndarray, identity: str) -> str:
    """Obscure an order with xorshift32, as four hexadecimal digits for each number, so that it is not seen at a glance.

    It is not secret: the page decodes it, and so can anybody who reads the page's source.
    source: Marsaglia, Journal of Statistical Software 8 (2003), issue 14
    """
    stream = int(identity[:8], 16) | 1
    digits = []
    for number in order:
        stream ^= stream << 13 & 0xFFFFFFFF
        stream ^= stream >> 17
        stream ^= stream << 5 & 0xFFFFFFFF
        digits.append(f"{(int(number) ^ stream) & 0xFFFF:04x}")
    return "".join(digits)


def _identity(images, examples, order, seconds):
    """The page's id, recorded in its answers: 16 hexadecimal digits that depend on everything the page asks."""
    found = hashlib.sha256(json.dumps([FORMAT, images.shape, examples.shape, order.tolist(), seconds]).encode())
    for part in (images, examples):
        found.update(np.ascontiguousarray(part).tobytes())
    return found.hexdigest()[:16]


def _text(image):
    """An image as a PNG in base64, uncompressed, since its length would otherwise tell noise from clean edges."""
    buffer = io.BytesIO()
    picture = pillow().Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.save(buffer, "PNG", compress_level=0)
    return base64.b64encode(buffer.getvalue()).decode()


def _read(name):
    return (HERE / name).read_text(encoding="utf-8")


def _check(made, real, examples, seconds):
    for kind, images in (("generated", made), ("real", real), ("example", examples)):
        if images.shape[1:] != made.shape[1:] or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
            raise DataError(
                f"page: {kind} images are {images.shape[1:]}, generated ones {made.shape[1:]}; all must have one shape "
                "with C = 1 (grey) or 3 (RGB)"
            )
    if not len(made) == len(real) or not 1 <= len(made) <= MOST:
        raise DataError(
            f"page: {len(made)} generated and {len(real)} real images; expected equally many, from 1 to {MOST:,}"
        )
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise DataError(f"page: images are shown for {seconds} seconds, expected a number above 0")
