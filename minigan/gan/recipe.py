"""Checks that a recipe's settings work together, and its description in reports."""

from __future__ import annotations

from numbers import Real

from minigan import kernels
from minigan.errors import TrainingError, UnknownNameError
from minigan.gan.objectives import objective_of
from minigan.models import GAN, Recipe
from minigan.nn import BatchNorm
from minigan.optim import Adam, RMSprop
from minigan.training.report import Curves, Shown

OPTIMISERS = ("adam", "rmsprop")
LARGEST = 3e38  # the largest setting, about float32's limit


def optimiser_of(recipe: Recipe, parameters: list, rate: float) -> Adam | RMSprop:
    """Create the recipe's optimiser for a player's parameters."""
    return Adam(parameters, rate, betas=recipe.betas) if recipe.optimiser == "adam" else RMSprop(parameters, rate)


def changes_of(recipe: Recipe) -> list[str]:
    """Return the recipe's changes to the discriminator, names in `minigan.models.gan.CHANGES`."""
    wanted = {"minibatch-std": recipe.minibatch_std, "spectral-norm": recipe.spectral_norm}
    return [name for name, wish in wanted.items() if wish is True]


def check(recipe: Recipe, gan: GAN) -> None:
    """Raise TrainingError for settings that are out of range or cannot work together or with the GAN's layers.

    raises UnknownNameError for an unknown objective
    """
    _check_ranges(recipe)
    objective = objective_of(recipe.objective)
    penalty = "the gradient penalty" if recipe.gradient_penalty else "R1" if recipe.r1 else None
    if recipe.gradient_penalty and recipe.r1:
        raise TrainingError("the gradient penalty asks for slopes of 1, but R1 for slopes of 0; choose one (--r1 0)")
    if penalty and recipe.clip:
        other = "--r1 0" if recipe.r1 else "--gradient-penalty 0"
        raise TrainingError(
            f"clip and {penalty} both bound the discriminator's slope; choose one (--clip 0, or {other})"
        )
    spectral = recipe.spectral_norm or "spectral-norm" in gan.changes
    if recipe.clip and spectral:
        raise TrainingError(
            "spectral norm divides by the norm of the weights, so clipping them has no effect; choose one"
        )
    normed = _batch_norm_in(gan.discriminator)
    if penalty and normed:
        raise TrainingError(
            f"{penalty} needs scores that depend on one image each, but {gan.name}'s discriminator has a batch norm "
            f"({normed}), which makes every score depend on the whole batch; clip its weights instead (--clip 0.01) or "
            "choose a model without batch norm (wgan)"
        )
    # R1 is not enough here: it does not bound the critic's slope away from real images
    if objective.boundary is None and not (recipe.gradient_penalty or recipe.clip or (spectral and not normed)):
        but = f"; the others do not bound a batch norm ({normed})" if normed else ""
        how = "--clip 0.01" if normed else "--gradient-penalty 10, --clip 0.01 or --spectral-norm"
        raise TrainingError(
            f"{objective.name}: nothing bounds the critic's slope, so its scores grow without limit; add {how}{but}"
        )
    if recipe.label_smoothing and not objective.labels:
        raise TrainingError(f"{objective.name} does not use labels, so there is nothing to smooth")


def check_device(name: str, device: str, precision: str, captured: bool) -> None:
    """Raise TrainingError for settings that need a GPU if the GAN is on the CPU.

    raises UnknownNameError for a precision that does not exist
    """
    UnknownNameError.check("precision", precision, kernels.PRECISIONS)
    asked = "captured steps" if captured else None if precision == "float32" else f"precision {precision}"
    if asked and device == "cpu":
        raise TrainingError(f"{asked}: this needs a GPU, but {name} is on the CPU; add --device cuda (or sim)")


def check_trainable(gan: GAN) -> None:
    """Raise TrainingError if a player is completely frozen."""
    for player in ("generator", "discriminator"):
        if not getattr(gan, player).parameters():
            raise TrainingError(f"the whole {player} is frozen, so it cannot learn")


