"""`minigan sample`: generate images with a trained model, as a picture or an array."""

import io
from pathlib import Path

import click
import numpy as np

from minigan import kinds
from minigan.errors import RunError, TrainingError
from minigan.kinds import Kind
from minigan.tool.options import check_new_file
from minigan.training import files, fitting
from minigan.training.folder import RunFolder
from minigan.training.grids import grid_png

ENDINGS = (".png", ".npz")


def write(run: str, count: int, out: str, seed: int, label: int | None = None) -> None:
    """Generate `count` images and write them to a file, completely or not at all.

    out: .png for one grid, .npz for an array `images`, (count, H, W, C), uint8
    label: the class of all images, for a conditional model
    raises TrainingError for another suffix or an unknown class, RunError if the folder is not a run or the file cannot
        be written
    """
    path = Path(out)
    if path.suffix.lower() not in ENDINGS:
        raise TrainingError(f"--out {out}: the file's name must end in .png (a grid) or .npz (an array)")
    check_new_file("--out", path)
    images = samples(run, count, seed, label)
    files.write(path, grid_png(images) if path.suffix.lower() == ".png" else npz(images))
    click.echo(f"{count} images of {' x '.join(map(str, images.shape[1:]))} in {path}")


def samples(run: str, count: int, seed: int, label: int | None = None) -> np.ndarray:
    """Generate images with a run's model, (count, H, W, C), uint8; label: their class, for a conditional GAN.

    raises RunError if the model generates no images, TrainingError for a class that it does not have
    """
    kind = generating_kind(run, RunFolder(run).config())
    return kind.sample(fitting.load(run), count, seed, label)


def generating_kind(run: str, config: dict) -> Kind:
    """Return the kind of a run's model. Raises RunError if it generates no images."""
    found = kinds.kind(config.get("kind", "gan"))
    if not found.sample:
        raise RunError(f"{run}: a run of a {found.name}, which generates no images; give a run of {kinds.generating()}")
    return found


def npz(images: np.ndarray) -> bytes:
    """Return the bytes of an .npz file with `images`."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images)
    return buffer.getvalue()
