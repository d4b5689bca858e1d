"""Optimisers take the same steps as PyTorch's, over many of them, with groups and schedules."""

import numpy as np
import pytest
import torch

import minigan as mg
from minigan import optim

SHAPES = [(5, 3), (7,), (2, 3, 4, 5), ()]
STEPS = 25

CASES = {
    "sgd": (optim.SGD, torch.optim.SGD, {"lr": 0.1}, {}),
    "momentum": (optim.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}, {}),
    "nesterov": (optim.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}, {}),
    "rmsprop": (optim.RMSprop, torch.optim.RMSprop, {"lr": 0.01, "weight_decay": 0.02}, {"decay": ("alpha", 0.95)}),
    "adam": (optim.Adam, torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.999), "weight_decay": 0.03}, {}),
    "adamw": (optim.AdamW, torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.1}, {}),
    "adam-eps": (optim.Adam, torch.optim.Adam, {"lr": 0.01, "eps": 1e-3}, {}),
}


def parameters(rng, dtype):
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    ours = [mg.tensor(a, requires_grad=True) for a in start]
    return ours, [torch.tensor(a.copy(), requires_grad=True) for a in start]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("dtype", "relative"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_steps_are_the_same(case, dtype, relative, rng):
    ours_class, theirs_class, settings, renamed = CASES[case]
    ours, theirs = parameters(rng, dtype)
    our_optimiser = ours_class(ours, **settings, **{name: value for name, (_, value) in renamed.items()})
    their_optimiser = theirs_class(theirs, **settings, **dict(renamed.values()))
    for _ in range(STEPS):
        gradients = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
        our_optimiser.step(gradients)
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = torch.tensor(gradient)
        their_optimiser.step()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=relative, atol=relative)


def test_groups_have_settings_of_their_own(rng):
    ours, theirs = parameters(rng, np.float64)
    our_optimiser = optim.Adam([{"parameters": ours[:2]}, {"parameters": ours[2:], "lr": 0.3}], lr=0.01)
    their_optimiser = torch.optim.Adam([{"params": theirs[:2]}, {"params": theirs[2:], "lr": 0.3}], lr=0.01)
    schedule = optim.Schedule(our_optimiser, optim.exponential(0.9))
    their_schedule = torch.optim.lr_scheduler.ExponentialLR(their_optimiser, 0.9)
    for _ in range(STEPS):
        gradients = [rng.standard_normal(shape) for shape in SHAPES]
        our_optimiser.step(gradients)
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = torch.tensor(gradient)
        their_optimiser.step()
        schedule.step()
        their_schedule.step()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optim.cosine(20, 0.1), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.01)),
        (optim.linear(20, 0.25), lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.25, 20)),
        (optim.staircase(4, 0.3), lambda o: torch.optim.lr_scheduler.StepLR(o, 4, 0.3)),
    ],
    ids=["cosine", "linear", "staircase"],
)
def test_schedules_are_the_same(ours, theirs):
    parameter = torch.zeros(1, requires_grad=True)
    parameter.grad = torch.zeros(1)
    their_optimiser = torch.optim.SGD([parameter], lr=0.1)
    their_schedule = theirs(their_optimiser)
    our_optimiser = optim.SGD([mg.tensor([0.0], requires_grad=True)], lr=0.1)
    our_schedule = optim.Schedule(our_optimiser, ours)
    for _ in range(20):
        assert our_optimiser.groups[0]["lr"] == pytest.approx(their_optimiser.param_groups[0]["lr"], rel=1e-12)
        our_schedule.step()
        their_optimiser.step()
        their_schedule.step()


def test_clipping_by_norm_is_the_same(rng):
    gradients = [rng.standard_normal(shape) for shape in SHAPES[:3]]
    theirs = [torch.zeros(shape, requires_grad=True) for shape in SHAPES[:3]]
    for tensor, gradient in zip(theirs, gradients, strict=True):
        tensor.grad = torch.tensor(gradient, dtype=torch.float32)
    norm = optim.clip_gradient_norm(gradients, 1.5)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 1.5)
    assert norm == pytest.approx(float(expected), rel=1e-6)
    for mine, other in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(mine, other.grad.numpy(), rtol=1e-5, atol=1e-6)
