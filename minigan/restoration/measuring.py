"""How well a network restores images that it has not seen, beside the plain remedy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minigan import metrics
from minigan.data.arrays import images_from
from minigan.data.dataset import clipped
from minigan.models import Restorer
from minigan.restoration.tasks import Damaged, Task, task_of
from minigan.training.grids import spread
from minigan.training.inputs import check_model

COLUMNS = ("damaged", "baseline", "restored", "truth")
EXAMPLES = 12


@dataclass(frozen=True)
class Evaluation:
    """Images in all their forms, each (N, H, W, C), uint8, and the figures.

    figures: "damaged", "baseline" and "restored", each with psnr (dB, see `metrics.psnr`) and ssim
    """

    damaged: np.ndarray
    baseline: np.ndarray
    restored: np.ndarray
    truth: np.ndarray
    figures: dict[str, dict[str, float]]

    def examples(self, count: int = EXAMPLES) -> np.ndarray:
        """At most `count`, evenly spread, each as four images: damaged, baseline, restored, truth."""
        parts = [spread(getattr(self, name), count) for name in COLUMNS]
        return np.stack(parts, 1).reshape(-1, *self.truth.shape[1:])


def restored(model: Restorer, task: Task, damaged: Damaged) -> np.ndarray:
    """What the network and the task make of damaged images, (N, H, W, C), uint8."""
    return clipped(task.finish(damaged, model.restore(damaged.given)))


def evaluate(model: Restorer, truth: np.ndarray, rng: np.random.Generator) -> Evaluation:
    """Damage images (N, H, W, C), uint8, restore them both ways, and compare with what they were."""
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
