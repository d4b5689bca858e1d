import io
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from commands import SMALL, draw_folder

import minigan as mg
from minigan.training.callbacks import Downloads, Pace, Progress, clock


@pytest.fixture
def run(tool):
    assert tool("train", "mlp-gan", *SMALL, "--steps", 2, "--out", "run").code == 0
    return "run"


def test_npz_holds_bytes_and_the_seed_decides(tool, run):
    for seed, name in ((3, "a.npz"), (3, "b.npz"), (4, "c.npz")):
        assert tool("sample", run, "--count", 5, "--seed", seed, "--out", name).code == 0
    first, again, other = (np.load(name)["images"] for name in ("a.npz", "b.npz", "c.npz"))
    assert (first.dtype, first.shape) == (np.uint8, (5, 8, 8, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first, mg.gan.sample(mg.gan.load(run), 5, seed=3))


def test_png_is_a_grid(tool, run):
    outcome = tool("sample", run, "--count", 9, "--out", "grid.png")
    assert outcome.code == 0
    assert "9 images of 8 x 8 x 1 in grid.png" in outcome.out
    with PIL.Image.open("grid.png") as picture:
        assert picture.width == picture.height >= 3 * 8


def test_images_of_one_class_are_asked_for(tool, run):
    draw_folder("animals")
    trained = tool("train", "cgan", "--data", "animals", "--size", 28, "--steps", 1, "--batch", 4, "--out", "classes")
    assert trained.code == 0, trained.err
    for label in (0, 1):
        assert tool("sample", "classes", "--class", label, "--count", 2, "--out", f"{label}.npz").code == 0
    cats, dogs = (np.load(f"{label}.npz")["images"] for label in (0, 1))
    assert np.array_equal(dogs, mg.gan.sample(mg.gan.load("classes"), 2, label=1))
    assert not np.array_equal(cats, dogs)
    assert "classes 0 to 1, so 2 is not one" in tool("sample", "classes", "--class", 2, "--out", "x.png").err
    assert "mlp-gan has no classes" in tool("sample", run, "--class", 3, "--out", "x.png").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "--out", "x.png"], "not a run of minigan"),
        (["run", "--out", "x.gif"], "must end in .png"),
        (["run", "--out", "nowhere/x.png"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_sampled_is_one_line(tool, run, arguments, words):
    outcome = tool("sample", *arguments)
    assert outcome.code == 1
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_models_and_data_are_listed(tool):
    models = tool("models").out
    assert all(name in models for name in mg.models.available())
    data = tool("data").out
    assert all(listing.name in data for listing in mg.data.available())


def test_doctor_tells_versions_threads_and_caches(tool):
    report = tool("doctor").out
    for word in (np.__version__, "threads", "BLAS", "caches", "devices", "nothing is missing"):
        assert word in report


def test_doctor_names_what_is_missing_and_the_command(tool, monkeypatch):
    from minigan.training import inputs

    real = inputs.version
    monkeypatch.setattr(inputs, "version", lambda package: None if package == "rich" else real(package))
    report = tool("doctor").out
    assert "rich: pip install 'minigan[train]'" in report
    assert "nothing is missing" not in report


def test_without_the_extra_one_line_says_how_to_get_it():
    program = "import sys; sys.modules['click'] = None; from minigan.tool.__main__ import main; sys.exit(main([]))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["minigan: the command line needs click: pip install 'minigan[train]'"]


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from minigan.tool.__main__ import main; main(['train', '--help']); "
        "print([name for name in ('numba', 'matplotlib', 'rich', 'PIL', 'jinja2') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    mg.gan.fit("mlp-gan", mg.data.glyphs(20, size=8), steps=4, batch=4, callbacks=[Progress(terminal)])
    shown = terminal.getvalue()
    assert "4/4" in shown
    assert "loss D" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


def test_a_dumb_terminal_gets_lines(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    mg.gan.fit("mlp-gan", mg.data.glyphs(20, size=8), steps=4, batch=4, callbacks=[Progress(terminal)])
    assert "\x1b" not in terminal.getvalue()
    assert [line.split()[1] for line in terminal.getvalue().splitlines()] == ["1/4", "4/4"]


def test_pace_and_clock():
    pace = Pace()
    assert pace.rate == 0
    for seconds in (30.0, 30.5, 31.0):
        pace.add(seconds)
    assert pace.rate == pytest.approx(2)
    assert [clock(s) for s in (7, 754, 3723)] == ["0:07", "12:34", "1:02:03"]


def test_downloads_are_told():
    stream = io.StringIO()
    with Downloads(stream) as downloads:
        downloads.report("train.gz", 1_000_000, 2_000_000)
        downloads.report("train.gz", 2_000_000, 2_000_000)
    assert stream.getvalue().splitlines()[-1] == "downloading train.gz: 2.0 of 2.0 MB"