def _check_ranges(recipe):
    for name, usual in vars(Recipe()).items():
        setting = getattr(recipe, name)
        if isinstance(usual, float) and (not isinstance(setting, Real) or abs(setting) > LARGEST):
            raise TrainingError(f"{name.replace('_', ' ')} must be a number that fits in float32, not {setting!r}")
        if isinstance(usual, bool) and not isinstance(setting, bool):
            raise TrainingError(f"{name.replace('_', ' ')} must be True or False, not {setting!r}")
    if not isinstance(recipe.betas, tuple) or [isinstance(beta, Real) for beta in recipe.betas] != [True, True]:
        raise TrainingError(f"betas are {recipe.betas!r}, but Adam takes two numbers")
    if not isinstance(recipe.optimiser, str) or recipe.optimiser not in OPTIMISERS:
        raise TrainingError(f"optimiser is {recipe.optimiser!r}, but it must be one of {', '.join(OPTIMISERS)}")
    if not isinstance(recipe.critic_steps, int) or recipe.critic_steps < 1:
        raise TrainingError(f"critic steps must be a whole number of at least 1, not {recipe.critic_steps!r}")
    for name in ("generator_rate", "discriminator_rate"):
        rate = getattr(recipe, name)
        if not rate > 0:
            raise TrainingError(f"{name.replace('_rate', chr(39) + 's learning rate')} must be above 0, not {rate}")
    for name in ("gradient_penalty", "r1", "clip", "instance_noise"):
        if not getattr(recipe, name) >= 0:
            raise TrainingError(f"{name.replace('_', ' ')} must be 0 (none) or above, not {getattr(recipe, name)}")
    if not 0 <= recipe.label_smoothing < 0.5:
        raise TrainingError(f"label smoothing is {recipe.label_smoothing}, but it must be at least 0 and below 0.5")
    if not 0 <= recipe.ema < 1:
        raise TrainingError(f"ema is {recipe.ema}, but it must be at least 0 (no average) and below 1")
    if not all(0 <= beta < 1 for beta in recipe.betas):
        raise TrainingError(f"betas are {recipe.betas}, but each must be at least 0 and below 1")


def _batch_norm_in(network):
    """Return the name of a batch norm in a network, or None."""
    return next((name for name, module in network.named_modules() if isinstance(module, BatchNorm)), None)


def words(recipe: Recipe) -> dict[str, str]:
    """Describe the recipe as rows of the report's table."""
    generator, discriminator = recipe.generator_rate, recipe.discriminator_rate
    rates = (
        f"learning rate {generator:g}"
        if generator == discriminator
        else f"learning rates {generator:g} (generator) and {discriminator:g}"
    )
    if recipe.optimiser == "adam":
        optimiser = f"Adam, {rates}, betas {', '.join(f'{beta:g}' for beta in recipe.betas)}"
    else:
        optimiser = f"RMSprop, {rates}"
    named = {
        "critic_steps": f"{recipe.critic_steps} critic steps per generator step",
        "gradient_penalty": f"gradient penalty {recipe.gradient_penalty:g}",
        "r1": f"R1 {recipe.r1:g}",
        "clip": f"weights clipped at {recipe.clip:g}",
        "label_smoothing": f"labels smoothed by {recipe.label_smoothing:g}",
        "instance_noise": f"instance noise {recipe.instance_noise:g}",
        "ema": f"generator averaged with decay {recipe.ema:g}",
        "spectral_norm": "spectral norm",
        "minibatch_std": "minibatch standard deviation",
    }
    usual = Recipe()
    besides = [text for name, text in named.items() if getattr(recipe, name) != getattr(usual, name)]
    rows = {"objective": recipe.plain()["objective"], "optimiser": optimiser}
    return {**rows, "besides": ", ".join(besides)} if besides else rows


CURVES = (
    Curves("Losses", {"discriminator": "discriminator_loss", "generator": "generator_loss"}),
    Curves(
        "The discriminator's accuracy",
        {"on real images": "real_accuracy", "on generated images": "fake_accuracy"},
        percent=True,
    ),
)
ABOUT_CURVES = (
    "The losses do not measure quality: each only shows how one player does against the other. Lines are means over a "
    "few steps; bands show their range."
)


def shown(gan: GAN, settings: Recipe, notes: list[str]) -> Shown:
    """Return the GAN-specific parts of the report; notes: the notes of the run's start."""
    along = "The noise is the same each time, so each position shows one image developing."
    penalty = {"gradient_penalty": "Gradient penalty"} if settings.gradient_penalty else {"r1": "R1"}
    penalised = settings.gradient_penalty or settings.r1
    return Shown(
        caption="Generated",
        along=along if gan.classes is None else f"{along} Each row is a class.",
        curves=(*CURVES, *(Curves(title, {"penalty": name}) for name, title in penalty.items() if penalised)),
        about_curves=ABOUT_CURVES,
        facts={"discriminator's loss": "discriminator_loss", "generator's loss": "generator_loss"},
        settings={**words(settings), **({"initial weights": "; ".join(notes)} if notes else {})},
    )


def progress(means: dict) -> str:
    """Format the progress line; means: the measurements of `Trainer.train_step`, smoothed."""
    penalty = means.get("gradient_penalty", means.get("r1"))
    return (
        f"loss D {means['discriminator_loss']:.3f} G {means['generator_loss']:.3f}  "
        f"D right on real {means['real_accuracy']:4.0%} fake {means['fake_accuracy']:4.0%}"
    ) + ("" if penalty is None else f"  penalty {penalty:.3f}")
