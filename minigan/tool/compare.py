"""`minigan compare`: swap the discriminators of two GANs to find the better GAN."""

from __future__ import annotations

from minigan import evaluation, gan
from minigan.errors import RunError
from minigan.evaluation import Swapped
from minigan.evaluation.intervals import percent
from minigan.models import GAN
from minigan.tool.evaluate import check_files, echo_after, write_figures
from minigan.tool.output import table
from minigan.tool.training_data import TrainingData, real_images, say_notes
from minigan.training.folder import RunFolder


def run(first, second, count, source, data_dir, seed, statistics, file):
    """Swap the discriminators of two runs and print the result. The arguments are the command's options.

    raises RunError if a run is not of a GAN or the choice of test images is ambiguous; DataError if these are missing;
        ShapeError if the runs have images of different shapes
    """
    check_files(file, None)
    runs = first, second
    configs = [RunFolder(run).config() for run in runs]
    gans = [load_gan(run, config) for run, config in zip(runs, configs, strict=True)]
    sources = [TrainingData.of(run, config, title=run) for run, config in zip(runs, configs, strict=True)]
    train, test = real_images(*common(sources, source, data_dir), gans[0].image_shape)
    say_notes(sources, train)
    found = evaluation.swapped(*gans, test, count, seed, learned=train, statistics=statistics)
    data = {"data": train.name, "dataset": train.identity.plain()}
    with echo_after(text_of(found, first, second)):
        write_figures(file, {"runs": list(runs), **data, "seed": seed, "statistics": statistics, **found.plain()})


def load_gan(run: str, config: dict) -> GAN:
    """Load a run's GAN and the objective that it was trained with. Raises RunError for a run of another kind."""
    kind = config.get("kind", "gan")
    if kind != "gan":
        raise RunError(f"{run}: a run of a {kind}, which has no discriminator to swap; give runs of GANs")
    model = gan.load(run)
    model.recipe = model.recipe.changed(objective=config.get("recipe", {}).get("objective"))
    return model


def common(sources: list[TrainingData], source: str | None, data_dir: str | None) -> tuple[str, str | None]:
    """Return the given source, or else the training data of both runs. Raises RunError if the runs' data differ."""
    first, second = sources
    if source is None and first.identity and second.identity and not first.identity.same(second.identity):
        raise RunError(
            f"{first.run} was trained on {first}, but {second.run} on {second}; choose which test images to use "
            "(--data SOURCE)"
        )
    return (first if first.identity is None else second).source(source, data_dir)


def text_of(found: Swapped, first: str, second: str) -> str:
    """Return a table of each discriminator's errors, and the verdict."""
    rows = [("error rate, 95% interval", f"discriminator of {first}", f"of {second}")]
    rates = [("test images", *found.test)]
    rates += [(f"images of {name}", *(row[of] for row in found.made)) for of, name in enumerate((first, second))]
    for what, *errors in rates:
        rows.append((f"{errors[0].count:,} {what}", *(f"{percent(of.rate)} ({of.interval})" for of in errors)))
    return f"{table(rows)}\n\n{found.words(first, second)}"
