import errno
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_gan import same_bits, tiny_gan, tiny_images

import minigan as mg
from minigan.gan import Every, RunError, fit
from minigan.training import RunWarning, files, recorder, weights
from minigan.training.folder import RunFolder, make_numbered


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A recorded run's folder and result."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    return folder, fit("mlp-gan", tiny_images(), steps=20, batch=8, out=folder)


def entries(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_run_leaves_what_the_documentation_says_and_nothing_else(run):
    folder, _ = run
    grids = [f"samples/step-{step:06d}.png" for step in (1, 2, 4, 6, 8, 11, 14, 17, 20)]
    names = ["config.json", "environment.json", "log.jsonl", "report.html", "weights.safetensors"]
    assert entries(folder) == sorted([*names, *grids])
    config = json.loads((folder / "config.json").read_text())
    assert (config["model"], config["steps_done"], config["outcome"], config["seed"]) == ("mlp-gan", 20, "finished", 0)
    assert json.loads((folder / "environment.json").read_text())["numpy"] == np.__version__


def test_the_log_has_a_line_for_every_step(run):
    folder, result = run
    log = RunFolder(folder).log()
    assert [record["step"] for record in log] == list(range(1, 21))
    assert log[4]["generator_loss"] == pytest.approx(result.history[4]["generator_loss"], abs=1e-6)


def test_weights_reload_to_the_same_bits_and_samples(run):
    folder, result = run
    gan = mg.gan.load(folder)
    assert same_bits(gan, result.gan)
    assert np.array_equal(mg.gan.sample(gan, 9, seed=2), result.sample(9, seed=2))


def test_recording_never_changes_training(run):
    _, recorded = run
    assert same_bits(recorded.gan, fit("mlp-gan", tiny_images(), steps=20, batch=8).gan)


def test_a_result_can_be_saved_afterwards(tmp_path, run):
    folder, _ = run
    result = fit("mlp-gan", tiny_images(), steps=3, batch=8)
    result.save(tmp_path / "late")
    assert same_bits(mg.gan.load(tmp_path / "late"), result.gan)
    assert len(RunFolder(tmp_path / "late").log()) == 3
    with pytest.raises(RunError, match="not empty"):
        result.save(folder)


def test_a_model_of_ones_own_is_loaded_into_it(tmp_path):
    trained = fit(tiny_gan(), tiny_images(), steps=2, out=tmp_path / "run").gan
    with pytest.raises(RunError, match=r"no model is called 'tiny'.*into=it"):
        mg.gan.load(tmp_path / "run")
    assert same_bits(mg.gan.load(tmp_path / "run", into=tiny_gan(5)), trained)


# ---------------------------------------------------------------------------------------------- report


def test_the_report_is_one_page_that_loads_nothing(run):
    page = (run[0] / "report.html").read_text()
    assert not re.search(r"""(src|href|action)\s*=\s*["']?\s*(?!data:|#)[^"'\s>]""", page)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page)
    assert "<script" not in page
    assert "<link" not in page


def test_the_report_holds_grids_curves_settings_and_environment(run):
    page = (run[0] / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 9  # eight along the way, and the last one large
    assert page.count("<svg") == 3  # losses, accuracies, and R1
    assert "mlp-gan on an array" in page
    assert "Linear(100 -&gt; 128)" in page
    assert np.__version__ in page
    assert len(set(re.findall(r'\bid="([^"]+)"', page))) == len(re.findall(r'\bid="([^"]+)"', page))


def test_a_name_from_outside_is_text_in_the_report(tmp_path):
    images = mg.data.Dataset(tiny_images(), name="<img src=http://nowhere/x.png>")
    fit(tiny_gan(), images, steps=1, out=tmp_path / "run")
    assert "<img src=http" not in (tmp_path / "run" / "report.html").read_text()


# ---------------------------------------------------------------------------------- existing and foreign folders


def test_an_existing_folder_is_never_overwritten(run):
    folder, _ = run
    before = {name: (folder / name).read_bytes() for name in entries(folder)}
    with pytest.raises(RunError, match=r"exists and is not empty.*--force"):
        fit("mlp-gan", tiny_images(), steps=1, batch=8, out=folder)
    assert {name: (folder / name).read_bytes() for name in entries(folder)} == before


def test_force_replaces_a_run_and_leaves_foreign_files(tmp_path):
    folder = tmp_path / "run"
    fit(tiny_gan(), tiny_images(), steps=4, out=folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "samples" / "step-by-step.png").write_text("mine too")
    fit(tiny_gan(), tiny_images(), steps=1, out=folder, force=True)
    assert [record["step"] for record in RunFolder(folder).log()] == [1]
    assert (folder / "notes.txt").read_text() == "mine"
    assert [name for name in entries(folder) if "samples" in name] == [
        "samples/step-000001.png",
        "samples/step-by-step.png",
    ]


def test_force_refuses_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "config.json").write_text('{"mine": true}')
    with pytest.raises(RunError, match="not a run of minigan"):
        fit(tiny_gan(), tiny_images(), steps=1, out=tmp_path, force=True)
    assert entries(tmp_path) == ["config.json"]


