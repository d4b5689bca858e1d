"""The examples run as they stand, and do what they say."""

import json
import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

import minigan as mg

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / name))


def test_every_example_is_run_here():
    here = Path(__file__).read_text()
    assert all(file.name in here for file in EXAMPLES.iterdir())


def test_a_gan_by_hand_finds_the_circle():
    assert example("gan_by_hand.py")["main"](steps=300) < 0.25


def test_the_dcgan_in_one_file(tmp_path):
    folder, out = tmp_path / "images", tmp_path / "grid.png"
    folder.mkdir()
    for number, image in enumerate(mg.data.load("glyphs", count=8).images):
        Image.fromarray(image[..., 0]).save(folder / f"{number}.png")
    example("dcgan.py")["main"](folder=str(folder), steps=2, out=str(out))
    with Image.open(out) as grid:
        assert grid.size == (8 * 28, 8 * 28)
    assert Path(f"{out}.safetensors").exists()
    assert len((EXAMPLES / "dcgan.py").read_text().splitlines()) <= 150


def test_an_operation_of_ones_own_is_proved(capsys):
    example("own_operation.py")["main"]()
    assert "first and second order" in capsys.readouterr().out


def test_its_proof_finds_a_wrong_rule():
    space = example("own_operation.py")
    space["gaussian"].vjp(1)(lambda g, y, x, width: mg.sum_to(g * y * x**2 / width**2, shape=width.shape))
    with pytest.raises(AssertionError, match="order 1 gradient with respect to argument 1"):
        mg.testing.check_grads(space["gaussian"], [np.array([0.3, -1.0]), np.array([1.5, 0.7])])


def test_convolution_as_a_matrix():
    matplotlib.use("agg")
    notebook = json.loads((EXAMPLES / "convolution_as_a_matrix.ipynb").read_text())
    space = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
    assert space["columns"].shape == (9, 9)
    space["plt"].close("all")
