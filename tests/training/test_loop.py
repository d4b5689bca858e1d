"""Runs of what is no GAN: a regression that learns a line, with everything that a trainer can say."""

import json
import re

import numpy as np
import pytest

import minigan as mg
from minigan.data import Batches
from minigan.nn import Flatten, Linear, Sequential
from minigan.training import Curves, Every, Loop, Progress, Recorder, Result, Shown
from minigan.training import weights as files_of_weights
from minigan.training.folder import RunFolder
from minigan.training.grids import grid_png
from minigan.training.report import limits

SETTINGS = {"model": "line", "data": "noise", "images": 12, "image_shape": [2, 2, 1], "steps": 6, "batch": 4, "seed": 0}


class Line(Loop):
    """Learns the sum of four pixels."""

    preview_columns = 1

    def __init__(self, steps=6, **how):
        images = np.random.default_rng(0).uniform(-1, 1, (12, 2, 2, 1)).astype(np.float32)
        super().__init__("line", Batches(images, np.arange(12), batch_size=4), steps=steps, **how)
        self.network = Sequential(Flatten(), Linear(4, 1, rng=np.random.default_rng(0)))
        self.optimiser = mg.optim.SGD(self.network.parameters(), lr=0.5)
        self.labels = []

    def train_step(self, images, labels=None):
        self.labels.append(labels)
        wanted = mg.tensor(images.sum((1, 2)))
        loss = mg.mean_squared_error(self.network(mg.tensor(images)), wanted)
        self.optimiser.step(mg.grad(loss, self.network.parameters()))
        return {"loss": loss.item(), "share": 0.5}

    def networks(self):
        return {"Network": self.network}

    def state(self):
        return self.network.state_dict()

    def header(self):
        return {"format": "line", "sizes": [4, 1]}

    def preview(self):
        return np.zeros((3, 2, 2, 1), np.uint8)

    def results(self):
        return {"sum": 4.0}

    def pictures(self):
        return {"weights": grid_png(np.full((1, 2, 2, 1), 200, np.uint8))}

    def shown(self):
        return Shown(
            caption="Drawn",
            along="One place each.",
            curves=(Curves("Errors", {"squared": "loss"}), Curves("Shares", {"of nothing": "share"}, percent=True)),
            about_curves="Lower is better.",
            results={"the sum": "about 4"},
            facts={"last error": "loss"},
            settings={"optimiser": "gradient descent"},
            pictures={"weights": "The weights as a picture"},
        )


class Silent(Loop):
    """Has nothing to show."""

    def train_step(self, images, labels=None):
        return {"loss": 1.0}

    def networks(self):
        return {"Network": Linear(4, 1)}

    def state(self):
        return {"weight": np.zeros(3, np.float32)}

    def header(self):
        return {}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "line"
    line = Line()
    line.callbacks.append(Recorder(folder, SETTINGS))
    line.run()
    return folder, line


def test_a_step_gets_a_batch_with_its_labels_and_its_record_what_it_measured(run):
    _, line = run
    assert [len(labels) for labels in line.labels] == [4] * 6
    assert line.history.column("epoch").tolist() == [1, 1, 1, 2, 2, 2]
    assert line.history[-1]["loss"] < line.history[0]["loss"]
    assert line.outcome == "finished"


def test_the_weights_are_those_that_it_says_under_the_header_that_it_says(run):
    folder, line = run
    header, arrays = files_of_weights.read(folder / "weights.safetensors")
    assert (header["format"], json.loads(header["sizes"]), json.loads(header["step"])) == ("line", [4, 1], 6)
    assert arrays.keys() == line.state().keys()
    assert all(np.array_equal(arrays[name], array) for name, array in line.state().items())


def test_the_report_shows_what_it_says(run):
    page = (run[0] / "report.html").read_text()
    for words in (
        "line on noise", "Drawn after step 6", "One place each.", "Errors", "Shares", "squared", "Lower is better.",
        "the sum", "about 4", "last error", "gradient descent", "The weights as a picture", "Linear(4 -&gt; 1)",
        "5 parameters",
    ):  # fmt: skip
        assert words in page, words
    assert page.count("<svg") == 2
    first, second = page.split("<svg")[1:]  # each line in a colour of its own
    assert "var(--first)" in first
    assert "var(--second)" not in first
    assert "var(--second)" in second
    assert page.index("about 4") < page.index("<dt>steps")  # what counts comes first
    assert json.loads((run[0] / "config.json").read_text())["results"] == {"sum": 4.0}
    assert (run[0] / "pictures" / "weights.png").read_bytes() == run[1].pictures()["weights"]


def test_progress_is_told_in_its_words(capsys):
    line = Line(callbacks=[Progress()])
    line.run()
    told = capsys.readouterr().err
    assert "step 6/6" in told
    assert re.search(r"loss \d\.\d{3}  share 0\.500", told)


def test_pictures_are_replaced_with_their_run_and_foreign_ones_are_not(tmp_path):
    folder = tmp_path / "run"
    Result(trained(Line()), SETTINGS).save(folder)
    (folder / "pictures" / "mine.png").write_text("mine")
    Result(trained(Silent("silent", Line().batches, steps=2)), SETTINGS).save(folder, force=True)
    assert [file.name for file in (folder / "pictures").iterdir()] == ["mine.png"]


def test_pictures_have_plain_names():
    """config.json may come from anywhere: what it names lies in the run's own folder."""
    folder = RunFolder("run")
    folder.config = lambda: {"shown": {"pictures": {"../../secret": "", "fine": ""}}}
    assert [str(file) for file in folder.pictures()] == ["run/pictures/fine.png"]


def test_a_run_with_nothing_to_show_is_kept_all_the_same(tmp_path):
    Result(trained(Silent("silent", Line().batches, steps=2)), SETTINGS).save(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<svg" not in page
    assert "<img" not in page
    assert not (tmp_path / "run" / "samples").exists()


def test_curves_below_zero_are_in_the_picture_and_outliers_are_not():
    below = np.concatenate([np.linspace(-3, -1, 999), [1e9]])
    low, high = limits([below, np.zeros(10)])
    assert low < -3
    assert 0 <= high < 1
    low, high = limits([np.linspace(2, 3, 10)])
    assert low == 0
    assert 3 < high < 4
    low, high = limits([np.zeros(10)])
    assert low < high


@pytest.mark.parametrize("method", ["train_step", "networks", "state", "header"])
def test_what_a_trainer_has_to_define_is_said(method):
    with pytest.raises(NotImplementedError, match=rf"Loop must define {method}\(\)"):
        getattr(Loop("nothing", None, steps=1), method)(*([None] if method == "train_step" else []))


def test_a_callback_may_stop_it():
    line = Line(callbacks=[Every(2, lambda trainer, record: trainer.stop())])
    line.run()
    assert (line.step, line.outcome) == (2, "interrupted")


def trained(loop):
    loop.run()
    return loop
