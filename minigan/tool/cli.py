"""The commands and their options. Each command imports its implementation when it runs, so that --help is fast."""

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
    """Train GANs and related models with a readable deep learning engine."""


@cli.command(cls=SectionedCommand)
@click.argument("model", default="dcgan")
@train_options
def train(**options):
    """Train MODEL (default: dcgan) and save its weights, pictures, log and a report.

    `minigan models` lists the models. Defaults are in brackets.

    Ctrl-C, SIGTERM and SIGHUP finish the current step and save everything. A second Ctrl-C stops at once.
    """
    from minigan.tool.train import run

    if options["steps"] and options["epochs"]:
        raise click.UsageError("--steps and --epochs both say how long to train; give one of them.")
    run(**options)


@cli.command()
@click.argument("run", type=PLACE)
@click.option("--count", type=POSITIVE, default=64, show_default=True, metavar="N", help="The number of images.")
@click.option(
    "--out",
    type=PLACE,
    required=True,
    metavar="FILE",
    help="A .png file (one grid) or .npz file (images: uint8, N x H x W x C).",
)
@click.option("--seed", type=SEED, default=0, metavar="N", help="The same seed gives the same images.")
@click.option("--class", "label", type=SEED, metavar="N", help="Generate images of class N only (conditional models).")
@force_option
def sample(run, count, out, seed, label):
    """Generate images with the trained GAN or VAE of the folder RUN."""
    from minigan.tool.sample import write

    write(run, count, out, seed, label)


@cli.command()
@click.argument("run", type=PLACE)
@click.option(
    "--count",
    type=Whole(min=10),
    default=10_000,
    show_default=True,
    metavar="N",
    help="The number of images to evaluate.",
)
@click.option(
    "--classifier", type=PLACE, metavar="RUN", help="A run of `minigan train cnn` on the same data [runs/cnn-DATA]."
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="The real images [the classifier's training data]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Read the dataset's files from DIR; download nothing.")
@skip_unreadable_option
@click.option(
    "--seed",
    type=SEED,
    default=0,
    metavar="N",
    help="The seed of the images and of the evaluation.",
)
@click.option(
    "--adversarial", is_flag=True, help="Also train a new discriminator and report its accuracy on held-out images."
)
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all results to FILE as JSON.")
@click.option(
    "--picture",
    type=PLACE,
    metavar="FILE",
    help="Write the generated images closest to training images, each beside its nearest one, to a .png file.",
)
@click.option(
    "--inception",
    type=PLACE,
    metavar="FILE",
    help="Also compute FID and IS with the 2015 Inception network's weights (.pth or .safetensors).",
)
@click.option("--most", type=Whole(min=10), metavar="N", help="Use at most N training images for FID [all].")
@click.option("--device", metavar="NAME", help="Run the Inception network on cpu, cuda or sim [cpu].")
@force_option
def evaluate(run, count, classifier, source, data_dir, seed, adversarial, file, picture, inception, most, device):
    """Evaluate images from the GAN or VAE in the folder RUN using a classifier's features.

    Reports Frechet and kernel distance, classifier score, precision and recall, class coverage, and nearest training
    images. The same number of test images is scored in the same way, to show what perfect images would achieve.

    --inception adds FID and IS against all training images. Each core processes about seven images per second; the
    features of real images are cached.
    """
    from minigan.tool.evaluate import run as evaluate

    if inception is None and (most or device):
        raise click.UsageError("--most and --device apply to FID and IS; add the network's weights (--inception FILE).")
    evaluate(
        *(run, count, classifier, source, data_dir, seed, adversarial, file, picture),
        *(inception, most, device or "cpu"),
    )


@cli.command()
@click.argument("run", type=PLACE)
@click.option("--out", type=PLACE, required=True, metavar="FILE", help="The page, a self-contained .html file.")
@click.option(
    "--count",
    type=Whole(1, 1000),
    default=50,
    show_default=True,
    metavar="N",
    help="The number of images of each kind, real and generated.",
)
@click.option("--data", "source", type=PLACE, metavar="SOURCE", help="The real images [the run's training data].")
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Read the dataset's files from DIR; download nothing.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="The seed of the images and of their order.")
@click.option(
    "--seconds",
    type=Real(min=0, min_open=True),
    metavar="X",
    help="Hide each image after X seconds [show it until answered].",
)
@click.option(
    "--examples",
    type=SEED,
    default=8,
    show_default=True,
    metavar="N",
    help="The number of training images shown first.",
)
@force_option
def ask(run, out, count, source, data_dir, seed, seconds, examples):
    """Write a page that asks people which images are real.

    It shows test images and images from the GAN or VAE in the folder RUN. The page reports the share of correct
    answers with an interval, and saves the answers for `minigan answers`.
    """
    from minigan.tool.ask import ask as write

    write(run, out, count, source, data_dir, seed, seconds, examples)


