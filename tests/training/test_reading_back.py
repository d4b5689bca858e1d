"""Files that minigan wrote and reads back: unchanged they say what they said; changed they are refused, by name."""

import json
import os
import shutil
import struct
from itertools import cycle

import numpy as np
import pytest
from safetensors.numpy import save

import minigan as mg
from minigan.errors import DataError, MiniganError, RunError
from minigan.evaluation.answers import answered
from minigan.evaluation.fid import FEATURES, FORMAT, OUTPUTS, InceptionFeatures
from minigan.models import Classifier
from minigan.tool.__main__ import main
from minigan.training import reading, recorder, trainer, weights
from minigan.training.folder import RunFolder

MUTANTS = 2000
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1), np.uint8)
LABELS = np.arange(24) % 3
LOADERS = {
    "gan": mg.gan.load,
    "cgan": mg.gan.load,
    "classifier": mg.classifier.load,
    "vae": mg.vae.load,
    "restoration": mg.restoration.load,
}
ANSWERS = {
    "format": "minigan-answers-1",
    "page": "0123456789abcdef",
    "person": "p1",
    "count": 3,
    "order": [3, 1, 0, 2, 5, 4],
    "answers": ["real", "generated", "real", "real", "generated", "real"],
    "times": [0.5, 1, 2.25, 0.75, 3, 1.5],
    "seed": 0,
    "seconds": None,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A small run of each kind, by its name."""
    folder, few = tmp_path_factory.mktemp("runs"), {"steps": 2, "batch": 8}
    mg.gan.fit("mlp-gan", IMAGES, out=folder / "gan", ema=0.5, spectral_norm=True, **few)
    colour = np.repeat(np.repeat(np.repeat(IMAGES[:8], 4, 1), 4, 2), 3, 3)[:, :28, :28]
    mg.gan.fit("cgan", colour, labels=LABELS[:8], out=folder / "cgan", steps=1, batch=4)
    mg.classifier.fit("cnn", IMAGES, labels=LABELS, test=(IMAGES, LABELS), out=folder / "classifier", **few)
    mg.vae.fit("vae", IMAGES, test=IMAGES, out=folder / "vae", latent_size=3, **few)
    mg.restoration.fit("deconvnet", IMAGES, test=IMAGES, task="denoising", out=folder / "restoration", **few)
    return {name: folder / name for name in LOADERS}


def state_of(model):
    return {f"{of}.{name}": a for of, net in model.networks().items() for name, a in net.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[n], second[n]) for n in first)


# --------------------------------------------------------------------------------------------- mutants


def parts_of(content, rng):
    """Two places in some bytes, in order."""
    return sorted(rng.integers(0, len(content) + 1, 2).tolist())


def flipped(content, rng):
    place = int(rng.integers(len(content)))
    return content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :]


def truncated(content, rng):
    return content[: int(rng.integers(len(content)))]


def spliced(content, rng):
    """A part of the file in another place of it."""
    start, end = parts_of(content, rng)
    place, end = int(rng.integers(len(content) + 1)), min(end, start + 400)
    return content[:place] + content[start:end] + content[place:]


def overwritten(content, rng):
    start, end = parts_of(content, rng)
    end = min(end, start + 64)
    return content[:start] + rng.bytes(end - start) + content[end:]


ODD = (
    *(None, True, -1, 0, 1, 2, 7, 10**9, 1 << 62, 1 << 63, 10**400, 0.5, -0.0, 1e400, float("nan")),
    *("", "x", "cnn", "vae", "../x", "\ud800", "a\0b", [], [1], [1, 2, 3], [[]], {}, {"a": 1}, [None, None], ["real"]),
    [30_000, 30_000, 3],
)


def edited(value, rng):
    """JSON with one value in it, at any depth, another one, renamed or left out."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = list(value)[int(rng.integers(len(value)))]
        draw = rng.random()
        if draw < 0.1:
            return {key: each for key, each in value.items() if key != name}
        if draw < 0.15:
            return {f"{key}x" if key == name else key: each for key, each in value.items()}
        return {**value, name: edited(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = int(rng.integers(len(value)))
        return [*value[:place], edited(value[place], rng), *value[place + 1 :]]
    return ODD[int(rng.integers(len(ODD)))]


def edited_json(content, rng):
    return json.dumps(edited(json.loads(content), rng)).encode()


def edited_lines(content, rng):
    lines = content.splitlines()
    place = int(rng.integers(len(lines)))
    return b"".join(b + b"\n" for b in (*lines[:place], edited_json(lines[place], rng), *lines[place + 1 :]))


def header_of(content):
    """The header of a safetensors file as text, and the arrays' bytes."""
    size = int.from_bytes(content[:8], "little")
    return content[8 : 8 + size], content[8 + size :]


def edited_header(content, rng):
    header, arrays = header_of(content)
    found = json.loads(header)
    part = "__metadata__" if rng.random() < 0.5 else list(found)[int(rng.integers(len(found)))]
    changed = json.dumps({**found, part: edited(found[part], rng)}).encode()
    return struct.pack("<Q", len(changed)) + changed + arrays


def unsigned(content, rng):
    """Other metadata without a digest, as files of before had none: what is read has to be checked by itself."""
    header, arrays = header_of(content)
    found = json.loads(header)
    metadata = {name: value for name, value in found["__metadata__"].items() if name != weights.DIGEST}
    name = list(metadata)[int(rng.integers(len(metadata)))]
    other = ODD[int(rng.integers(len(ODD)))]
    try:
        other = json.dumps(edited(json.loads(metadata[name]), rng))
    except ValueError:
        other = other if isinstance(other, str) else json.dumps(other)
    changed = json.dumps({**found, "__metadata__": {**metadata, name: other}}).encode()
    return struct.pack("<Q", len(changed)) + changed + arrays


ANY = (flipped, truncated, spliced, overwritten)
OF_JSON = (*ANY, edited_json, edited_json, edited_json)


def read_weights(name):
    def read(folder):
        return state_of(LOADERS[name](folder))

    return read


def read_run(folder, name=None):
    """All that reads what is beside the weights; a model is loaded by what config.json says."""
    run = RunFolder(folder)
    run.config(), run.pictures(), run.own_files(), run.environment(), run.log()
    return state_of(LOADERS[name or folder.name](folder))


FILES = [
    *((name, "weights.safetensors", (*ANY, edited_header, unsigned), read_weights(name)) for name in LOADERS),
    *((name, "config.json", OF_JSON, read_run) for name in ("gan", "classifier", "restoration")),
    ("gan", "environment.json", OF_JSON, read_run),
    ("gan", "log.jsonl", (*ANY, edited_lines, edited_lines), read_run),
]


@pytest.mark.parametrize(("name", "file", "ways", "read"), FILES, ids=[f"{of[0]}, {of[1]}" for of in FILES])
def test_a_mutant_is_refused_in_words_or_leaves_the_weights_as_they_were(name, file, ways, read, runs, tmp_path):
    folder = tmp_path / name
    shutil.copytree(runs[name], folder)
    whole, expected = (folder / file).read_bytes(), read(folder)
    rng, refused = np.random.default_rng(0), 0
    count = MUTANTS // len(FILES)
    for _, way in zip(range(count), cycle(ways), strict=False):
        (folder / file).write_bytes(way(whole, rng))
        try:
            found = read(folder)
        except MiniganError:
            refused += 1
        else:
            assert same(found, expected), way
    assert refused > count / 4  # changes that change nothing are few


def test_mutants_of_answers_are_refused_or_say_what_they_say(tmp_path):
    file, whole = tmp_path / "answers.json", json.dumps(ANSWERS, indent=2).encode()
    rng, refused = np.random.default_rng(0), 0
    for _, way in zip(range(300), cycle(OF_JSON), strict=False):
        file.write_bytes(way(whole, rng))
        try:
            found = answered([file])
        except DataError:
            refused += 1
        else:
            json.dumps(found.plain(), allow_nan=False)
            found.people[0].name.encode()
    assert refused > 150


# ---------------------------------------------------------------------------------------------- weights


def test_any_altered_number_of_any_array_is_refused(runs, tmp_path):
    whole = (runs["vae"] / "weights.safetensors").read_bytes()
    _, arrays = header_of(whole)
    for place in np.random.default_rng(0).integers(0, len(arrays), 60).tolist():
        changed = bytearray(whole)
        changed[len(whole) - len(arrays) + place] ^= 1
        (tmp_path / "w.safetensors").write_bytes(changed)
        with pytest.raises(RunError, match="was changed or damaged after it was saved"):
            weights.read(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["gan", "classifier"])
def test_weights_of_another_run_of_the_same_model_are_refused(name, runs, tmp_path):
    fit, model, how = {
        "gan": (mg.gan.fit, "mlp-gan", {"ema": 0.5, "spectral_norm": True}),
        "classifier": (mg.classifier.fit, "cnn", {"labels": LABELS, "test": (IMAGES, LABELS)}),
    }[name]
    fit(model, IMAGES, steps=2, batch=8, seed=1, out=tmp_path / "other", **how)
    again, mixed = (shutil.copytree(runs[name], tmp_path / of) for of in ("again", "mixed"))
    shutil.copy(tmp_path / "other" / "weights.safetensors", mixed)
    assert same(read_run(again, name), read_run(runs[name]))
    with pytest.raises(RunError, match=r"mixed/weights\.safetensors: is from another run than config\.json"):
        LOADERS[name](mixed)
    shutil.copy(tmp_path / "other" / "config.json", mixed)
    assert same(read_run(mixed, name), read_run(tmp_path / "other", name))


def described(**changes):
    """A file of weights of a small GAN without a digest, with another header."""
    gan = mg.models.build("mlp-gan", (4, 4, 1))
    header = {
        "format": "minigan-model-1",
        "kind": "gan",
        "model": "mlp-gan",
        "image_shape": "[4, 4, 1]",
        "changes": "[]",
    }
    return save(gan.state(), {k: v for k, v in {**header, **changes}.items() if v is not None})


@pytest.fixture
def altered(tmp_path):
    """A run folder of which a test writes the weights."""
    (tmp_path / "config.json").write_text('{"format": "minigan-run-1", "kind": "gan"}')
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"format": "minigan-model-2"},
            "its format is minigan-model-2, but this version of minigan reads minigan-model-1; update",
        ),
        ({"format": "pt"}, "not a model that minigan saved"),
        ({"format": None}, "not a model that minigan saved"),
        ({"model": None}, "'model' is missing"),
        ({"model": "cnn"}, "does not fit the model 'cnn': it is a classifier, not a gan"),
        ({"image_shape": None}, "'image_shape' is missing"),
        ({"image_shape": "null"}, "its 'image_shape' is None"),
        ({"image_shape": "[Infinity, 8, 3]"}, "its 'image_shape' is"),
        ({"image_shape": "[4, 4"}, "cannot be read"),
        ({"image_shape": "[" * 100_000}, "cannot be read"),
        ({"image_shape": "[1" + "0" * 5000 + ", 4, 1]"}, "cannot be read"),
        ({"image_shape": "[30000, 30000, 3]"}, "too few for images"),
        ({"image_shape": "[-4, -4, 1]"}, "its 'image_shape' is"),
        ({"changes": "5"}, "its 'changes' is 5"),
        ({"changes": '{"a": 1, "a": 2}'}, "occurs twice in an object"),
        ({"options": '{"classes": 1000000000000}'}, "its 'options' is"),
        ({"kind": "vae"}, "weights of a vae, but config.json describes a gan"),
        ({"kind": None}, "weights of a None, but config.json describes a gan"),
    ],
)
def test_a_header_is_checked_by_itself_where_it_has_no_digest(changes, words, altered):
    (altered / "weights.safetensors").write_bytes(described(**changes))
    with pytest.raises(RunError, match=words):
        mg.gan.load(altered)


