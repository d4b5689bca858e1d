"""Whatever classes and folders are called, and however many classes there are, a run ends with its pictures."""

import re
import warnings

import numpy as np
import PIL.Image
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minigan as mg
from minigan.classifier import MATRIX, pictures
from minigan.data import Dataset
from minigan.inside import pictures as inside
from minigan.inside.pictures import rows
from minigan.training.folder import RunFolder
from minigan.training.grids import LONGEST, printable
from minigan.training.report import curves, limits

AWKWARD = [
    "$_$", "$\\frac{$", "a_b^c", "{}", "{{ 7 * 7 }}", "{% raw %}", "<b>&\"'", "\\", "%s", "_hidden", "", " ",
    "\0", "\x1b[31m", "two\nlines", "\r", "\t", "caf\udce9", "\ud800", "שלום", "مرحبا", "\u202eevil", "猫",
    "🐈‍⬛", "é", "x" * 5000, "\ufffe",
]  # fmt: skip
NAMES = st.sampled_from(AWKWARD) | st.text(st.characters(codec=None), max_size=12)


@pytest.fixture(autouse=True, scope="module")
def coarse():
    """Pictures of few pixels, which are drawn in a quarter of the time."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (pictures, inside):
            patch.setattr(module, "DPI", 40)
        yield


def size_of(content, tmp_path):
    (tmp_path / "picture.png").write_bytes(content)
    with PIL.Image.open(tmp_path / "picture.png") as image:
        return image.size


@given(NAMES)
def test_a_name_can_be_written_anywhere(name):
    for longest in (None, LONGEST):
        text = printable(name, longest)
        assert text.encode().decode() == text
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
        assert longest is None or len(text) <= longest
    if re.fullmatch(r"[\w ]{,20}", name):
        assert printable(name) == name


@pytest.mark.parametrize("first", range(0, len(AWKWARD), 14))
def test_pictures_take_any_names(first):
    names = AWKWARD[first : first + 14]
    count = len(names)
    logits = np.eye(count)[::-1]
    images = np.zeros((count, 4, 4, 1), np.uint8)
    assert pictures.confusion(np.ones((count, count), int), names).startswith(b"\x89PNG")
    assert pictures.errors(images, np.arange(count), logits, names).startswith(b"\x89PNG")
    assert rows(images[None], ["$\\frac{$"], names, " ".join(names)).startswith(b"\x89PNG")
    assert "<svg" in curves(np.arange(3), {name: ("--first", np.arange(3.0)) for name in names[:4]})


@settings(max_examples=2)
@given(st.lists(NAMES, min_size=2, max_size=3, unique=True))
@example(["caf\udce9", "$_$"])
def test_a_run_has_its_report_whatever_its_classes_and_its_data_are_called(tmp_path_factory, names):
    out = tmp_path_factory.mktemp("runs") / "run"
    labels = np.arange(24) % len(names)
    data = Dataset(np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8), labels, names[0], tuple(names))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mg.classifier.fit("cnn", data, test=data, steps=1, batch=8, out=out)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") >= 1
    assert "<b>&\"'" not in page


@pytest.mark.parametrize("count", [1, 41, 300, MATRIX])
def test_a_confusion_matrix_has_a_size_that_is_bounded(tmp_path, count):
    matrix = np.zeros((count, count), int)
    matrix[0, -1] = 3
    content = pictures.confusion(matrix, [f"class {number}" for number in range(count)])
    assert max(size_of(content, tmp_path)) < pictures.DPI * (pictures.WIDE + 6)
    if count > 1:
        pixels = np.array(PIL.Image.open(tmp_path / "picture.png").convert("RGB")).astype(int)
        assert (pixels[..., 0] - pixels[..., 2] > 60).any()  # the one mistake is seen in any of them


def test_a_run_of_more_classes_is_no_larger_than_its_images(tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8), [0, 1, 2, 1000]
    mg.classifier.fit("cnn", images, labels=labels, test=(images, labels), steps=1, batch=4, out=tmp_path / "run")
    assert (tmp_path / "run" / "config.json").stat().st_size < 100_000
    assert "wrong" in RunFolder(tmp_path / "run").config()["shown"]["results"]


def test_classes_that_have_no_name_have_their_numbers():
    trainer = mg.classifier.fit.__globals__["Trainer"]
    model = mg.models.build("cnn", (8, 8, 1), 0, classes=4)
    batches = mg.data.Batches(np.zeros((4, 8, 8, 1), np.uint8), np.zeros(4, int), batch_size=4, ahead=0)
    assert trainer(model, batches, steps=1, classes=("cats", "dogs")).classes == ("cats", "dogs", "2", "3")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_leave_the_curve_of_the_others(value):
    values = np.array([1.0, value, 3.0])
    assert all(np.isfinite(limits([values])))
    assert all(np.isfinite(limits([values[1:2]])))
    assert curves(np.arange(3), {"loss": ("--first", values)}).endswith("</svg>\n")
