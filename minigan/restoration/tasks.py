"""The restoration tasks: how images are damaged, the network's inputs, and the baseline to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minigan import metrics
from minigan.autograd.tensor import Tensor
from minigan.data import scaled
from minigan.data.arrays import clipped, images_from, pillow
from minigan.devices import device_of, move
from minigan.errors import DataError, MiniganError, ShapeError, UnknownNameError
from minigan.models import Restorer
from minigan.training.grids import spread
from minigan.training.inputs import check_model

SCALE = 2  # enlargement by super-resolution
NOISE = 25  # standard deviation of the noise, on the scale to 255; usual in the literature
HOLE = (0.25, 0.5)  # the shortest and longest side of a missing rectangle, as fractions of the image's

COLUMNS = ("damaged", "baseline", "restored", "truth")
EXAMPLES = 12


@dataclass(frozen=True)
class Damaged:
    """Damaged images, in two forms.

    given: the network's input, (N, H, W, inputs), float32 in [-1, 1]
    shown: the images to show, (N, H, W, C), uint8
    hole: True where pixels are missing, (N, H, W, 1); None if none are missing
    """

    given: np.ndarray
    shown: np.ndarray
    hole: np.ndarray | None = None


class Task:
    """A kind of damage to restore.

    name: a name in `minigan.models.deconvnet.RESTORATIONS`
    damage_in_words, baseline_in_words: descriptions for the report
    """

    name: str
    damage_in_words: str
    baseline_in_words: str

    def damage(self, truth: np.ndarray, rng: np.random.Generator) -> Damaged:
        """Damage images (N, H, W, C), uint8, at random."""
        raise NotImplementedError

    def take(self, images: np.ndarray, hole: np.ndarray | None = None) -> Damaged:
        """Prepare images that are already damaged, (N, H, W, C), uint8."""
        raise NotImplementedError

    def baseline(self, damaged: Damaged) -> np.ndarray:
        """Restore images by a simple method, (N, H, W, C), uint8."""
        raise NotImplementedError

    def finish(self, damaged: Damaged, output):
        """Turn the network's output (N, H, W, C), an array or a Tensor, into images: known pixels stay unchanged."""
        return output


