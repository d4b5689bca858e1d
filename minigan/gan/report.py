"""What the report and the progress line of a GAN's run show."""

from __future__ import annotations

from minigan.gan import recipe
from minigan.models import GAN, Recipe
from minigan.training.report import Curves, Shown

CURVES = (
    Curves("Losses", {"discriminator": "discriminator_loss", "generator": "generator_loss"}),
    Curves(
        "The discriminator is right",
        {"on real images": "real_accuracy", "on generated images": "fake_accuracy"},
        percent=True,
    ),
)
ABOUT_CURVES = (
    "Neither loss measures quality; each only says how that player does against the other. Lines are means of a few "
    "steps, bands their range."
)


def shown(gan: GAN, settings: Recipe, notes: list[str]) -> Shown:
    """What the report of a run shows; notes: what it began with."""
    along = "The same noise each time, so each place shows one image taking shape."
    penalty = {"gradient_penalty": "Gradient penalty"} if settings.gradient_penalty else {"r1": "R1"}
    penalised = settings.gradient_penalty or settings.r1
    return Shown(
        caption="Generated",
        along=along if gan.classes is None else f"{along} Each row is a class.",
        curves=(*CURVES, *(Curves(title, {"penalty": name}) for name, title in penalty.items() if penalised)),
        about_curves=ABOUT_CURVES,
        facts={"discriminator's loss": "discriminator_loss", "generator's loss": "generator_loss"},
        settings={**recipe.words(settings), **({"begun with": "; ".join(notes)} if notes else {})},
    )


def words(means: dict) -> str:
    """The figures of a step in the progress line; means: as `Trainer.train_step` returns them."""
    penalty = means.get("gradient_penalty", means.get("r1"))
    return (
        f"loss D {means['discriminator_loss']:.3f} G {means['generator_loss']:.3f}  "
        f"D right on real {means['real_accuracy']:4.0%} fake {means['fake_accuracy']:4.0%}"
    ) + ("" if penalty is None else f"  penalty {penalty:.3f}")
