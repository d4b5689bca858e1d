import json
import shutil
import signal

import pytest
from commands import SMALL, keep_run, start

import minigan as mg
from minigan.training import Interrupted, files, weights
from minigan.training.folder import RunFolder
from minigan.training.loop import stop_signals

IMAGES = mg.data.glyphs(20, size=8)
STOPPING = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


@pytest.fixture(autouse=True)
def usual_handlers():
    """Signals as a terminal's processes have them, whatever started the tests."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_stops_after_the_step_and_saves_everything(tmp_path, number):
    process = start("train", "mlp-gan", *SMALL, "--steps", 10_000_000, "--out", "run", folder=tmp_path)
    assert process.stderr.readline().startswith("step ")  # it trains
    process.send_signal(number)
    if number != signal.SIGINT:
        process.send_signal(number)  # as timeout and closing terminals do
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert "at once" not in err.splitlines()[-1]
    assert "report" in out
    run = tmp_path / "run"
    config = json.loads((run / "config.json").read_text())
    assert f"stopped by {STOPPING[number]} after step {config['steps_done']}; everything so far is saved" in err
    assert config["outcome"] == "interrupted"
    assert len((run / "log.jsonl").read_text().splitlines()) == config["steps_done"] > 0
    assert weights.read(run / "weights.safetensors")[0]["step"] == str(config["steps_done"])
    assert "Stopped after" in (run / "report.html").read_text()
    assert mg.gan.sample(mg.gan.load(run), 2).shape == (2, 8, 8, 1)
    assert {path.name for path in run.iterdir()} == {
        *("config.json", "environment.json", "log.jsonl", "report.html", "samples", "weights.safetensors")
    }


def test_a_second_ctrl_c_ends_at_once():
    asked = []

    def press_twice():
        with stop_signals(lambda number: asked.append(1)):
            signal.raise_signal(signal.SIGINT)
            assert asked == [1]
            signal.raise_signal(signal.SIGINT)
            asked.append(2)

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert asked == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_python_everything_is_saved_before_the_interrupt_is_raised(tmp_path):
    press = mg.gan.Every(3, lambda trainer, record: signal.raise_signal(signal.SIGINT))
    images = mg.data.glyphs(20, size=8)
    with pytest.raises(KeyboardInterrupt, match="stopped after step 3"):
        mg.gan.fit("mlp-gan", images, steps=9, batch=4, callbacks=[press], out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps_done"] == 3
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_second_one_leaves_what_was_saved_before(tmp_path):
    def press_twice(trainer, record):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    images = mg.data.glyphs(20, size=8)
    with pytest.raises(KeyboardInterrupt) as caught:
        mg.gan.fit("mlp-gan", images, steps=9, batch=4, callbacks=[mg.gan.Every(3, press_twice)], out=tmp_path / "run")
    assert not isinstance(caught.value, mg.gan.Interrupted)
    assert mg.gan.load(tmp_path / "run").name == "mlp-gan"
    assert not (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "run" / "room-for-weights").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_asks_the_tool_to_end_leaves_no_half_written_file(tool, tmp_path, monkeypatch, number):
    keep_run(tmp_path / "run", mg.models.build("mlp-gan", (8, 8, 1)), data="nothing-here")
    monkeypatch.setattr(files.os, "replace", lambda *_: signal.raise_signal(number))
    outcome = tool("sample", "run", "--out", "images.png")
    assert (outcome.code, outcome.err) == (128 + number, f"error: stopped at once by {number.name}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_second_one_while_it_finishes_tells_where_the_weights_are(tool, tmp_path, monkeypatch):
    def press_twice(*_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("minigan.training.report.render", press_twice)
    outcome = tool("train", "mlp-gan", *SMALL, "--steps", 2, "--out", "run")
    assert outcome.code == 130
    assert outcome.err.endswith(
        "error: stopped at once by Ctrl-C\nThe weights of step 2 are in run/weights.safetensors.\n"
    )


def trained(out, callbacks=(), **how):
    return mg.gan.fit("mlp-gan", IMAGES, steps=4, batch=4, callbacks=callbacks, out=out, **how)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_asks_a_process_to_end_ends_a_script_with_its_status(tmp_path, number):
    press = mg.gan.Every(3, lambda trainer, record: [signal.raise_signal(number) for _ in range(3)])
    with pytest.raises(SystemExit) as caught:
        trained(tmp_path / "run", [press])
    assert isinstance(caught.value, Interrupted)
    assert (caught.value.code, caught.value.signal, caught.value.step) == (128 + number, number, 3)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps_done"] == 3
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None], ids=["ignored", "handled"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_ignored_or_handled_by_others_stays_so(tmp_path, number, handler):
    signal.signal(number, handler)
    press = mg.gan.Every(2, lambda trainer, record: signal.raise_signal(number))
    assert len(trained(tmp_path / "run", [press]).history) == 4
    assert signal.getsignal(number) == handler


@pytest.mark.parametrize("forced", [False, True], ids=["fresh", "forced"])
def test_two_ctrl_c_at_any_file_lose_nothing_that_was_saved(tmp_path, monkeypatch, forced):
    """Pressed while the k-th file of a run is being written, until there is none."""
    real, at = files.os.replace, [0, 0]

    def press_twice(*arguments):
        at[1] += 1
        if at[1] == at[0]:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        real(*arguments)

    monkeypatch.setattr("minigan.training.report.render", lambda folder: "page")
    monkeypatch.setattr("minigan.training.recorder.grid_png", lambda images, columns: b"grid")
    trained(tmp_path / "old", seed=7)
    monkeypatch.setattr(files.os, "replace", press_twice)
    for number in range(1, 100):
        out, at[:] = tmp_path / str(number), (0, 0)
        if forced:
            shutil.copytree(tmp_path / "old", out)
        at[:] = number, 0
        try:
            trained(out, force=forced)
        except KeyboardInterrupt:
            assert not list(out.rglob("*.part"))
            assert not (out / "lock").exists()
            at[:] = 0, 0
            if out.exists():
                seed = RunFolder(out).config()["seed"]
                assert seed in ((0, 7) if forced else (0,))
                if forced or (out / "weights.safetensors").exists():
                    assert weights.read(out / "weights.safetensors")[0]["seed"] == str(seed)
        else:
            break
    assert number > 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
