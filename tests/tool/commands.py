"""Running the tool, in this process or in one of its own."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from minigan.data import load
from minigan.tool.__main__ import main
from minigan.training import weights
from minigan.training.trainer import header_of

SMALL = ("--size", "8", "--batch", "8")  # the quickest training there is


@dataclass
class Outcome:
    code: int
    out: str
    err: str


class Tool:
    """minigan as called with some arguments, in this process."""

    def __init__(self, capsys):
        self.capsys = capsys

    def __call__(self, *arguments):
        code = main([str(argument) for argument in arguments])
        captured = self.capsys.readouterr()
        return Outcome(code, captured.out, captured.err)


def start(*arguments, folder):
    """The tool in a process of its own, its standard error a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "minigan.tool", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a test runner in the background ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def draw_folder(path, count=8, kinds=("cats", "dogs"), seed=0):
    """Few small images in sub-folders, which are quicker to have than glyphs."""
    rng = np.random.default_rng(seed)
    for kind in kinds:
        (Path(path) / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            PIL.Image.fromarray(pixels).save(Path(path) / kind / f"{number}.png")
    return path


def keep_run(path, model, **config):
    """A run folder as training leaves it, of a model that has not trained; quicker by a second."""
    Path(path).mkdir(parents=True)
    weights.save(Path(path) / "weights.safetensors", header_of(model), model.state())
    recipe = {"recipe": model.recipe.plain()} if model.kind == "gan" else {}
    if Path(config.get("data", "")).is_dir():
        config["dataset"] = load(config["data"], size=model.image_shape[0]).identity.plain()
    config = {"format": "minigan-run-1", "kind": model.kind, "model": model.name, **recipe, **config}
    (Path(path) / "config.json").write_text(json.dumps(config))
