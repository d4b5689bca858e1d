"""The commands and their options. What they do is imported when they do it, so that help is quick."""

import click

import minigan
from minigan.tool.options import (
    PLACE,
    POSITIVE,
    SEED,
    Real,
    SectionedCommand,
    Whole,
    force_option,
    skip_unreadable_option,
    train_options,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(minigan.__version__, prog_name="minigan")
def cli():
    """Train GANs and their relatives with an engine to read."""


@cli.command(cls=SectionedCommand)
@click.argument("model", default="dcgan")
@train_options
def train(**options):
    """Train MODEL (default: dcgan) and leave its weights, pictures, log and a report.

    `minigan models` lists the models. Brackets show defaults.

    Ctrl-C, SIGTERM and SIGHUP stop after the step and save everything; a second Ctrl-C stops at once.
    """
    from minigan.tool.train import run

    if options["steps"] and options["epochs"]:
        raise click.UsageError("--steps and --epochs both say how long to train; give one of them.")
    run(**options)


@cli.command()
@click.argument("run", type=PLACE)
@click.option("--count", type=POSITIVE, default=64, show_default=True, metavar="N", help="How many images.")
@click.option(
    "--out", type=PLACE, required=True, metavar="FILE", help="A .png (one grid) or .npz (images: uint8, N x H x W x C)."
)
@click.option("--seed", type=SEED, default=0, metavar="N", help="The same seed gives the same images.")
@click.option("--class", "label", type=SEED, metavar="N", help="Of this class alone, for a model that knows classes.")
@force_option
def sample(run, count, out, seed, label):
    """Generate images with the trained GAN or VAE of the folder RUN."""
    from minigan.tool.sample import write

    write(run, count, out, seed, label)


@cli.command()
@click.argument("run", type=PLACE)
@click.option("--count", type=Whole(min=10), default=10_000, show_default=True, metavar="N", help="Images to judge.")
@click.option(
    "--classifier", type=PLACE, metavar="RUN", help="A run of `minigan train cnn` on the same data [runs/cnn-DATA]."
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="The real images [what the classifier learned from]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Where the set's files are; nothing is downloaded then.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="Of the images and of what is drawn to judge them.")
@click.option("--adversarial", is_flag=True, help="Train a fresh discriminator too, and ask it about held-out images.")
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all figures to FILE.")
@click.option(
    "--picture", type=PLACE, metavar="FILE", help="Images nearest to a training image, each before that one: a .png."
)
@click.option(
    "--inception",
    type=PLACE,
    metavar="FILE",
    help="FID and IS too, by the 2015 Inception network's weights: .pth, .safetensors.",
)
@click.option("--most", type=Whole(min=10), metavar="N", help="FID: training images to take it to [all].")
@click.option("--device", metavar="NAME", help="FID and IS: what the network runs on, cpu, cuda or sim [cpu].")
@force_option
def evaluate(run, count, classifier, source, data_dir, seed, adversarial, file, picture, inception, most, device):
    """Judge the images of the GAN or VAE in the folder RUN by a classifier's features.

    Frechet and kernel distance, classifier score, precision and recall, classes, nearest training images; as many test
    images beside them show what the best possible images would get.

    With --inception also FID and IS, beside all training images; each core sees some seven images a second, and what
    the network makes of real images is kept for the next time.
    """
    from minigan.tool.evaluate import run as evaluate

    if inception is None and (most or device):
        raise click.UsageError("--most and --device are about FID and IS; say where the network is (--inception FILE).")
    evaluate(
        *(run, count, classifier, source, data_dir, seed, adversarial, file, picture),
        *(inception, most, device or "cpu"),
    )


@cli.command()
@click.argument("run", type=PLACE)
@click.option(
    "--out", type=PLACE, required=True, metavar="FILE", help="The page, one .html file that needs nothing else."
)
@click.option("--count", type=Whole(1, 1000), default=50, show_default=True, metavar="N", help="Images of each kind.")
@click.option("--data", "source", type=PLACE, metavar="SOURCE", help="The real images [what the run learned from].")
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Where the set's files are; nothing is downloaded then.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="Of the images and the order in which they are shown.")
@click.option(
    "--seconds",
    type=Real(min=0, min_open=True),
    metavar="X",
    help="Hide each image after X seconds [it stays until it is answered].",
)
@click.option(
    "--examples", type=SEED, default=8, show_default=True, metavar="N", help="Training images to see before it begins."
)
@force_option
def ask(run, out, count, source, data_dir, seed, seconds, examples):
    """Make a page that asks people which images are real.

    The others are of the GAN or VAE in the folder RUN, real ones are test images. The page tells how often one was
    right, with an interval, and saves the answers for `minigan answers`.
    """
    from minigan.tool.ask import ask as write

    write(run, out, count, source, data_dir, seed, seconds, examples)


@cli.command()
@click.argument("saved", metavar="FILES", nargs=-1, required=True, type=PLACE)
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all figures to FILE.")
@force_option
def answers(saved, file):
    """Put together what people answered to one page.

    FILES are what they saved there, each of another person.
    """
    from minigan.tool.ask import put_together

    put_together(saved, file)


@cli.command()
@click.argument("first", metavar="RUN", type=PLACE)
@click.argument("second", metavar="RUN", type=PLACE)
@click.option(
    "--count", type=Whole(min=10), default=10_000, show_default=True, metavar="N", help="Images of either run."
)
@click.option("--data", "source", type=PLACE, metavar="SOURCE", help="The real images [what both runs learned from].")
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Where the set's files are; nothing is downloaded then.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="Of the images, and of which real ones are drawn.")
@click.option(
    "--statistics",
    type=click.Choice(["batch", "running"]),
    default="batch",
    show_default=True,
    help="Of the discriminators' batch norms: a batch's, as in training, or running ones.",
)
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all figures to FILE.")
@force_option
def compare(first, second, count, source, data_dir, seed, statistics, file):
    """Compare the GANs in two run folders: each discriminator is asked about the other's images.

    The one whose discriminator tells the other's images better wins, if both tell test images about as well.
    """
    from minigan.tool.compare import run as compare

    compare(first, second, count, source, data_dir, seed, statistics, file)


@cli.command()
@click.argument("run", type=PLACE)
@click.option(
    "--share",
    type=Real(min=0, max=1, max_open=True),
    default=0.5,
    show_default=True,
    metavar="X",
    help="The share of the weights to set to 0.",
)
@click.option(
    "--scope",
    type=click.Choice(["global", "layer"]),
    default="global",
    show_default=True,
    help="Of all, or of each layer.",
)
@click.option("--count", type=Whole(min=10), default=10_000, show_default=True, metavar="N", help="Images to judge.")
@click.option(
    "--classifier", type=PLACE, metavar="RUN", help="That judges images: a run of `minigan train cnn` [runs/cnn-DATA]."
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="The real images [what the classifier learned from]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Where the set's files are; nothing is downloaded then.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="Of the images and of what is drawn to judge them.")
@click.option("--out", type=PLACE, metavar="DIR", help="Keep the pruned weights as a run in this folder.")
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all figures to FILE.")
@force_option
def prune(run, share, scope, count, classifier, source, data_dir, seed, out, file):
    """Set the smallest weights of the trained model in the folder RUN to 0, and judge it before and after.

    Of a GAN or a VAE, what makes its images is pruned, and these are judged as by `minigan evaluate`; a classifier by
    its accuracy, a deconvnet by what it restores. RUN itself stays as it is.
    """
    from minigan.tool.prune import run as prune

    prune(run, share, scope, count, classifier, source, data_dir, seed, out, file)


@cli.command()
@click.argument("run", type=PLACE)
@click.option("--out", type=PLACE, metavar="DIR", help="Where the pictures go [RUN-inside, beside the run].")
@click.option(
    "--classifier",
    type=PLACE,
    metavar="RUN",
    help="A GAN or VAE: also steps from class to class, as this one tells them.",
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="Images to look at [a classifier: those it learned from]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Where the set's files are; nothing is downloaded then.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="Of all that is drawn.")
@force_option
def inspect(run, out, classifier, source, data_dir, seed):
    """Draw what is inside the trained network of the folder RUN.

    A classifier: which test images excite its feature maps, what of them does (by a deconvnet), and which pixels its
    verdicts hang on. A GAN or a VAE: images between images, the steps in noise that change the image most, and which
    pixels the discriminator looks at: of generated images and, with --data, of real ones.
    """
    from minigan.tool.inspect import run as inspect

    inspect(run, out, classifier, source, data_dir, seed)


@cli.command()
def models():
    """List the models."""
    from minigan.tool.output import models

    click.echo(models())


@cli.command()
def data():
    """List the data sets, and where they are."""
    from minigan.tool.output import data

    click.echo(data())


@cli.command()
def doctor():
    """Tell versions, devices, threads, caches; what is missing, and how to get it."""
    from minigan.tool.doctor import report

    click.echo(report())
