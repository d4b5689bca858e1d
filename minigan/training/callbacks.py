"""What a training loop tells those who watch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minigan.training.inputs import whole

if TYPE_CHECKING:
    from minigan.training.loop import Loop


class Callback:
    """Something that watches a training run. Override what is of interest.

    The trainer has `name`, `step` (steps done), `steps` (to do), `history`, `batches`, `networks()`, `preview()` and
    `stop()`, and what it trains: a GAN's has `gan`.
    Callbacks never draw from the streams that training uses, so a run is the same with and without them.
    """

    def on_start(self, trainer: Loop) -> None:
        """Called once, before the first step."""

    def on_step(self, trainer: Loop, record: dict) -> None:
        """Called after every step.

        record: step and epoch (from 1), seconds since the start, and what the step measured: of a GAN
            discriminator_loss, generator_loss, real_accuracy and fake_accuracy (shares of the batch that the
            discriminator got right, before it learned from it)
        """

    def on_end(self, trainer: Loop) -> None:
        """Called once at the end, whatever it was.

        trainer.outcome: "finished", "interrupted" (Ctrl-C or stop(), after a whole step), "failed" or "aborted"
            (in the middle of a step, by a second Ctrl-C)
        """


class Every(Callback):
    """Calls function(trainer, record) every `every` steps.

    mg.gan.fit(..., callbacks=[mg.gan.Every(100, lambda trainer, record: print(record["generator_loss"]))])
    """

    def __init__(self, steps: int, function):
        self.steps, self.function = whole("Every: steps", steps, needed=True), function

    def on_step(self, trainer, record):
        if trainer.step % self.steps == 0:
            self.function(trainer, record)
