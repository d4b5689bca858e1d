"""The DCGAN in one file, with nothing hidden in a trainer: networks, losses, updates, pictures.

    python examples/dcgan.py                       # synthetic digits; about two minutes on two cores
    python examples/dcgan.py --folder my/pictures  # your own images, resized to 28 x 28 pixels

source: Radford, Metz and Chintala, arXiv:1511.06434
"""

import argparse
import time

import numpy as np
from PIL import Image

import minigan as mg
from minigan.nn import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
    init,
)

LATENT, MAPS, BATCH = 100, 128, 32


def networks(channels, seed):
    """A generator from noise (N, LATENT) to images (N, 28, 28, channels), and a discriminator to logits (N, 1)."""
    settings = {"weight_init": init.normal(0.02), "rng": np.random.default_rng(seed)}
    halve = {"stride": 2, "padding": 1}  # with a 4 x 4 kernel, this halves an image's size, and its adjoint doubles it
    generator = Sequential(
        Linear(LATENT, 7 * 7 * MAPS, bias=False, **settings),
        BatchNorm(7 * 7 * MAPS),
        ReLU(),
        Reshape(7, 7, MAPS),
        ConvTranspose2d(MAPS, MAPS // 2, 4, bias=False, **halve, **settings),  # 14 x 14
        BatchNorm(MAPS // 2),
        ReLU(),
        ConvTranspose2d(MAPS // 2, channels, 4, **halve, **settings),  # 28 x 28
        Tanh(),
    )
    discriminator = Sequential(
        Conv2d(channels, MAPS // 2, 4, **halve, **settings),  # 14 x 14
        LeakyReLU(0.2),
        Conv2d(MAPS // 2, MAPS, 4, bias=False, **halve, **settings),  # 7 x 7
        BatchNorm(MAPS),
        LeakyReLU(0.2),
        Flatten(),
        Linear(7 * 7 * MAPS, 1, **settings),
    )
    return generator, discriminator


def train_step(generator, discriminator, g_optimiser, d_optimiser, real, noise):
    """Update both players once. Returns their losses.

    real: images (N, 28, 28, channels), floats in [-1, 1]
    noise: (N, LATENT)
    """
    fake = generator(noise)

    # Real images have label 1, generated ones label 0. detach() keeps the gradient out of the generator.
    d_loss = mg.binary_cross_entropy_with_logits(discriminator(mg.tensor(real)), 1)
    d_loss = d_loss + mg.binary_cross_entropy_with_logits(discriminator(fake.detach()), 0)
    d_optimiser.step(mg.grad(d_loss, discriminator.parameters()))

    # The generator wants its images to be labelled real. Only its own gradients are computed.
    g_loss = mg.binary_cross_entropy_with_logits(discriminator(fake), 1)
    g_optimiser.step(mg.grad(g_loss, generator.parameters()))
    return d_loss.item(), g_loss.item()


def save_grid(path, images, columns=8):
    """Write generated images, floats in [-1, 1], as one picture."""
    pixels = ((images + 1) * 127.5).round().astype(np.uint8)
    rows = [np.concatenate(pixels[i : i + columns], axis=1) for i in range(0, len(pixels), columns)]
    Image.fromarray(np.concatenate(rows).squeeze()).save(path)


def main(folder=None, steps=1500, out="dcgan.png", seed=0):
    images = mg.data.load(folder, size=28).images if folder else mg.data.load("glyphs").images
    generator, discriminator = networks(images.shape[-1], seed)
    g_optimiser = mg.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_optimiser = mg.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    rng = np.random.default_rng(seed)
    preview = rng.standard_normal((64, LATENT), dtype=np.float32)  # fixed noise for the pictures

    start = time.perf_counter()
    with mg.data.Batches(images, batch_size=min(BATCH, len(images)), seed=seed) as batches:
        for step in range(1, steps + 1):
            real, _ = next(batches)
            noise = rng.standard_normal((len(real), LATENT), dtype=np.float32)
            d_loss, g_loss = train_step(generator, discriminator, g_optimiser, d_optimiser, real, noise)
            if step % 100 == 0 or step == steps:
                print(f"step {step}  D {d_loss:.3f}  G {g_loss:.3f}  {time.perf_counter() - start:.0f} s")

    generator.eval()  # batch norm now uses its running statistics
    with mg.no_grad():
        save_grid(out, generator(preview).numpy())
    mg.save(generator, f"{out}.safetensors")
    print(f"{out}: 64 generated images; {out}.safetensors: the generator's weights")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="a folder of images [synthetic digits]")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", default="dcgan.png")
    parser.add_argument("--seed", type=int, default=0)
    main(**vars(parser.parse_args()))
