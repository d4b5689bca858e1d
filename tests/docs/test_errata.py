"""The experiments on the documents' mistakes, as small as they can be; and docs/documents.md has their figures."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import minigan as mg
from benchmarks.experiments import common, quality
from docs.build.errata import __main__ as command
from docs.build.errata import (
    deconvnet,
    deconvolution,
    dense_conv_gan,
    measured,
    mlp_gan,
    page,
    rgan,
    samples,
    training,
    wgan,
)
from docs.build.errata.experiment import error_of
from minigan import models
from minigan.errors import MiniganError
from minigan.tool.cli import cli
from minigan.tool.train import run_name

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGE = (DOCS / "documents.md").read_text()
FIGURES = json.loads((DOCS / "errata.json").read_text())
SECTIONS = [name for _, name, _, _ in page.SECTION.findall(PAGE)]


@pytest.fixture(scope="module")
def images():
    return mg.data.load("glyphs", count=96).images


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: pictures of two kinds, enough for a batch of every model, and a folder for the page."""
    rng = np.random.default_rng(0)
    for number in range(160):
        kind = tmp_path / "pictures" / "ab"[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(rng.integers(0, 256, (32, 32), np.uint8)).save(kind / f"{number:03}.png")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gan():
    return models.build("mlp-gan", seed=1)


# ----------------------------------------------------------------------------------------- what the experiments do


@pytest.mark.slow
@pytest.mark.parametrize("name", page.EXPERIMENTS)
def test_an_experiment_leaves_its_picture_and_words_on_its_figures(images, tmp_path, name):
    one = page.EXPERIMENTS[name]
    figures = json.loads(json.dumps(one.run(images, tmp_path, 2)))
    assert [path.name for path in tmp_path.iterdir()] == ([one.picture] if one.picture else [])
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 100_000
    assert len(page.shown(one, figures)) > 80
    assert bool(one.steps) == ("steps" in figures)


def test_the_formula_with_two_indices_is_the_full_convolution_and_the_adjoint():
    scipy_signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(0)
    y, w = rng.standard_normal((28, 28)), rng.standard_normal((5, 5))
    expected = scipy_signal.convolve2d(y, w, "same")
    for candidate in (deconvolution.two_indices, deconvolution.flipped_kernel, deconvolution.transposed):
        np.testing.assert_allclose(candidate(y, w), expected, atol=1e-12)
    diagonal = scipy_signal.convolve2d(np.diag(np.diag(y)), w, "same")
    np.testing.assert_allclose(deconvolution.printed_formula(y, w), diagonal, atol=1e-12)


def test_the_law_tells_the_adjoint_from_what_is_none():
    broken = {name: deconvolution.law(*candidate, 12) for name, candidate in deconvolution.CANDIDATES.items()}
    wrong = {name for name, by in broken.items() if by > 0.1}
    assert wrong == {name for name in broken if "printed" in name}
    assert all(by < 1e-12 for name, by in broken.items() if name not in wrong)


def test_what_two_sigmoids_do_to_the_gradient_agrees_with_differences():
    at, step = np.array([-6.0, -1.0, 2.0]), 1e-6
    for twice in (False, True):
        for label in (0, 1):
            _, gradient = rgan.gradient(at, twice, label)
            ahead, behind = (rgan.gradient(at + sign * step, twice, label)[0] for sign in (1, -1))
            np.testing.assert_allclose(gradient, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-9)


def moved(gan, images, train, steps=3):
    """How much the first discriminator's mean logit of fakes changes by a few steps of training."""
    noise = gan.noise(64, np.random.default_rng(5))
    first = models.build(gan.name, seed=1).discriminator
    before = first(gan.generator(noise)).numpy().mean()
    train(gan, images, steps, training.Curve(steps))
    return float(first(gan.generator(noise)).numpy().mean() - before)


@pytest.mark.parametrize("train", [rgan.one_optimiser, dense_conv_gan.same_number])
def test_a_generator_that_shares_the_discriminators_loss_learns_to_be_found_out(gan, images, train):
    assert moved(gan, images, train) < 0


@pytest.mark.parametrize("train", [rgan.alternating, rgan.generator_only])
def test_a_generator_with_a_loss_of_its_own_learns_to_be_taken_for_real(gan, images, train):
    assert moved(gan, images, train) > 0


def test_the_discriminator_that_nobody_updates_stays_as_it_is(gan, images):
    before = gan.discriminator.state_dict()
    rgan.generator_only(gan, images, 2, training.Curve(2))
    after = gan.discriminator.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "train", [mlp_gan.as_printed, dense_conv_gan.same_number, dense_conv_gan.only_fakes, rgan.generator_only]
)
def test_where_no_real_image_occurs_other_images_change_nothing(images, train):
    weights = []
    for given in (images, 255 - images):
        gan = models.build("mlp-gan", seed=1)
        if train is mlp_gan.as_printed:
            gan.discriminator = mlp_gan.pixelwise()
        train(gan, given, 2, training.Curve(2))
        weights.append(gan.generator.state_dict() | gan.discriminator.state_dict())
    assert all(np.array_equal(array, weights[1][name]) for name, array in weights[0].items())