class SuperResolution(Task):
    """Double the width and height of images."""

    name = "super-resolution"
    damage_in_words = f"shrunk to 1 / {SCALE} of their sides (bicubic, Pillow)"
    baseline_in_words = "bicubic enlargement by Pillow"

    def damage(self, truth, rng):
        height, width = truth.shape[1:3]
        if height % SCALE or width % SCALE:
            raise ShapeError(f"super-resolution: images are {height} x {width}, but sides must be multiples of {SCALE}")
        return self.take(bicubic(truth, (height // SCALE, width // SCALE)))

    def take(self, images, hole=None):
        """The network's input is the bicubic enlargement, as in SRCNN (Dong et al., arXiv:1501.00092)."""
        height, width = images.shape[1:3]
        given = scaled(bicubic(images, (height * SCALE, width * SCALE)))
        return Damaged(given, images.repeat(SCALE, 1).repeat(SCALE, 2))

    def baseline(self, damaged):
        return clipped(damaged.given)


class Completion(Task):
    """Fill in a missing rectangle. The network's input is the image with the hole filled, and a mask of the hole."""

    name = "completion"
    damage_in_words = "a rectangle is missing, each side a quarter to a half of the image's"
    baseline_in_words = "the hole filled with the mean of the known pixels"

    def damage(self, truth, rng):
        return self.take(truth, holes(truth.shape, rng))

    def take(self, images, hole=None):
        if hole is None or hole.shape not in (images.shape[:3], (*images.shape[:3], 1)) or hole.dtype != bool:
            found = None if hole is None else f"{hole.dtype} {hole.shape}"
            raise DataError(
                f"completion: hole is {found}, but it must be bool (N, H, W), True where pixels are missing"
            )
        hole = hole.reshape(*images.shape[:3], 1)
        filled = np.where(hole, mean_of_known(images, hole), images)
        channel = np.where(hole, np.float32(1), np.float32(-1))
        return Damaged(np.concatenate([scaled(filled), channel], axis=3), np.where(hole, np.uint8(0), images), hole)

    def baseline(self, damaged):
        return clipped(damaged.given[..., :-1])

    def finish(self, damaged, output):
        missing = damaged.hole.astype(damaged.given.dtype)
        known = damaged.given[..., :-1] * (1 - missing)
        device = output.device if isinstance(output, Tensor) else device_of(output)
        return output * move(missing, device) + move(known, device)


class Denoising(Task):
    """Remove normally distributed noise."""

    name = "denoising"
    damage_in_words = f"normal noise of standard deviation {NOISE} of 255, rounded and clipped to bytes"
    baseline_in_words = "a 3 x 3 median filter by SciPy"

    def damage(self, truth, rng):
        noisy = truth + rng.standard_normal(truth.shape, np.float32) * np.float32(NOISE)
        return self.take(np.rint(noisy.clip(0, 255)).astype(np.uint8))

    def take(self, images, hole=None):
        return Damaged(scaled(images), images)

    def baseline(self, damaged):
        try:
            from scipy.ndimage import median_filter
        except ImportError as error:
            raise MiniganError("the median filter needs SciPy: pip install 'minigan[train]'") from error
        return median_filter(damaged.shown, size=(1, 3, 3, 1), mode="nearest")


TASKS = {task.name: task for task in (SuperResolution(), Completion(), Denoising())}


def task_of(name: str) -> Task:
    """Return a task by its name. Raises UnknownNameError if it is not in TASKS."""
    UnknownNameError.check("restoration", name, TASKS)
    return TASKS[name]


def bicubic(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize images (N, H, W, C), uint8, to (H, W) with Pillow's bicubic filter, which averages when it shrinks."""
    module = pillow().Image
    out = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for image, place in zip(images, out, strict=True):
        for channel in range(images.shape[3]):  # one at a time, because Pillow supports only some numbers of channels
            picture = module.fromarray(np.ascontiguousarray(image[..., channel]))
            place[..., channel] = np.asarray(picture.resize(size[::-1], module.Resampling.BICUBIC))
    return out


def holes(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a rectangle at a random place in each image: (N, H, W, 1), bool, True inside."""
    count, *sizes = shape[:3]
    inside = []
    for size in sizes:
        shortest, longest = (max(1, round(part * size)) for part in HOLE)
        length = rng.integers(shortest, longest + 1, (count, 1))
        start = (rng.random((count, 1)) * (size - length + 1)).astype(int)
        places = np.arange(size)
        inside.append((places >= start) & (places < start + length))
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]


def mean_of_known(images: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Average each image's known pixels by channel, rounded: (N, 1, 1, C), uint8."""
    known = ~hole
    counts = np.maximum(known.sum((1, 2), keepdims=True), 1)
    return np.rint((images * known).sum((1, 2), keepdims=True) / counts).astype(np.uint8)


@dataclass(frozen=True)
class Evaluation:
    """Damaged, restored and original images, each (N, H, W, C), uint8, and measurements.

    figures: "damaged", "baseline" and "restored", each with psnr (dB, see `metrics.psnr`) and ssim
    """

    damaged: np.ndarray
    baseline: np.ndarray
    restored: np.ndarray
    truth: np.ndarray
    figures: dict[str, dict[str, float]]

    def examples(self, count: int = EXAMPLES) -> np.ndarray:
        """Select at most `count` examples, evenly spaced, of four images each: damaged, baseline, restored, truth."""
        parts = [spread(getattr(self, name), count) for name in COLUMNS]
        return np.stack(parts, 1).reshape(-1, *self.truth.shape[1:])


def restored(model: Restorer, task: Task, damaged: Damaged) -> np.ndarray:
    """Restore damaged images with the network, (N, H, W, C), uint8."""
    return clipped(task.finish(damaged, model.restore(damaged.given)))


def evaluate(model: Restorer, truth: np.ndarray, rng: np.random.Generator) -> Evaluation:
    """Damage images (N, H, W, C), uint8, restore them by network and baseline, and compare with the originals."""
    check_model("evaluate", model, Restorer)
    task, truth = task_of(model.task), images_from("evaluate", truth, floats=False)
    damaged = task.damage(truth, rng)
    forms = {
        "damaged": damaged.shown,
        "baseline": task.baseline(damaged),
        "restored": restored(model, task, damaged),
    }
    figures = {
        name: {"psnr": metrics.psnr(truth, images), "ssim": metrics.ssim(truth, images)}
        for name, images in forms.items()
    }
    return Evaluation(**forms, truth=truth, figures=figures)