def test_a_file_or_a_place_below_one_is_no_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "run"):
        with pytest.raises(RunError, match="file"):
            fit(tiny_gan(), tiny_images(), steps=1, out=out)
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_an_error_before_training(tmp_path, monkeypatch):
    def refuse(path, **how):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    steps = []
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(RunError, match=r"run: cannot be written \(Permission denied\)"):
        fit(tiny_gan(), tiny_images(), steps=1, out=tmp_path / "run", callbacks=[Every(1, lambda *_: steps.append(1))])
    assert not steps


def test_each_numbered_folder_is_made_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make_numbered(tmp_path / "runs", "a").name, range(40)))
    assert sorted(made) == sorted(["a", *(f"a-{number}" for number in range(2, 41))])


# ------------------------------------------------------------------------------------------ broken files


def test_a_cut_or_foreign_file_of_weights_is_named(tmp_path):
    folder = tmp_path / "run"
    fit("mlp-gan", tiny_images(), steps=1, batch=8, out=folder)
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    for content in (whole[:-10], b"", b"not a file of weights"):
        weights.write_bytes(content)
        with pytest.raises(RunError, match=r"weights\.safetensors: not a complete safetensors file"):
            mg.gan.load(folder)
    weights.write_bytes(whole.replace(b"[6, 6, 1]", b"[5, 6, 1]"))
    with pytest.raises(RunError, match="was changed or damaged after it was saved"):
        mg.gan.load(folder)
    weights.unlink()
    with pytest.raises(RunError, match="no such file"):
        mg.gan.load(folder)
    with pytest.raises(RunError, match="not a run of minigan"):
        mg.gan.load(tmp_path)


