"""A GAN by hand: two small networks learn to place points on a circle. Prints how far off the points are.

python examples/gan_by_hand.py
"""

import argparse

import numpy as np

import minigan as mg
from minigan.nn import LeakyReLU, Linear, Sequential


def real_points(rng, count):
    """Points on the unit circle, (count, 2)."""
    angle = rng.uniform(0, 2 * np.pi, count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def main(steps):
    rng = np.random.default_rng(0)
    generator = Sequential(
        Linear(2, 64, rng=rng), LeakyReLU(0.2), Linear(64, 64, rng=rng), LeakyReLU(0.2), Linear(64, 2, rng=rng)
    )
    discriminator = Sequential(
        Linear(2, 64, rng=rng), LeakyReLU(0.2), Linear(64, 64, rng=rng), LeakyReLU(0.2), Linear(64, 1, rng=rng)
    )
    g_optimiser = mg.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    d_optimiser = mg.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    distance = float("nan")
    for step in range(1, steps + 1):
        fake = generator(rng.standard_normal((128, 2), dtype=np.float32))

        # The discriminator's scores are logits: above 0 for "real". softplus(-x) is -log(sigmoid(x)).
        d_loss = (
            mg.softplus(-discriminator(real_points(rng, 128))).mean() + mg.softplus(discriminator(fake.detach())).mean()
        )
        d_optimiser.step(mg.grad(d_loss, discriminator.parameters()))

        g_loss = mg.softplus(-discriminator(fake)).mean()
        g_optimiser.step(mg.grad(g_loss, generator.parameters()))

        if step % max(steps // 10, 1) == 0:
            with mg.no_grad():
                points = generator(rng.standard_normal((1000, 2), dtype=np.float32)).numpy()
            distance = np.abs(np.linalg.norm(points, axis=1) - 1).mean()
            print(f"step {step}: generated points are {distance:.2f} off the circle on average")
    return distance


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    main(parser.parse_args().steps)
