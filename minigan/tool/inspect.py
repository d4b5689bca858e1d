"""`minigan inspect`: draw pictures of the inside of a run's network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from minigan import classifier, gan, inside, kinds
from minigan.data import Dataset
from minigan.errors import RunError
from minigan.evaluation.judging import fitted
from minigan.inside import pictures
from minigan.models import GAN, VAE, Classifier
from minigan.nn import Linear, Module
from minigan.tool.options import forced
from minigan.tool.training_data import TrainingData, real_images, say_notes
from minigan.training import files, fitting
from minigan.training.folder import RunFolder

MAPS, TOP = 6, 9  # feature maps shown per layer, images shown per map
SHOWN = 10  # at most, in saliency pictures
COPIES = 30  # noisy copies of an image, for SmoothGrad
SALIENCIES = "gradient", "SmoothGrad"
LINES, STEPS = 8, 11  # rows and columns of interpolation.png
DIRECTIONS, REACH = 6, 4.0  # how far the noise is moved along each, in both directions
CLASS_STEPS, CLASS_REACH = 6, 8.0  # classes.png: steps from class to class, and how far
SAMPLES = 2000  # generated images from which the mean noise of each class is computed


def run(folder, out, judge, source, data_dir, seed):
    """Draw the inside of a run's network and print the names of the pictures. The arguments are the command's options.

    raises RunError if the kind is not supported, or the folder or a source of images is unusable; DataError if images
        are missing
    """
    config = RunFolder(folder).config()
    kind = kinds.kind(config.get("kind", "gan"))
    classifies = issubclass(kind.model, Classifier)
    if not classifies and not kind.sample:
        raise RunError(f"{folder}: a run of a {kind.name}; only classifiers, {kinds.generating()} can be inspected")
    if classifies and judge:
        raise RunError(f"--classifier {judge}: this option is for GANs and VAEs, but {folder} is itself a classifier")
    place = folder_for(folder, out)
    model = fitting.load(folder)
    data_name, origin = config.get("data", "images"), TrainingData.of(folder, config)
    if classifies:
        train, test = real_images(*origin.source(source, data_dir), model.image_shape)
        origin.check_classes(test)
        say_notes([origin], train, figures=False)
        found = of_classifier(model, data_name, test, seed)
    else:
        train, real = (None, None) if source is None else real_images(source, data_dir, model.image_shape)
        if judge and getattr(model, "classes", None):
            raise RunError(
                f"--classifier {judge}: {model.name} takes the class as an input, so its noise does not encode it"
            )
        parties, judge_model = [origin], None
        if judge is not None:
            judge_model = classifier.load(judge)
            parties.append(TrainingData.of(judge, RunFolder(judge).config(), "the classifier"))
        say_notes(parties, train, figures=False)
        found = of_generator(model, data_name, real, judge_model, seed)
    try:
        for name, content in found:
            place.mkdir(parents=True, exist_ok=True)
            files.write(place / name, content)
            click.echo(place / name)
    except OSError as error:
        raise error if isinstance(error, RunError) else files.failure(place, error) from error


def folder_for(run: str, out: str | None) -> Path:
    """Return the folder for the pictures, which is never a run's folder.

    raises RunError if it is a run's folder or a file, or has pictures that may not be replaced
    """
    path = Path(os.path.abspath(run)) if Path(run).name in ("", "..") else Path(run)
    place = path.with_name(f"{path.name}-inside") if out is None else Path(out)
    if place.exists() and not place.is_dir():
        raise RunError(f"{place}: this is a file; give a folder for the pictures (--out DIR)")
    files.check_writable(place, place) if place.exists() else files.check_place(place)
    if RunFolder(place).is_run():
        raise RunError(f"{place}: this is the folder of a run; choose another one for the pictures (--out DIR)")
    if place.is_dir() and any(place.glob("*.png")) and not forced():
        raise RunError(
            f"{place}: this folder already has pictures; choose another one (--out DIR) or replace them (--force)"
        )
    return place


def of_classifier(model: Classifier, data_name: str, test: Dataset, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield the file names and contents of a classifier's pictures."""
    for layer in inside.activations_of(model):
        found = inside.views(model, test.images, layer, MAPS, TOP)
        maker = maker_of(model, layer)
        kinds, kind = ("units", "unit") if isinstance(maker, Linear) else ("feature maps", "map")
        title = (
            f"{model.name}, {data_name}: test images ({len(test.images):,}) that activate {kinds} after layer {layer} "
            f"({words_of(maker)}) most; below each, the deconvnet's view of that activation (grey is 0)"
        )
        yield f"views-{layer}.png", pictures.views_of(found, test.images, title, kind)
    images, labels = one_of_each(test)
    predicted = model.predict(images)
    names = test.classes if len(test.classes) == model.classes else [str(number) for number in range(model.classes)]
    above = [names[number] for number in predicted]
    if labels is not None and labels.max() < len(names):
        above = [
            names[label] if label == number else f"{names[label]} → {names[number]}"
            for label, number in zip(labels, predicted, strict=True)
        ]
    title = f"{model.name}, {data_name}: the gradient of the predicted class's logit by pixel (white is large)"
    lines = with_saliency(model, images, predicted, seed)
    yield "saliency.png", pictures.rows(lines, ("image", *SALIENCIES), above, title)


