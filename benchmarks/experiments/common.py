"""Shared by the experiments: trained runs, which are reused, and the format of mean and spread in tables."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minigan import models
from minigan.errors import MiniganError
from minigan.tool.__main__ import main as minigan
from minigan.training.folder import WEIGHTS, RunFolder


def trained(folder: Path, arguments: Sequence[str], steps: int | None = None) -> RunFolder:
    """The run of `minigan train` with these arguments, trained unless it exists with its model's current recipe.

    steps: the required length of an existing run; None accepts any
    raises MiniganError if training fails
    """
    run = RunFolder(folder)
    if not _is_there(run, steps):
        command = ["train", *arguments, "--out", str(folder), "--force"]
        folder.parent.mkdir(parents=True, exist_ok=True)
        if minigan(command):
            raise MiniganError(f"minigan {shlex.join(command)} failed")
    return run


def _is_there(run, steps):
    """Whether a finished run exists with its model's current recipe and this number of steps (None: any)."""
    if not (run / WEIGHTS).is_file():
        return False
    config = run.config()
    model = models.build(config["model"], config["image_shape"], **(config.get("options") or {}))
    same = config.get("kind", "gan") != "gan" or config["recipe"] == json.loads(json.dumps(model.recipe.plain()))
    return same and config["outcome"] == "finished" and config["steps"] == (steps or config["steps"])


def spread(values: Sequence[float], form: str = ",.1f") -> str:
    """Mean and sample standard deviation as "12.3 ± 0.4"; without a deviation for a single value."""
    deviation = f" ± {np.std(values, ddof=1):{form.removeprefix('+')}}" if len(values) > 1 else ""
    return f"{np.mean(values):{form}}{deviation}"
