"""Whoever reads the tool's words may go away at any moment: the work is done all the same."""

import errno
import json
import subprocess
import sys

import pytest
from commands import SMALL, draw_folder

import minigan as mg
from minigan.tool.__main__ import main
from minigan.training import RunError, files
from minigan.training.callbacks import SafeStream


class Failing:
    """A stream that fails from its n-th use on."""

    encoding = "utf-8"

    def __init__(self, error, uses=0):
        self.error, self.uses = error, uses

    def write(self, text):
        self.uses -= 1
        if self.uses < 0:
            raise self.error
        return len(text)

    def flush(self):
        self.write("")

    def isatty(self):
        return False

    def fileno(self):
        raise OSError("not a file")


ERRORS = [
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),  # a terminal that was closed
    ValueError("I/O operation on closed file."),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with images, a GAN and a classifier of them."""
    place = tmp_path_factory.mktemp("runs")
    data = draw_folder(place / "data", count=60)
    for model in ("mlp-gan", "cnn"):
        how = (*SMALL, "--steps", "2", "--out", str(place / model))
        assert main(["train", model, "--data", str(data), *how]) == 0
    return place


JUDGED = ("{runs}/mlp-gan", "--classifier", "{runs}/cnn", "--data", "{runs}/data", "--count", "10", "--json", "found")
COMMANDS = {  # what is written by each: its arguments, and the files
    "train": (["mlp-gan", "--data", "{runs}/data", *SMALL, "--steps", "2", "--out", "new"], ["new/report.html"]),
    "sample": (["{runs}/mlp-gan", "--out", "images.png"], ["images.png"]),
    "evaluate": ([*JUDGED, "--picture", "nearest.png"], ["found", "nearest.png"]),
    "compare": (
        ["{runs}/mlp-gan", "{runs}/mlp-gan", "--data", "{runs}/data", "--count", "10", "--json", "found"],
        ["found"],
    ),
    "prune": ([*JUDGED, "--out", "pruned"], ["found", "pruned/weights.safetensors"]),
    "inspect": (["{runs}/mlp-gan", "--out", "seen"], ["seen/saliency.png"]),
    "ask": (["{runs}/mlp-gan", "--data", "{runs}/data", "--count", "2", "--out", "ask.html"], ["ask.html"]),
    "models": ([], []),
    "data": ([], []),
    "doctor": ([], []),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_writes_its_files_though_no_word_can_be_written(runs, tmp_path, monkeypatch, command):
    arguments, written = COMMANDS[command]
    monkeypatch.chdir(tmp_path)
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, Failing(ERRORS[0]))
    assert main([command, *(argument.format(runs=runs) for argument in arguments)]) == 0
    for file in written:
        assert (tmp_path / file).stat().st_size > 0


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("uses", [0, 1, 2, 5])
def test_progress_never_ends_a_run(error, uses):
    images = mg.data.load("glyphs", count=40, size=8)
    result = mg.gan.fit("mlp-gan", images, steps=3, batch=8, callbacks=[mg.gan.Progress(Failing(error, uses))])
    assert len(result.history) == 3


def test_words_that_were_lost_make_the_exit_status_1_unless_their_reader_went_away(monkeypatch, capsys):
    for error in ERRORS:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", Failing(error))
            assert main(["models"]) == (0 if isinstance(error, BrokenPipeError) else 1)
            assert main(["models", "--what"]) == 2
        told = capsys.readouterr().err
        assert (f"standard output cannot be written: {error}" in told) == (not isinstance(error, BrokenPipeError))


SHELL = {
    '"$@" | true': 0,  # a pipe's status is its last command's; that of the tool follows
    '"$@" >&-': 0,
    '"$@" 2>&-': 0,
    '"$@" <&- >&- 2>&-': 0,
    '"$@" 2>/dev/full': 0,
    '"$@" >/dev/full': 1,
}


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("line", SHELL)
def test_closed_and_full_streams_of_a_shell(line):
    command = [sys.executable, "-m", "minigan.tool", "models"]
    shell = ["bash", "-c", f"set -o pipefail; {line}", "bash", *command]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert done.returncode == SHELL[line], done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_name_without_letters_for_it_is_written_by_its_codes(tmp_path):
    with open(tmp_path / "file", "w", encoding="ascii") as file:
        stream = SafeStream(file)
        stream.write("caf\u00e9 \udcff\n")
        stream.write("more\n")
    assert (tmp_path / "file").read_text() == "caf\\xe9 \\udcff\nmore\n"


FIGURES = "evaluate", "compare", "prune"


@pytest.mark.parametrize("command", FIGURES)
def test_figures_whose_file_cannot_be_written_are_said(runs, tmp_path, monkeypatch, capsys, command):
    def full(path, content):
        raise RunError(f"{path}: the disk is full; free some space")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "write", full)
    assert main([command, *(argument.format(runs=runs) for argument in COMMANDS[command][0])]) == 1
    said = capsys.readouterr()
    assert "95%" in said.out or "Frechet" in said.out
    assert said.err == "error: found: the disk is full; free some space\n"


def test_figures_are_written_before_the_words(runs, tmp_path, monkeypatch):
    """Whoever sees the words finds the file: of each command that writes figures."""
    monkeypatch.chdir(tmp_path)
    for command in FIGURES:
        there = []

        class Watching(Failing):
            def write(self, text, there=there):
                if "95%" in text or "Frechet" in text:
                    there.append((tmp_path / "found").is_file())
                return len(text)

        monkeypatch.setattr(sys, "stdout", Watching(None))
        assert main([command, *(argument.format(runs=runs) for argument in COMMANDS[command][0])]) == 0
        assert there
        assert all(there), command
        assert json.loads((tmp_path / "found").read_text())
        (tmp_path / "found").unlink()
