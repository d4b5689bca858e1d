"""What the experiments share: trained runs, which are not trained again, and how their tables show a spread."""

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
    """The run of `minigan train` with these arguments, trained unless it is there with the recipe that its model has.

    steps: how many the run has; any number unless given
    raises MiniganError where training fails
    """
    run = RunFolder(folder)
    if not _is_there(run, steps):
        command = ["train", *arguments, "--out", str(folder), "--force"]
        folder.parent.mkdir(parents=True, exist_ok=True)
        if minigan(command):
            raise MiniganError(f"minigan {shlex.join(command)} failed")
    return run


def _is_there(run, steps):
    """Whether a run is there that ended well, with its model's recipe of now and so many steps, any unless given."""
    if not (run / WEIGHTS).is_file():
        return False
    config = run.config()
    model = models.build(config["model"], config["image_shape"], **(config.get("options") or {}))
    same = config.get("kind", "gan") != "gan" or config["recipe"] == json.loads(json.dumps(model.recipe.plain()))
    return same and config["outcome"] == "finished" and config["steps"] == (steps or config["steps"])


def spread(values: Sequence[float], form: str = ",.1f") -> str:
    """ "12.3 ± 0.4", by the mean and the sample's standard deviation; of one value no deviation."""
    deviation = f" ± {np.std(values, ddof=1):{form.removeprefix('+')}}" if len(values) > 1 else ""
    return f"{np.mean(values):{form}}{deviation}"
