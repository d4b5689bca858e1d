"""003: a critic whose scores are added, or subtracted without a bound; softmax over one output; pooling and strides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import minigan as mg
from docs.build.errata.experiment import Experiment, error_of, quoted, table
from docs.build.errata.pictures import panels, sheet
from docs.build.errata.training import FEATURES, SEED, SHOWN, Curve, adam, distance, floor, fresh, rounds, sampled
from minigan import models
from minigan.gan import objectives

PENALTY = 10.0  # lambda of the gradient penalty


def added(real, fake):
    """The printed loss, which minimises both scores."""
    return (real + fake).mean()


def subtracted(real, fake):
    """The Wasserstein loss, which lowers the scores of fakes and raises those of real images."""
    return fake.mean() - real.mean()


def critic_and_generator(gan, images, steps, curve, critic_loss, penalty=0.0):
    """Train both players on the same scores, as printed, optionally with a gradient penalty."""
    g, d = gan.generator, gan.discriminator
    g_optimiser, d_optimiser = adam(g), adam(d)
    mixing = np.random.default_rng(SEED)
    for real, noise in rounds(gan, images, steps):
        fake = g(noise)
        real_scores, fake_scores = d(real), d(fake)
        gradients = mg.grad(-fake_scores.mean(), g.parameters(), retain_graph=True)
        loss = critic_loss(real_scores, fake_scores)
        if penalty:
            loss = loss + penalty * objectives.gradient_penalty(d, real, fake.detach(), shares_of(real, mixing))
        d_optimiser.step(mg.grad(loss, d.parameters()))
        g_optimiser.step(gradients)
        curve.add(real_scores, fake_scores)


def critic_alone(gan, images, steps, penalty=0.0):
    """The difference of the scores after training the critic against a fixed generator."""
    g, d = gan.generator, gan.discriminator
    optimiser, mixing = adam(d), np.random.default_rng(SEED)
    for real, noise in rounds(gan, images, steps):
        with mg.no_grad():
            fake = g(noise)
        loss = subtracted(d(real), d(fake))
        if penalty:
            loss = loss + penalty * objectives.gradient_penalty(d, real, fake, shares_of(real, mixing))
        optimiser.step(mg.grad(loss, d.parameters()))
    with mg.no_grad():
        return -float(subtracted(d(real), d(fake)).item())


def shares_of(real, rng):
    """The share of each real image in the point where the slope is penalised, (N, 1, 1, 1)."""
    return rng.random((len(real.numpy()), 1, 1, 1), np.float32)


def slope(gan, images: np.ndarray) -> float:
    """The mean norm of the critic's gradient halfway between real and generated images."""
    real = images[:256] / np.float32(127.5) - 1
    fake = gan.generate(gan.noise(len(real), np.random.default_rng(SEED)))
    x = mg.tensor((real + fake) / 2, requires_grad=True)
    gradient = mg.grad(gan.discriminator(x).sum(), x)
    return float(np.sqrt((gradient.astype(np.float64) ** 2).sum((1, 2, 3))).mean())


WAYS = {
    "added, as printed": (added, 0.0),
    "subtracted, no bound": (subtracted, 0.0),
    "with gradient penalty": (subtracted, PENALTY),
}


def critic(images: np.ndarray, pictures: Path, steps: int) -> dict:
    rows, shown, curves = [], [], []
    for name, (loss, penalty) in WAYS.items():
        gan, curve = fresh("wgan", images), Curve(steps)
        critic_and_generator(gan, images, steps, curve, loss, penalty)
        made = sampled(gan)
        shown.append((name, sheet(made[:SHOWN])))
        curves.append((name, {"real": curve.column(1), "fake": curve.column(2)}))
        scores = {"real": curve.last(1), "fake": curve.last(2), "slope": slope(gan, images)}
        rows.append({"name": name, **scores, "distance": distance(made, images)})
    panels(pictures / "documents-critic.png", shown, curves)
    lengths = [max(1, steps // 6), max(1, steps // 3)]
    alone = {"steps": lengths}
    for name, penalty in (("free", 0.0), ("bounded", PENALTY)):
        alone[name] = [critic_alone(fresh("wgan", images), images, length, penalty) for length in lengths]
    return {"steps": steps, "rows": rows, "alone": alone, "floor": floor(images)}


def show_critic(figures: dict) -> str:
    rows = [
        [
            row["name"],
            f"{row['real']:,.1f}",
            f"{row['fake']:,.1f}",
            f"{row['slope']:,.1f}",
            f"{row['distance']:.1f}",
        ]
        for row in figures["rows"]
    ]
    heading = ["scores", "of real images", "of fakes", "critic's slope", "Frechet distance"]
    lengths, free, bounded = (
        " and ".join(f"{number:,.0f}" for number in figures["alone"][name]) for name in ("steps", "free", "bounded")
    )
    return (
        f"{table(heading, rows)}\n\n"
        f"The printed networks after {figures['steps']:,} steps of each player in turn. Scores are means over the last "
        "steps, the slope is the mean norm of the critic's gradient halfway between real images and fakes, and each "
        f"panel has its own scale. Against a fixed generator, the difference of the scores is {free} after {lengths} "
        f"steps without a bound, and {bounded} with the penalty. Frechet distance of {FEATURES} (other real images: "
        f"{figures['floor']:.2f})."
    )


def formulas(images: np.ndarray, pictures: Path, steps: int) -> dict:
    """The text's softmax, its objective of the generator, and its pooling."""
    scores = mg.tensor(np.linspace(-30, 30, 61)[:, None], requires_grad=True)
    verdicts = mg.softmax(scores, axis=1)
    gan = models.build("wgan", images.shape[1:], SEED)
    real = mg.tensor(images[:8] / np.float32(127.5) - 1)
    return {
        "softmax": [float(verdicts.numpy().min()), float(verdicts.numpy().max())],
        "gradient": float(np.abs(mg.grad(verdicts.sum(), scores)).max()),
        "aim": error_of(lambda: mg.grad(gan.discriminator(real).mean(), gan.generator.parameters())),
        "printed": list(mg.max_pool2d(real, 2, stride=1).shape[1:3]),
        "halved": list(mg.max_pool2d(real, 2, stride=2).shape[1:3]),
    }


def show_formulas(figures: dict) -> str:
    low, high = figures["softmax"]
    printed, halved = (" x ".join(map(str, figures[name])) for name in ("printed", "halved"))
    return (
        f"- Softmax over one output, for scores from -30 to 30: between {low:g} and {high:g}, and the largest gradient "
        f"is {figures['gradient']:g}.\n"
        f"- Pooling 28 x 28 pixels by the printed formula, 2 x 2: {printed}. With a stride of 2: {halved}.\n"
        "- The gradient of the scores of real images, which the generator is supposed to minimise:\n\n"
        f"{quoted(figures['aim'])}"
    )


EXPERIMENTS = (
    Experiment("critic", critic, show_critic, steps=1500, picture="documents-critic.png"),
    Experiment("formulas", formulas, show_formulas),
)
