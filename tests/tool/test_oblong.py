"""Runs of images that are not square: every command that takes a run takes one of these."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.data.arrays import resized, sides
from minigan.errors import DataError
from minigan.tool.__main__ import main

COMMANDS = {
    "sample": ("sample", "gan", "--count", "2", "--out", "samples.png"),
    "ask": ("ask", "gan", "--out", "page.html", "--force", "--count", "3", "--data", "pictures"),
    "evaluate": ("evaluate", "gan", "--count", "12", "--classifier", "judge", "--data", "pictures"),
    "compare": ("compare", "gan", "gan", "--count", "12", "--data", "pictures"),
    "inspect a classifier": ("inspect", "judge", "--out", "inside-judge", "--data", "pictures"),
    "inspect a GAN": ("inspect", "gan", "--out", "inside-gan", "--data", "pictures", "--classifier", "judge"),
    "prune a GAN": ("prune", "gan", "--count", "12", "--classifier", "judge", "--data", "pictures"),
    "prune a classifier": ("prune", "judge", "--data", "pictures"),
    "prune a deconvnet": ("prune", "restorer", "--data", "pictures"),
}


@pytest.fixture(scope="module", params=[(8, 14), (14, 8)], ids=["wide", "tall"])
def folder(request, tmp_path_factory):
    """A folder with pictures of this height and width, and runs that learned from them."""
    folder, rng = tmp_path_factory.mktemp("oblong"), np.random.default_rng(0)
    for kind, low in (("dark", 0), ("light", 99)):
        (folder / "pictures" / kind).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(low, low + 99, (*request.param, 3), np.uint8)
            PIL.Image.fromarray(pixels).save(folder / "pictures" / kind / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # runs keep where their data is
        data = mg.data.load("pictures")
        few = {"steps": 1, "batch": 8}
        mg.gan.fit("mlp-gan", data, out="gan", **few)
        mg.classifier.fit("cnn", data, test=data[::4], out="judge", **few)
        mg.restoration.fit("deconvnet", data, test=data[::9], task="denoising", out="restorer", **few)
    return folder


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_takes_such_a_run(command, folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert main(list(command)) == 0


@given(st.tuples(*[st.integers(1, 12)] * 4), st.sampled_from([1, 3]), st.integers(0, 255))
def test_a_flat_image_stays_flat_in_any_height_and_width(lengths, channels, value):
    images = np.full((2, *lengths[:2], channels), value, np.uint8)
    assert np.array_equal(resized(images, lengths[2:]), np.full((2, *lengths[2:], channels), value))


def test_what_is_resized_keeps_its_proportions():
    """A square image that becomes twice as wide as high loses rows at the top and the bottom, and is not squeezed."""
    image = np.zeros((1, 8, 8, 1), np.uint8)
    image[:, 2:6] = 200
    assert (resized(image, (4, 8)) == 200).all()


@pytest.mark.parametrize("size", [0, (0, 4), (4, -1), (4,), (4, 4, 4), 2.5, "4", (4, None)])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(DataError, match="size must be at least 1 pixel"):
        sides(size)


def test_glyphs_are_drawn_in_any_height_and_width():
    assert mg.data.load("glyphs", count=3, size=(10, 16)).shape == (10, 16, 1)