@cli.command()
@click.argument("saved", metavar="FILES", nargs=-1, required=True, type=PLACE)
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all results to FILE as JSON.")
@force_option
def answers(saved, file):
    """Combine several people's answers from the same page.

    FILES are the files that they saved from the page, one for each person.
    """
    from minigan.tool.ask import summarise

    summarise(saved, file)


@cli.command()
@click.argument("first", metavar="RUN", type=PLACE)
@click.argument("second", metavar="RUN", type=PLACE)
@click.option(
    "--count",
    type=Whole(min=10),
    default=10_000,
    show_default=True,
    metavar="N",
    help="The number of images from each run.",
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="The real images [the training data of both runs]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Read the dataset's files from DIR; download nothing.")
@skip_unreadable_option
@click.option(
    "--seed", type=SEED, default=0, metavar="N", help="The seed for generating images and choosing real ones."
)
@click.option(
    "--statistics",
    type=click.Choice(["batch", "running"]),
    default="batch",
    show_default=True,
    help="The discriminators' batch-norm statistics: the batch's, as in training, or the running ones.",
)
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all results to FILE as JSON.")
@force_option
def compare(first, second, count, source, data_dir, seed, statistics, file):
    """Compare the GANs in two run folders: each discriminator classifies the other GAN's images.

    The GAN whose discriminator recognises more of the other's images as generated wins, provided that both
    discriminators do about equally well on test images.
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
    help="The fraction of weights to set to 0.",
)
@click.option(
    "--scope",
    type=click.Choice(["global", "layer"]),
    default="global",
    show_default=True,
    help="Prune the smallest weights of the whole network, or of each layer.",
)
@click.option(
    "--count",
    type=Whole(min=10),
    default=10_000,
    show_default=True,
    metavar="N",
    help="The number of images to evaluate.",
)
@click.option(
    "--classifier",
    type=PLACE,
    metavar="RUN",
    help="Evaluate images with this run of `minigan train cnn` [runs/cnn-DATA].",
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="The real images [the classifier's training data]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Read the dataset's files from DIR; download nothing.")
@skip_unreadable_option
@click.option(
    "--seed",
    type=SEED,
    default=0,
    metavar="N",
    help="The seed of the images and of the evaluation.",
)
@click.option("--out", type=PLACE, metavar="DIR", help="Save the pruned model as a run in this folder.")
@click.option("--json", "file", type=PLACE, metavar="FILE", help="Write all results to FILE as JSON.")
@force_option
def prune(run, share, scope, count, classifier, source, data_dir, seed, out, file):
    """Set the smallest weights of the trained model in the folder RUN to 0, and evaluate it before and after.

    For a GAN or VAE, the network that generates images is pruned, and the images are evaluated as `minigan evaluate`
    does. A classifier is measured by its accuracy, a deconvnet by the images that it restores. RUN is not changed.
    """
    from minigan.tool.prune import run as prune

    prune(run, share, scope, count, classifier, source, data_dir, seed, out, file)


@cli.command()
@click.argument("run", type=PLACE)
@click.option("--out", type=PLACE, metavar="DIR", help="The folder for the pictures [RUN-inside, beside the run].")
@click.option(
    "--classifier",
    type=PLACE,
    metavar="RUN",
    help="For a GAN or VAE, also draw interpolations between the classes that this classifier predicts.",
)
@click.option(
    "--data", "source", type=PLACE, metavar="SOURCE", help="Real images [for a classifier, its training data]."
)
@click.option("--data-dir", type=PLACE, metavar="DIR", help="Read the dataset's files from DIR; download nothing.")
@skip_unreadable_option
@click.option("--seed", type=SEED, default=0, metavar="N", help="The seed of all random choices.")
@force_option
def inspect(run, out, classifier, source, data_dir, seed):
    """Visualise the trained network in the folder RUN.

    For a classifier: the test images that activate its feature maps most, the regions responsible (found by a
    deconvnet), and the pixels that its predictions depend on. For a GAN or VAE: interpolations, the directions in
    latent space that change the image most, and for a GAN the pixels that the discriminator's scores depend on, in
    generated images and, with --data, in real ones.
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
    """List the datasets and where they are."""
    from minigan.tool.output import data

    click.echo(data())


@cli.command()
def doctor():
    """Show versions, devices, threads and caches, what is missing, and how to install it."""
    from minigan.tool.doctor import report

    click.echo(report())
