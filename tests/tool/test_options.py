"""The command line's edges: paths, numbers that are none, files that are there, and hints that can be followed."""

import ast
import os
import re
from pathlib import Path

import click
import pytest
from commands import keep_run

import minigan
from minigan import models
from minigan.tool import inspect
from minigan.tool.cli import cli
from minigan.tool.options import Place, Real, Whole

OPTIONS = [(name, option) for name, command in cli.commands.items() for option in command.params]


def flags(command):
    """What an option of a command is called on the command line, and --help."""
    return {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=lambda of: getattr(of, "name", of))
def test_every_path_and_number_is_of_a_type_that_knows_what_makes_no_sense(name, option):
    if option.metavar in ("DIR", "FILE", "FILES", "RUN", "SOURCE") or option.name in ("run", "first", "second"):
        assert isinstance(option.type, Place)
    assert not isinstance(option.type, click.types.FloatParamType) or isinstance(option.type, Real)
    assert not isinstance(option.type, click.types.IntParamType) or isinstance(option.type, Whole)


def test_the_home_folder_is_meant_by_its_sign_wherever_it_stands(tool, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    keep_run(tmp_path / "home" / "run", models.build("mlp-gan", (8, 8, 1)), data="nothing-here")
    assert tool("sample", "~/run", "--out=~/images.png").code == 0
    assert (tmp_path / "home" / "images.png").is_file()
    assert not (tmp_path / "~").exists()
    outcome = tool("sample", "~nobody-of-this-name/run", "--out=x.png")
    assert outcome.code == 2
    assert "no such home folder" in outcome.err


BOTH = ["", " ", "-", "\udcff", "x" * 5000]
NUMBERS = ["-1", "0", "nan", "inf", "-inf", "1e999", "1e-999", "99999999999999999999999", "0x10", "1_0", "½", "٣"]
WORDS = [
    *("~nobody-of-this-name/x", "a\0b", "\ud800", "/dev/null", "/dev/full", "/proc/self/mem", "none/such/file.png"),
    *(".", "..", "$HOME", "--", "*", "a\nb", "\x1b[31m", ",", "flip,,", "generator.x"),
]


def odd_values(option):
    """What makes no sense for an option, or little, as far as values of its type can differ in that."""
    if isinstance(option.type, Real | Whole):
        return BOTH + NUMBERS
    return BOTH[:2] if isinstance(option.type, click.Choice) else BOTH + WORDS


WITH_VALUES = [(name, option) for name, option in OPTIONS if not getattr(option, "is_flag", False)]


@pytest.mark.parametrize(("name", "option"), WITH_VALUES, ids=lambda of: getattr(of, "name", of))
def test_no_value_of_an_option_ends_in_a_traceback(tool, tmp_path, monkeypatch, name, option):
    """A run that is not there is named, so that nothing takes long once the options are understood."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")  # ".." would otherwise be a folder of other tests' images, to train with
    given = {"--out": "new.png" if name == "sample" else "new.html"} if name in ("sample", "ask") else {}
    given |= {"--data": "nothing-here"} if name == "train" else {}
    for value in odd_values(option):
        arguments = [of for of in cli.commands[name].params if isinstance(of, click.Argument)]
        words = [value if of is option else "no-run" for of in arguments if name != "train" or of is option]
        if isinstance(option, click.Option):
            given = given | {option.opts[0]: value}
        together = [part for flag, of in given.items() for part in (flag, of)]
        pair = [value] if option.opts[0] in given and option.nargs == 2 else []
        outcome = tool(name, *[*together, *pair], "--", *words)
        assert outcome.code in (0, 1, 2), value
        assert "Traceback" not in outcome.err


FILES = [
    ("sample", "--out", "images.png"),
    ("evaluate", "--json", "found.json"),
    ("evaluate", "--picture", "nearest.png"),
    ("compare", "--json", "found.json"),
    ("prune", "--json", "found.json"),
    ("answers", "--json", "found.json"),
    ("ask", "--out", "page.html"),
    ("inspect", "--out", "seen"),
]


@pytest.mark.parametrize(("name", "option", "file"), FILES)
def test_what_is_there_is_replaced_only_by_force(tool, tmp_path, monkeypatch, name, option, file):
    """With --force the next thing that is wrong is told; the run is one of a GAN that has learned from nothing."""
    monkeypatch.setattr(inspect, "of_generator", lambda *_: [("saliency.png", b"new")])
    keep_run(tmp_path / "run", models.build("mlp-gan", (8, 8, 1)), data="nothing-here")
    place = tmp_path / file
    if name == "inspect":
        place.mkdir()
        place = place / "saliency.png"
    place.write_text("mine")
    runs = ["run", "run"] if name == "compare" else ["run"]
    outcome = tool(name, *runs, option, file)
    assert outcome.code == 1
    assert "(--force)" in outcome.err
    assert place.read_text() == "mine"
    outcome = tool(name, *runs, option, file, "--force")
    assert "--force" not in outcome.err
    assert (outcome.code == 0) == (name in ("sample", "inspect"))
    assert (place.read_bytes() == b"mine") == (outcome.code != 0)


@pytest.mark.parametrize(("name", "option", "file"), FILES)
def test_a_folder_that_is_not_writable_is_named_before_any_work(tool, tmp_path, monkeypatch, name, option, file):
    keep_run(tmp_path / "run", models.build("mlp-gan", (8, 8, 1)), data="nothing-here")
    monkeypatch.setattr("minigan.training.files.os.access", lambda path, mode: not mode & os.W_OK)
    outcome = tool(name, *(["run", "run"] if name == "compare" else ["run"]), option, file)
    assert outcome.code == 1
    assert outcome.err.endswith(f" cannot be written; {tmp_path} is not writable\n")


@pytest.mark.skipif(os.name != "posix", reason="there are no devices of that kind")
def test_a_device_is_never_replaced_by_a_file(tool, tmp_path):
    keep_run(tmp_path / "run", models.build("mlp-gan", (8, 8, 1)), data="nothing-here")
    (tmp_path / "pipe.png").symlink_to("/dev/null")
    outcome = tool("sample", "run", "--out", "pipe.png", "--force")
    assert outcome.code == 1
    assert (tmp_path / "pipe.png").is_symlink()


def texts(file):
    """The pieces of text in a module, those of one f-string together, without docstrings."""
    tree = ast.parse(file.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    inner -= {id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    inner |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SOURCES = sorted(Path(minigan.__file__).parent.rglob("*.py"))
# which commands say what is in a module of the tool; every other module's words, any of them
SPEAKERS = {
    "train": ["train"],
    "special": ["train"],
    "sample": ["sample"],
    "evaluate": ["evaluate"],
    "compare": ["compare"],
    "prune": ["prune"],
    "inspect": ["inspect"],
    "ask": ["ask"],
}
STYLES = {"plots", "report"}  # modules with variables of CSS, which look like options


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.stem)
def test_hints_recommend_options_that_there_are(file):
    """`minigan COMMAND --option` names one of that command; a plain --option one of the command that says it."""
    known = set.union(*(flags(command) for command in cli.commands.values())) | {"--version"}
    for text in texts(file):
        for name, rest in re.findall(r"minigan (\w+)((?: [^`\n;,)]+)?)", text):
            if name in cli.commands:
                assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= flags(cli.commands[name]), text
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*\b", text))
        assert named <= known or file.stem in STYLES, text
        if file.parent.name == "tool" and "minigan " not in text:
            for name in SPEAKERS.get(file.stem, []):
                assert named <= flags(cli.commands[name]), (name, text)


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_a_full_memory_is_said_with_options_that_the_command_has(tool, monkeypatch, name):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(cli.commands[name], "make_context", full)
    outcome = tool(name)
    assert outcome.code == 1
    assert set(re.findall(r"--[a-z]+", outcome.err)) == flags(cli.commands[name]) & {"--batch", "--size", "--count"}


def test_every_command_that_finds_something_in_the_way_can_replace_it():
    """What `check_free` and `check_new_file` recommend."""
    for name, command in cli.commands.items():
        if {"--out", "--json", "--picture"} & flags(command):
            assert "--force" in flags(command), name


def test_the_help_of_train_has_each_option_once_under_a_heading(tool):
    lines = tool("train", "--help").out.splitlines()
    headings = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings[0] == "Data and length"
    assert headings[-1] == "Other"
    assert len(headings) == len(set(headings)) == 7
    for option in cli.commands["train"].params:
        if isinstance(option, click.Option):
            assert hasattr(option, "heading")
            shown = [line for line in lines if re.match(rf"  {re.escape(option.opts[0])}(?![\w-])", line)]
            assert len(shown) == 1, option.opts
            assert re.fullmatch(r"[A-Z].*\.", option.help, re.DOTALL), option.help
