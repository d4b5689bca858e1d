"""`minigan evaluate --inception`, as called, with random weights and 75 pixels in place of 299."""

import json

import numpy as np
import pytest
from commands import SMALL, draw_folder

from minigan.models import inception
from minigan.models.inception import Inception
from minigan.tool.__main__ import main
from minigan.training import weights

RUN = ("evaluate", "runs/mlp-gan-pictures", "--count", 10, "--data", "pictures")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    weights.save(path, {}, Inception(np.random.default_rng(0)).published())
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pictures, a GAN of them, and a classifier where nobody looks for it unasked."""
    folder = tmp_path_factory.mktemp("trained")
    draw_folder(folder / "pictures", count=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for arguments in (("mlp-gan",), ("cnn", "--out", "judge")):
            assert main(["train", *arguments, "--data", "pictures", *SMALL, "--steps", "1"]) == 0
    return folder


@pytest.fixture
def runs(tool, trained, tmp_path, monkeypatch):
    """The tool in that folder, with a place of its own for what is kept and for figures."""
    monkeypatch.chdir(trained)
    monkeypatch.setattr(inception, "SIZE", 75)
    monkeypatch.setattr("minigan.tool.evaluate.cache_folder", lambda: tmp_path / "kept")
    return tool


@pytest.mark.slow
def test_figures_by_random_weights_are_not_called_fid(runs, file, tmp_path):
    """Without a classifier, and the second time with what is kept of real images."""
    arguments = (*RUN, "--inception", file, "--most", 12, "--json", tmp_path / "found.json")
    outcome = runs(*arguments)
    assert outcome.code == 0, outcome.err
    assert "of 32 images (training)" in outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == "note: the run was trained on 120 images, including the test images"
    assert lines[1] == (
        "10 images of runs/mlp-gan-pictures; without a classifier, its measures are skipped (--classifier RUN)"
    )
    found = json.loads((tmp_path / "found.json").read_text())["inception"]
    assert lines[3] == (
        f"by an Inception network with weights {found['digest']}, which are not those of FID and IS, compared with"
    )
    assert lines[4] == "12 of the 108 training images of pictures"
    assert (found["file"], found["published"], found["training"]) == (str(file), False, 12)
    frechet = next(line.split() for line in lines if "FID " in line and "0 is best" in line)
    assert frechet[:4] == ["as", "FID", f"{found['made']['frechet']:.2f}", f"{found['floor']['frechet']:.2f}"]
    score = next(line for line in lines if line.startswith("as IS"))
    assert f"{found['made']['score']['mean']:.2f} ± {found['made']['score']['deviation']:.2f}" in score
    again = runs(*arguments, "--force")
    assert again.out == outcome.out
    assert "of 10 images (generated)" in again.err


def test_they_come_after_a_classifiers(runs, file, tmp_path):
    found = tmp_path / "found.json"
    outcome = runs(*RUN, "--classifier", "judge", "--inception", file, "--most", 10, "--json", found)
    assert outcome.code == 0, outcome.err
    assert outcome.out.index("Frechet distance") < outcome.out.index("classifier score") < outcome.out.index("as FID")
    found = json.loads(found.read_text())
    assert found["made"]["frechet"] != found["inception"]["made"]["frechet"]


def test_what_cannot_be_done_is_said(runs, file):
    cases = {
        (*RUN, "--inception", "none.pth"): "none.pth: there is no such file",
        (*RUN, "--most", 20): "add the network's weights (--inception FILE)",
        (*RUN, "--inception", file, "--device", "moon"): "no device is called 'moon'",
        (*RUN, "--inception", file, "--picture", "nearest.png"): "--adversarial and --picture need a classifier",
    }
    for arguments, message in cases.items():
        outcome = runs(*arguments)
        assert outcome.code != 0
        assert message in outcome.err
        assert "Traceback" not in outcome.err


class Terminal:
    def __init__(self):
        self.written = ""

    def isatty(self):
        return True

    def write(self, text):
        self.written += text

    def flush(self):
        pass


def test_it_is_told_how_long_the_network_takes(monkeypatch):
    from minigan.tool import evaluate as told

    now = iter([100.0, 102.0, 102.1, 110.0])
    monkeypatch.setattr(told.time, "perf_counter", lambda: next(now))
    stream = Terminal()
    with told.InceptionProgress(stream) as forwarding:
        for done in (32, 64, 96, 132):
            forwarding.report("training", done, 200)
    assert stream.written.split("\r\x1b[K")[1:] == [
        "Inception network: 32 of 200 images (training), compiling",
        "Inception network: 64 of 200 images (training), 16.0 images/s, 0:08 left",
        "Inception network: 132 of 200 images (training), 10.0 images/s, 0:07 left\n",
    ]
