"""`minigan ask` and `minigan answers`, as called."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import quickjs
from commands import SMALL, Tool, draw_folder

import minigan as mg
from minigan.tool.__main__ import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, a GAN of them, and a run that makes no images."""
    folder = tmp_path_factory.mktemp("asked")
    draw_folder(folder / "pictures", count=60)
    arguments = ("train", "mlp-gan", "--data", folder / "pictures", *SMALL, "--steps", 2, "--out", folder / "run")
    assert main([str(argument) for argument in arguments]) == 0
    config = json.loads((folder / "run" / "config.json").read_text())
    (folder / "cnn").mkdir()
    (folder / "cnn" / "config.json").write_text(json.dumps({**config, "kind": "classifier"}))
    return folder


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """The tool in that folder."""
    monkeypatch.chdir(folder)
    return Tool(capsys)


def ask(run, *options):
    """What the tool says of a page, and the page."""
    outcome = run("ask", "run", "--data", "pictures", "--count", 6, "--out", "page.html", "--force", *options)
    assert outcome.code == 0, outcome.err
    return outcome.out, Path("page.html").read_text(encoding="utf-8")


def save(html, said, person, name):
    """Answers as the page saves them, by its own script."""
    content, logic, _ = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    context = quickjs.Context()
    context.eval(logic)
    context.eval(f"const page = {content}; let state = fresh({json.dumps(person)});")
    for each in said:
        context.eval(f"state = answered(state, {json.dumps(each)}, 1.5)")
    Path(name).write_text(context.eval("JSON.stringify(saved(page, state))"), encoding="utf-8")
    return json.loads(context.eval("JSON.stringify(truth(page))"))


def test_a_page_is_made_answered_and_scored(run):
    said, html = ask(run)
    assert "note: the run was trained on 120 images, including the test images" in said
    assert "6 test images of pictures and 6 of run in page.html" in said
    truth = save(html, ["real"] * 12, "ada", "ada.json")
    save(html, truth, "bob", "bob.json")
    outcome = run("answers", "ada.json", "bob.json", "--json", "found.json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("2 people on 6 real and 6 generated images")
    assert re.search(r"judged correctly +75\.0%", outcome.out)
    assert re.search(r"generated images taken for real +50\.0%", outcome.out)
    assert re.search(r"real images taken for real +100\.0%", outcome.out)
    found = json.loads(Path("found.json").read_text())
    assert found["pooled"]["right"]["number"] == 18
    assert found["pooled"]["right"]["interval"] == pytest.approx(mg.evaluation.wilson(18, 24))
    assert found["taken"] == [1] * 6 + [0.5] * 6


def test_it_shows_the_run_and_test_images(run):
    _, html = ask(run, "--seed", 3, "--examples", 5, "--seconds", 0.5)
    page = json.loads(re.search(r'id="page">(.*?)</script>', html, re.DOTALL)[1])
    shown = {kind: [decoded(text) for text in page[kind]] for kind in ("images", "examples")}
    truth = save(html, ["real"] * 12, "ada", "ada.json")
    train, test = mg.data.load_splits("pictures", size=8, channels=3)
    made = list(mg.gan.sample(mg.gan.load("run"), 6, seed=3))
    assert sorted(map(bytes, made)) == sorted(
        bytes(each) for each, kind in zip(shown["images"], truth, strict=True) if kind != "real"
    )
    real = {bytes(each) for each, kind in zip(shown["images"], truth, strict=True) if kind == "real"}
    assert len(real) == 6
    assert real <= set(map(bytes, test.images))
    assert len(shown["examples"]) == 5
    assert set(map(bytes, shown["examples"])) <= set(map(bytes, train.images))
    assert page["seconds"] == 0.5
    assert "for only 0.5 seconds" in html


def decoded(text):
    return np.array(PIL.Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_same_seed_makes_the_same_page(run):
    pages = [ask(run, "--seed", seed)[1] for seed in (0, 0, 1)]
    assert pages[0] == pages[1] != pages[2]


def test_other_data_are_said_to_be_others(run, folder, tmp_path):
    draw_folder(tmp_path / "others", count=30, seed=1)
    outcome = run("ask", "run", "--data", tmp_path / "others", "--count", 6, "--out", "page.html", "--force")
    pictures, others = (f"{path} (folder)" for path in (folder / "pictures", tmp_path / "others"))
    assert f"note: the run was trained on {pictures}; this command uses {others}\n" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ask", "nothing", "--out", "page.html", "--force"), "not a run of minigan"),
        (("ask", "cnn", "--data", "pictures", "--out", "page.html", "--force"), "generates no images"),
        (("ask", "run", "--data", "pictures", "--out", "page.txt"), "must end in .html"),
        (("ask", "run", "--data", "pictures", "--out", "nowhere/page.html"), "there is no folder nowhere"),
        (("ask", "run", "--data", "pictures", "--out", "page.html", "--force"), "--count asks for 50 test images"),
        (("ask", "run", "--data", "pictures", "--out", "page.html", "--force", "--count", 0), "1<=x<=1000"),
        (("ask", "run", "--data", "pictures", "--out", "page.html", "--force", "--seconds", 0), "x>0"),
        (("answers",), "Missing argument"),
        (("answers", "nothing.json"), "nothing.json: cannot be read"),
        (("answers", "run/config.json"), "not answers saved from a page of minigan ask"),
        (("answers", "run/config.json", "--json", "run"), "give the name of a file"),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, message):
    outcome = run(*arguments)
    assert outcome.code != 0
    assert message in outcome.err
    assert "Traceback" not in outcome.err