def test_weights_of_before_there_were_digests_are_read(altered):
    (altered / "weights.safetensors").write_bytes(described())
    assert mg.gan.load(altered).image_shape == (4, 4, 1)


@pytest.mark.parametrize(("dtype", "size"), [("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1)])
def test_types_that_numpy_does_not_have_are_named(dtype, size, altered):
    table = {"dtype": dtype, "shape": [2], "data_offsets": [0, 2 * size]}
    header = {"__metadata__": {"format": "minigan-model-1"}, "a": table}
    text = json.dumps(header).encode()
    (altered / "weights.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(2 * size))
    with pytest.raises(RunError, match=f"a holds {dtype}, which NumPy does not have"):
        mg.gan.load(altered)


def test_a_number_that_is_none_is_refused(altered):
    gan = mg.models.build("mlp-gan", (4, 4, 1))
    gan.generator[0].weight.data[1, 2] = np.nan
    weights.save(altered / "weights.safetensors", trainer.header_of(gan), gan.state())
    with pytest.raises(RunError, match=r"generator\.0\.weight contains NaN or infinity"):
        mg.gan.load(altered)


# -------------------------------------------------------------------------------------- other files


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_what_is_no_regular_file_is_not_waited_for(name, runs, tmp_path):
    shutil.copytree(runs["gan"], tmp_path / "gan")
    (tmp_path / "gan" / name).unlink()
    os.mkfifo(tmp_path / "gan" / name)
    with pytest.raises(RunError, match="not a regular file"):
        mg.gan.load(tmp_path / "gan")
    with pytest.raises(DataError, match="not a regular file"):
        answered([tmp_path / "gan" / name])


def test_a_file_without_end_is_not_read(monkeypatch, tmp_path):
    monkeypatch.setattr(reading, "LARGEST", 100)
    (tmp_path / "config.json").write_text('{"format": "minigan-run-1"' + " " * 100 + "}")
    with pytest.raises(RunError, match="has 127 bytes, but minigan writes no more than 100"):
        RunFolder(tmp_path).config()


@pytest.mark.parametrize("kind", ["tool.cli", "data", "", "a/../b", "os", ["gan"], {"gan": 1}, None, 5])
@pytest.mark.parametrize("command", ["prune", "sample", "inspect"])
def test_a_kind_is_looked_up_and_never_imported(kind, command, runs, tmp_path, capsys):
    config = json.loads((runs["gan"] / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "kind": kind}))
    more = {"sample": ("--out", str(tmp_path / "s.png")), "prune": ("--data", "glyphs"), "inspect": ()}[command]
    assert main([command, str(tmp_path), *more]) == 1
    assert "damaged; its 'kind' is" in capsys.readouterr().err


def test_a_newer_run_is_not_read_whatever_else_is_in_it(runs, tmp_path):
    (tmp_path / "config.json").write_text('{"format": "minigan-run-2", "images": {"train": 7}}')
    with pytest.raises(RunError, match=r"its format is minigan-run-2, .* update minigan"):
        RunFolder(tmp_path).config()


def test_all_that_training_writes_is_read(runs):
    for run in map(RunFolder, runs.values()):
        assert run.config()["results"] is not None
        assert len(run.log()) == run.config()["steps_done"]
        assert run.environment().items() >= json.loads(json.dumps(recorder.environment())).items()


def test_kept_features_are_used_where_they_are_whole_and_fit(tmp_path):
    class Network:
        arrays = "0"

    images = np.zeros((6, 4, 4, 3), np.uint8)
    path = InceptionFeatures(images, Network(), tmp_path).path
    arrays = {"features": np.ones((4, FEATURES), np.float32), "logits": np.ones((4, OUTPUTS), np.float32)}

    def done(header, arrays):
        weights.save(path, header, arrays)
        return InceptionFeatures(images, Network(), tmp_path).done

    good = {"format": FORMAT, "done": "4"}
    assert done(good, arrays) == 4
    for header in ({}, {"format": FORMAT}, {**good, "done": "x"}, {**good, "done": "-4"}, {**good, "done": "5"}):
        assert done(header, arrays) == 0
    assert done({**good, "done": "7"}, {name: np.ones((7, a.shape[1]), np.float32) for name, a in arrays.items()}) == 0
    assert done(good, {"features": arrays["features"]}) == 0
    assert done(good, {**arrays, "features": arrays["features"].astype(np.float64)}) == 0
    assert done(good, {**arrays, "features": arrays["features"][:, 1:]}) == 0
    whole = path.read_bytes()
    assert done(good, arrays) == 4
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert InceptionFeatures(images, Network(), tmp_path).done == 0
    assert isinstance(whole, bytes)


def test_a_classifier_is_loaded_as_what_it_was_trained_as(runs):
    assert isinstance(mg.classifier.load(runs["classifier"]), Classifier)
    for name in ("gan", "vae", "restoration"):
        with pytest.raises(RunError, match=f"not of a classifier; load it with mg.{name}.load"):
            mg.classifier.load(runs[name])