def maker_of(model: Classifier, layer: int) -> Module:
    """Return the last layer with a weight at or before this one, or this one if there is none."""
    layers = list(model.network)[layer::-1]
    return next((each for each in layers if hasattr(each, "weight")), layers[0])


def words_of(layer: Module) -> str:
    return f"{type(layer).__name__} {layer.describe()}".rstrip()


def one_of_each(dataset: Dataset) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the first image and label of up to SHOWN classes. Without labels, return the first images and None."""
    if dataset.labels is None:
        return dataset.images[:SHOWN], None
    chosen = np.unique(dataset.labels, return_index=True)[1][:SHOWN]
    return dataset.images[chosen], dataset.labels[chosen]


def of_generator(
    model: GAN | VAE, data_name: str, real: Dataset | None, judge: Classifier | None, seed: int
) -> Iterator[tuple[str, bytes]]:
    """Yield the file names and contents of a GAN's or VAE's pictures."""
    name, classes = f"{model.name}, {data_name}", getattr(model, "classes", None)
    start, end = inside.ends(model, min(classes or LINES, SHOWN), seed)
    line_names = [f"class {label}" for label in model.labels(len(start))] if classes else []
    images = inside.interpolate(model, start, end, STEPS)
    shares = [f"{share:.1f}" for share in np.linspace(0, 1, STEPS)]
    title = f"{name}: spherical interpolation from one noise vector to another"
    yield "interpolation.png", pictures.rows(images, line_names, shares, title)

    found = inside.directions(model, min(DIRECTIONS, model.latent_size), seed=seed)
    moved = inside.along(model, start[0], found.vectors, REACH, STEPS)
    amounts = [f"{amount:+.1f}" if amount else "0" for amount in np.linspace(-REACH, REACH, STEPS)]
    title = (
        f"{name}: one noise vector, moved along the directions that change the image most ({found.share:.0%} of all "
        "change); left: the image's root mean square change per unit step; above: the step"
    )
    yield "directions.png", pictures.rows(moved, [f"{gain:.1f}" for gain in found.gains], amounts, title)
    if judge is not None:
        yield from of_classes(model, name, judge, seed)
    if isinstance(model, GAN):
        yield from of_discriminator(model, name, real, seed)


def of_classes(model, name, judge, seed):
    """Yield the picture of steps between the classes that a classifier predicts."""
    found = inside.class_means(model, judge, SAMPLES, seed)
    there = np.flatnonzero(found.counts)
    pairs = list(zip(there, np.roll(there, -1), strict=True))[:CLASS_STEPS] if len(there) > 1 else []
    if not pairs:
        click.echo(
            f"note: the classifier predicts one class for all images of {name}, so there are no steps between classes"
        )
        return
    steps = np.stack([found.step(*pair) for pair in pairs])
    begun = found.examples[[start for start, _ in pairs]]
    moved = inside.along(model, begun, steps, (0.0, CLASS_REACH), STEPS)
    amounts = [f"{amount:.1f}" for amount in np.linspace(0, CLASS_REACH, STEPS)]
    title = (
        f"{name}: the noise of an image of one class, moved along the difference of two classes' mean noise "
        f"(classes predicted by a {judge.name}); above: how far"
    )
    yield "classes.png", pictures.rows(moved, [f"{a} → {b}" for a, b in pairs], amounts, title)


def of_discriminator(model, name, real, seed):
    """Yield the picture of the pixels that the discriminator's scores depend on."""
    count = SHOWN if real is None else min(SHOWN, len(real))
    blocks = [("generated", gan.sample(model, count, seed), model.labels(count))]
    if real is not None:
        if model.classes is not None and real.labels is None:
            raise RunError(f"{real.name}: the images have no labels, but the discriminator of {model.name} needs them")
        chosen = np.linspace(0, len(real) - 1, count).round().astype(int)
        images = fitted(real.images[chosen], model.image_shape)
        blocks.append(("real", images, None if model.classes is None else real.labels[chosen]))
    lines, beside = [], []
    for kind, images, labels in blocks:
        lines.append(with_saliency(model, images, labels, seed))
        beside += [kind, *SALIENCIES]
    title = f"{name}: the gradient of the discriminator's score by pixel (white is large)"
    yield "saliency.png", pictures.rows(np.concatenate(lines), beside, title=title, together=len(lines[0]))


def with_saliency(model, images, labels, seed):
    """Stack images with a heat map for each of SALIENCIES: (3, N, H, W, C)."""
    plain = inside.saliency(model, images, labels)
    smooth = inside.saliency(model, images, labels, samples=COPIES, seed=seed)
    return np.stack([images, *(pictures.heat(each, images.shape[3]) for each in (plain, smooth))])