def test_a_discriminator_of_pixels_alone_does_not_see_that_they_are_shuffled(gan, images):
    assert mlp_gan.change_by_shuffling(mlp_gan.pixelwise(), images) < 1e-5
    assert mlp_gan.change_by_shuffling(gan.discriminator, images) > 0.1


@pytest.mark.parametrize("count", [mlp_gan.FEW, mlp_gan.MANY])
def test_conjugate_gradients_are_numpys_least_squares(count):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 8, 8, 1)), rng.standard_normal((5, 5, 1, count))
    y = mg.conv2d(x, w, **mlp_gan.HOW)
    matrix = mg.conv2d(np.eye(64).reshape(64, 8, 8, 1), w, **mlp_gan.HOW).reshape(64, -1).T
    expected = np.linalg.lstsq(matrix, y.ravel(), rcond=None)[0]
    np.testing.assert_allclose(mlp_gan.inverse(y, w, 8).ravel(), expected, atol=1e-8)


def test_an_output_pixel_of_the_printed_deconvnet_depends_on_five_by_five():
    assert deconvnet.seen(deconvnet.network()) == (5, 5)


def test_the_critics_losses_pull_as_they_say(images):
    for loss, signs in ((wgan.added, (1, 1)), (wgan.subtracted, (-1, 1))):
        real, fake = (mg.tensor(np.zeros((4, 1)), requires_grad=True) for _ in range(2))
        gradients = mg.grad(loss(real, fake), [real, fake])
        assert [float(gradient.sum()) for gradient in gradients] == list(signs)


def test_real_images_are_nearer_to_others_of_their_set_than_another_order_of_pixels_is(images):
    first, second = training.drawn(images), training.drawn(images, 1)
    assert len(first) == len(second) == 48
    assert not {image.tobytes() for image in first} & {image.tobytes() for image in second}
    assert training.floor(images) == training.distance(second, images)
    assert training.floor(images) < training.distance(mlp_gan.shuffled(images), images) / 2
    assert training.distance(first, images) < 1e-6


def test_what_does_not_fail_is_not_said_to():
    with pytest.raises(AssertionError, match="meant to fail"):
        error_of(lambda: None)


# ----------------------------------------------------------------------------------------- the command


def test_one_experiment_by_name_fills_its_section(folder, capsys):
    (folder / "docs" / "documents.md").write_text(
        "before\n<!-- figures: matrix -->\nold\n<!-- end -->\n<!-- figures: flat -->\n<!-- end -->\nafter\n"
    )
    assert command.main(["--only", "matrix", "--data", "pictures", "--docs", "docs"]) == 0
    text = (folder / "docs" / "documents.md").read_text()
    assert "88,502,400" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("<!-- figures: flat -->\n<!-- end -->\nafter\n")
    assert list(json.loads((folder / "docs" / "errata.json").read_text())["experiments"]) == ["matrix"]
    assert command.main(["--only", "taste", "--data", "pictures", "--docs", "docs"]) == 1
    assert "there is no 'taste'; there are: deconvolution" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '{"samples": {}}'])
