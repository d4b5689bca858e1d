"""Optimisers, learning-rate schedules and gradient clipping.

An optimiser takes a list of parameters, or a list of groups that override its settings:

    Adam(model.parameters(), lr=2e-4, betas=(0.5, 0.999))
    SGD([{"parameters": body}, {"parameters": head, "lr": 0.1}], lr=0.01)

`step(gradients)` takes what `mg.grad` returned; `step()` uses what `backward()` left in `.grad`. Each update is one
pass over all parameters. The state of an optimiser is kept in the order of its parameters and can be saved.
"""

from minigan.optim.clipping_and_schedules import (
    Schedule,
    clip_gradient_norm,
    clip_gradient_value,
    cosine,
    exponential,
    linear,
    staircase,
    warmup,
)
from minigan.optim.optimisers import SGD, Adam, AdamW, Optimiser, RMSprop

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimiser",
    "RMSprop",
    "Schedule",
    "clip_gradient_norm",
    "clip_gradient_value",
    "cosine",
    "exponential",
    "linear",
    "staircase",
    "warmup",
]