def test_a_log_that_was_cut_is_read_up_to_the_cut(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert RunFolder(tmp_path).log() == [{"step": 1}, {"step": 2}]


# ------------------------------------------------------------------------------------------ the full disk


class FullDisk:
    """Lets what fills a disk fail from a moment on: os.fsync, which every finished file goes through, and room."""

    def __init__(self, monkeypatch):
        self.full = False
        for name in ("fsync", "posix_fallocate"):
            monkeypatch.setattr(files.os, name, self.watched(getattr(os, name)))

    def watched(self, real):
        def call(*arguments):
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        return call


def test_a_full_disk_names_the_file_and_keeps_the_last_weights(tmp_path, monkeypatch):
    disk = FullDisk(monkeypatch)
    saved = {}

    def fill(trainer, record):
        saved["weights"] = (tmp_path / "run" / "weights.safetensors").read_bytes()
        saved["step"] = trainer.step
        disk.full = True

    with (
        pytest.warns(RunWarning, match=r"run/weights\.safetensors: the disk is full; .* Training continues"),
        pytest.raises(RunError, match=r"run/weights\.safetensors: the disk is full") as caught,
    ):
        fit(tiny_gan(), tiny_images(), steps=40, out=tmp_path / "run", callbacks=[Every(3, fill)])
    assert saved["step"] == 39
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == saved["weights"]
    assert any("The weights of step 2 are in" in note for note in caught.value.__notes__)
    assert not [name for name in entries(tmp_path) if name.endswith(".part") or "room" in name]


def test_a_disk_that_is_full_for_a_while_does_not_end_a_run(tmp_path, monkeypatch):
    disk = FullDisk(monkeypatch)

    def fill(trainer, record):
        disk.full = 3 <= trainer.step < 20

    monkeypatch.setattr(recorder.report, "render", lambda folder: "page")
    with pytest.warns(RunWarning) as warned:
        fit(tiny_gan(), tiny_images(), steps=40, out=tmp_path / "run", callbacks=[Every(1, fill)])
    assert [str(each.message).count("Training continues") for each in warned] == [1, 0]  # then which grids are missing
    assert weights.read(tmp_path / "run" / "weights.safetensors")[0]["step"] == "40"
    assert RunFolder(tmp_path / "run").config()["outcome"] == "finished"
    assert (tmp_path / "run" / "report.html").is_file()


def test_weights_that_were_moved_away_are_not_said_to_be_there(tmp_path):
    def move(trainer, record):
        (tmp_path / "run").rename(tmp_path / "kept")

    with pytest.warns(RunWarning, match="Training continues"), pytest.raises(RunError) as caught:
        fit(tiny_gan(), tiny_images(), steps=8, out=tmp_path / "run", callbacks=[Every(5, move)])
    assert f"in {tmp_path / 'run' / 'weights.safetensors'}, which is no longer there" in caught.value.__notes__[-1]
    assert len(RunFolder(tmp_path / "kept").log()) == 8


def test_a_log_that_a_full_disk_cuts_goes_on_where_it_was_cut(tmp_path, monkeypatch):
    log = recorder._Log(tmp_path / "log.jsonl")
    file, room = log.file, [20]

    def write(content):
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = file.write(content[: room[0]])
        room[0] -= written
        return written

    history = [{"step": step, "loss": 0.5} for step in range(1, 9)]
    with monkeypatch.context() as full:
        full.setattr(log, "file", SimpleNamespace(write=write))
        log.follow(history[:4])
        with pytest.raises(RunError, match="the disk is full"):
            log.flush()
    log.follow(history)
    log.flush(last=True)
    log.close()
    assert RunFolder(tmp_path).log() == history


def test_without_room_for_the_weights_nothing_begins_and_nothing_is_lost(tmp_path, monkeypatch):
    fit(tiny_gan(), tiny_images(), steps=2, out=tmp_path / "old")
    before = {name: (tmp_path / "old" / name).read_bytes() for name in entries(tmp_path / "old")}

    def refuse(descriptor, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "posix_fallocate", refuse)
    for out, force in ((tmp_path / "old", True), (tmp_path / "new", False)):
        with pytest.raises(RunError, match="the disk is full"):
            fit(tiny_gan(), tiny_images(), steps=2, out=out, force=force)
    assert {name: (tmp_path / "old" / name).read_bytes() for name in entries(tmp_path / "old")} == before
    assert not (tmp_path / "new").exists()


def test_room_for_the_weights_is_kept_from_the_start(tmp_path):
    sizes = []

    def look(trainer, record):
        sizes.append((tmp_path / "run" / "room-for-weights").stat().st_size)

    fit(tiny_gan(), tiny_images(), steps=5, out=tmp_path / "run", callbacks=[Every(1, look)])
    assert min(sizes) >= (tmp_path / "run" / "weights.safetensors").stat().st_size
    assert not (tmp_path / "run" / "room-for-weights").exists()


def test_the_room_is_given_to_the_weights(tmp_path, monkeypatch):
    real, found = weights.save, []

    def save(path, header, arrays):
        found.append((tmp_path / "run" / "room-for-weights").exists())
        real(path, header, arrays)

    monkeypatch.setattr(weights, "save", save)
    fit(tiny_gan(), tiny_images(), steps=3, out=tmp_path / "run")
    assert found == [False, False, False]


def test_weights_that_are_no_numbers_never_replace_good_ones(tmp_path):
    def poison(trainer, record):
        trainer.gan.generator.parameters()[0].data[...] = np.nan

    with pytest.raises(mg.gan.DivergedError):
        fit(tiny_gan(), tiny_images(), steps=30, out=tmp_path / "run", callbacks=[Every(8, poison)])
    gan = mg.gan.load(tmp_path / "run", into=tiny_gan())
    assert all(np.isfinite(array).all() for array in gan.generator.state_dict().values())
    assert json.loads((tmp_path / "run" / "config.json").read_text())["outcome"] == "failed"


def test_force_keeps_the_earlier_run_until_the_new_one_has_weights(tmp_path, monkeypatch):
    out = tmp_path / "run"
    fit(tiny_gan(), tiny_images(), steps=3, out=out)
    before = {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()}

    def fail(self, *batch):
        raise mg.DataError("an image cannot be read")

    monkeypatch.setattr(mg.gan.Trainer, "train_step", fail)
    with pytest.raises(mg.DataError) as caught:
        fit(tiny_gan(), tiny_images(), steps=3, out=out, force=True)
    after = {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert before == after
    assert any("still in" in note for note in caught.value.__notes__)
    monkeypatch.undo()
    fit(tiny_gan(), tiny_images(), steps=2, out=out, force=True)
    assert mg.gan.load(out, into=tiny_gan())
    assert not (out / "replaced").exists()
