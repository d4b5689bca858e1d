import json
import signal

import pytest
from commands import SMALL, start

import minigan as mg
from minigan.training.interrupt import stop_signals


def test_ctrl_c_stops_after_the_step_and_saves_everything(tmp_path):
    process = start("train", "mlp-gan", *SMALL, "--steps", 10_000_000, "--out", "run", folder=tmp_path)
    assert process.stderr.readline().startswith("step ")  # it trains
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "report" in out
    run = tmp_path / "run"
    config = json.loads((run / "config.json").read_text())
    assert config["outcome"] == "interrupted"
    assert len((run / "log.jsonl").read_text().splitlines()) == config["steps_done"] > 0
    assert "Stopped after" in (run / "report.html").read_text()
    assert mg.gan.sample(mg.gan.load(run), 2).shape == (2, 8, 8, 1)
    assert not (run / "room-for-weights").exists()


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