def test_a_file_that_holds_no_figures_is_named(tmp_path, content, capsys):
    (tmp_path / "errata.json").write_text(content)
    assert command.main(["page", "--docs", str(tmp_path)]) == 1
    assert "errata.json: not figures" in capsys.readouterr().err


def test_a_section_that_nothing_fills_is_named(tmp_path, capsys):
    (tmp_path / "documents.md").write_text("<!-- figures: taste -->\n<!-- end -->\n")
    assert command.main(["page", "--docs", str(tmp_path)]) == 1
    assert "section for 'taste'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "deconvnet-denoising", "deconvnet-completion-adversarial"])
def test_a_model_of_each_kind_is_trained_once_and_shown(folder, name, capfd):
    arguments = ["samples", "--only", name, "--data", "pictures", "--steps", "1", "--docs", "docs"]
    for _ in range(2):
        assert command.main(arguments) == 0
    assert capfd.readouterr().out.count("run folder") == 1
    figures = json.loads((folder / "docs" / "errata.json").read_text())["samples"][name]
    assert figures["steps"] == 1
    assert (folder / "docs" / "pictures" / f"documents-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert f"(pictures/documents-{name}.png)" in samples.show(name, figures)


def test_figures_that_another_process_kept_meanwhile_stay(folder, monkeypatch):
    file = folder / "docs" / "errata.json"

    def make(name, *_where):
        command.keep(folder / "docs", experiments={"flat": FIGURES["experiments"]["flat"]})
        return FIGURES["samples"][name]

    monkeypatch.setattr(samples, "make", make)
    assert command.main(["samples", "--only", "cnn", "--data", "pictures", "--docs", "docs"]) == 0
    kept = json.loads(file.read_text())
    assert list(kept["experiments"]) == ["flat"]
    assert list(kept["samples"]) == ["cnn"]


@pytest.mark.slow
def test_a_classifier_takes_the_features_of_a_network_that_is_trained_first(folder, capfd):
    arguments = ["samples", "--only", "deconvnet-features", "--data", "pictures", "--steps", "1", "--docs", "docs"]
    for _ in range(2):
        assert command.main(arguments) == 0
    assert capfd.readouterr().out.count("run folder") == 2
    figures = json.loads((folder / "docs" / "errata.json").read_text())["samples"]["deconvnet-features"]
    runs = [folder / "runs" / "documents" / name for name in ("deconvnet-denoising", "deconvnet-features")]
    first, second = (mg.restoration.load(runs[0]).network[0], mg.classifier.load(runs[1]).network[0])
    np.testing.assert_array_equal(first.weight.numpy(), second.weight.numpy())
    denoising = models.build("deconvnet", (32, 32, 1), task="denoising")
    usual = run_name(denoising, mg.data.load("pictures"))
    assert f"--features runs/{usual} " in samples.show("deconvnet-features", figures)


@pytest.mark.slow
def test_a_run_of_another_recipe_or_length_is_trained_again(folder, capfd):
    run, arguments = folder / "runs" / "mlp-gan", ["mlp-gan", "--data", "pictures", "--size", "8", "--steps"]
    for steps in (1, 2, 2):
        common.trained(run, [*arguments, str(steps)], steps)
    assert capfd.readouterr().out.count("run folder") == 2
    config = run / "config.json"
    config.write_text(config.read_text().replace('"r1": 1.0', '"r1": 0.0'))
    common.trained(run, [*arguments, "2"], 2)
    assert capfd.readouterr().out.count("run folder") == 1
    with pytest.raises(MiniganError, match=r"minigan train .* failed"):
        common.trained(folder / "runs" / "other", ["dcgan", "--data", "nowhere"])


def test_a_rehearsal_says_how_long_it_was(folder):
    assert samples.MODELS["deconvnet-completion-deep"].length() == 1500
    arguments = [
        "samples",
        "--only",
        "deconvnet-completion-deep",
        "--data",
        "pictures",
        "--docs",
        "docs",
        "--steps",
        "1",
    ]
    assert command.main(arguments) == 0
    figures = json.loads((folder / "docs" / "errata.json").read_text())["samples"]["deconvnet-completion-deep"]
    assert figures["arguments"][-2:] == ["--steps", "1"]


@pytest.mark.slow
def test_a_model_of_coloured_images_learns_from_those(folder, capfd):
    (folder / "coloured").mkdir()
    for number in range(100):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(folder / "coloured" / f"{number}.png")
    arguments = ["samples", "--only", "rgan-colour", "--data", "pictures", "--steps", "1", "--docs", "docs"]
    assert command.main(arguments) == 1
    assert "give their path with --colour" in capfd.readouterr().err
    assert command.main([*arguments, "--colour", "coloured"]) == 0
    figures = json.loads((folder / "docs" / "errata.json").read_text())["samples"]["rgan-colour"]
    assert figures["data"] == "coloured"
    assert mg.gan.load(folder / "runs" / "documents" / "rgan-colour").image_shape == (32, 32, 3)


# ----------------------------------------------------------------------------------------- the page


def test_the_page_has_every_experiment_and_every_model_once_and_its_figures_are_those_of_the_file():
    known = ["origin", *page.EXPERIMENTS, *samples.MODELS, *measured.TABLES, *measured.GENERATING]
    assert sorted(SECTIONS) == sorted(known)
    assert list(FIGURES["experiments"]) == list(page.EXPERIMENTS)
    assert page.filled(PAGE, FIGURES) == PAGE


@pytest.mark.parametrize("name", samples.MODELS)
def test_samples_are_of_the_first_run_that_their_model_has_now(name):
    """What else of a recipe changes, the command sees in the runs that are there."""
    figures, trained = FIGURES["samples"][name], samples.MODELS[name]
    assert figures["arguments"] == trained.shown(figures["data"])  # which say how long a run of another length was
    options = {"task": "classification"} if "classification" in trained.arguments else {}
    size = trained.size or models.size_for(trained.arguments[0], 28, 28) or 28
    model = models.build(trained.arguments[0], (size, size, 3 if trained.colour else 1), **options)
    if figures["kind"] == "classifier":
        assert figures["steps"] == model.first_epochs * (FIGURES["origin"]["images"] // model.batch)
    elif "--steps" in trained.arguments:
        assert str(figures["steps"]) in trained.arguments
        assert figures["batch"] == model.batch
    else:
        assert (figures["steps"], figures["batch"]) == model.first_run


QUALITY = json.loads((measured.RESULTS / "quality.json").read_text())


@pytest.mark.parametrize("name", measured.GENERATING)
def test_scores_are_of_the_first_run_that_their_model_has_now(name):
    size = models.size_for(name, 28, 28) or 28
    scores = QUALITY["models"][name]
    assert (scores["steps"], scores["batch"]) == models.build(name, (size, size, 1)).first_run
    assert list(scores["networks"]["minigan"]) == ["0", "1", "2"]
    assert (scores["networks"].get("torch", {}).keys() or None) == ({"0", "1", "2"} if name in quality.PEERS else None)


def test_other_figures_change_the_page():
    other = json.loads(json.dumps(FIGURES))
    other["experiments"]["sigmoids"]["lowest"] += 0.5
    assert page.filled(PAGE, other) != PAGE


def test_every_model_that_can_be_trained_is_on_the_page():
    shown = {trained.arguments[0] for trained in samples.MODELS.values()}
    assert shown | set(measured.GENERATING) == set(models.available())


def test_links_lead_somewhere_and_no_picture_is_left_over_or_large():
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    for link in links:
        assert (DOCS / link.partition("#")[0]).exists(), link
    pictures = {f"pictures/{path.name}" for path in (DOCS / "pictures").glob("documents-*.png")}
    assert pictures == {link for link in links if link.startswith("pictures/documents-")}
    for picture in pictures:
        assert (DOCS / picture).stat().st_size < 100_000


def test_files_that_the_page_names_are_there():
    for path in re.findall(r"`((?:minigan|tests|kernels|benchmarks|docs|tools)/[\w/.]*)`", PAGE):
        assert (ROOT / path).exists(), path


def test_commands_of_the_page_are_commands():
    commands = re.findall(r"^    minigan (.*)$", PAGE, re.MULTILINE)
    assert len(commands) > 10
    for line in commands:
        name, *arguments = shlex.split(line)
        context = cli.commands[name].make_context(name, arguments)
        assert context.params.get("model", "dcgan") in models.available()
