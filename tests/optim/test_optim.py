"""Optimisers beyond their formulas (tests/parity compares those): state, groups, refusals, schedules, clipping."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim
from minigan.errors import MiniganError, ShapeError

OPTIMISERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01),
    "adam": lambda p: optim.Adam(p, lr=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.1),
}


def parameters():
    rng = np.random.default_rng(0)
    return [mg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((3, 2), (4,))]


def gradients(step):
    rng = np.random.default_rng(step)
    return [rng.standard_normal(shape) for shape in ((3, 2), (4,))]


@pytest.fixture(params=OPTIMISERS)
def make(request):
    return OPTIMISERS[request.param]


def test_a_quadratic_is_minimised(make):
    (x, y) = parameters()
    optimiser = make([x, y])
    for _ in range(400):
        optimiser.step(mg.grad(((x - 1) ** 2).sum() + ((y + 2) ** 2).sum(), [x, y]))
    assert np.abs(x.numpy() - 1).max() < 0.3
    assert np.abs(y.numpy() + 2).max() < 0.6  # AdamW's weight decay draws it towards 0


def test_gradients_come_from_backward_or_from_grad(make):
    ours, theirs = parameters(), parameters()
    for step in range(3):
        given = gradients(step)
        for parameter, gradient in zip(ours, given, strict=True):
            parameter.grad = gradient
    first, second = make(ours), make(theirs)
    first.step()
    second.step([p.grad for p in ours])
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True))
    first.zero_grad()
    assert all(p.grad is None for p in ours)


def test_a_parameter_without_a_gradient_stays(make):
    x, y = parameters()
    before = y.numpy().copy()
    make([x, y]).step([np.ones((3, 2)), None])
    assert np.array_equal(y.numpy(), before)


def test_saved_state_goes_on_to_the_bit(make):
    whole, halves = parameters(), parameters()
    optimiser, first = make(whole), make(halves)
    for step in range(6):
        optimiser.step(gradients(step))
    for step in range(3):
        first.step(gradients(step))
    second = make(halves)
    second.load_state_dict(first.state_dict())
    for step in range(3, 6):
        second.step(gradients(step))
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(whole, halves, strict=True))


def test_state_of_something_else_changes_nothing(make):
    optimiser = make(parameters())
    optimiser.step(gradients(0))
    saved = optimiser.state_dict()
    other = make([mg.tensor(np.zeros(5), requires_grad=True), mg.tensor(np.zeros(4), requires_grad=True)])
    with pytest.raises(ShapeError, match="another optimiser or parameter"):
        other.load_state_dict(saved)
    assert other.steps == 0
    with pytest.raises(ShapeError, match="saved for 2 parameters"):
        make(parameters()[:1]).load_state_dict(saved)


def test_steps_are_writes_that_a_graph_notices(make):
    x = parameters()[0]
    loss = (x * x).sum()
    make([x]).step([np.ones((3, 2))])
    with pytest.raises(mg.GraphError, match="written in place"):
        loss.backward()


def test_gradients_of_float32_parameters_may_be_float64():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    optim.Adam([x], lr=0.1).step([np.ones(2)])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.numpy(), [0.9, 1.9], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.Adam([]), "needs a list of parameters"),
        (lambda: optim.Adam([np.ones(3)]), "needs a list of parameters"),
        (lambda: optim.Adam(parameters()[:1] * 2), "listed twice"),
        (lambda: optim.Adam(parameters(), lr=-1), "learning rate is -1"),
        (lambda: optim.Adam(parameters(), betas=(0.5, 1.0)), "from 0 to below 1"),
        (lambda: optim.SGD(parameters(), 0.1, nesterov=True), "needs a momentum"),
        (lambda: optim.SGD([{"parameters": parameters(), "rate": 1}], 0.1), "unknown settings"),
        (lambda: optim.SGD(parameters(), 0.1).step([None]), "1 gradients for 2 parameters"),
        (lambda: optim.SGD(parameters(), 0.1).step([np.ones(3), None]), r"has shape \(3,\), its parameter \(3, 2\)"),
    ],
)
def test_what_cannot_work_says_why(make, message):
    with pytest.raises(MiniganError, match=message):
        make()


def test_a_schedule_acts_on_each_group_from_its_own_rate():
    optimiser = optim.SGD([{"parameters": [p], "lr": lr} for p, lr in zip(parameters(), (1.0, 0.1), strict=True)], lr=0)
    schedule = optim.Schedule(optimiser, optim.warmup(4, optim.linear(10, 0.5)))
    seen = []
    for _ in range(15):
        seen.append([group["lr"] for group in optimiser.groups])
        schedule.step()
    expected = [0.25, 0.5, 0.75, 1.0, *np.linspace(1, 0.5, 11)]
    np.testing.assert_allclose([rate for rate, _ in seen], expected, rtol=1e-12)
    np.testing.assert_allclose([10 * rate for _, rate in seen], expected, rtol=1e-12)


def test_clipping_leaves_what_is_short_enough():
    gradient = np.array([3.0, 4.0])
    assert optim.clip_gradient_norm([gradient, None], 6) == 5
    assert np.array_equal(gradient, [3, 4])
    optim.clip_gradient_norm([gradient], 1)
    np.testing.assert_allclose(gradient, [0.6, 0.8])
    optim.clip_gradient_value([gradient], 0.7)
    np.testing.assert_allclose(gradient, [0.6, 0.7])


def test_clipping_takes_parameters_for_their_gradients():
    (x, _) = parameters()
    (x * 100).sum().backward()
    optim.clip_gradient_value([x], 1)
    assert np.all(x.grad == 1)


@pytest.mark.parametrize(
    "source", [np.ones((3, 4), order="F"), nn.init.orthogonal()(np.random.default_rng(0), (3, 8), 1, 1)]
)
def test_parameters_in_any_order_of_memory_are_trained(make, source):
    leaf = mg.tensor(source, requires_grad=True)
    make([leaf]).step([np.ones(source.shape)])
    assert not np.array_equal(leaf.numpy(), source)


def test_clipping_of_gradients_that_are_tensors():
    x = mg.tensor([3.0, 4.0], requires_grad=True)
    for clip, expected in (
        (lambda g: optim.clip_gradient_norm(g, 1.0), [0.6, 0.8]),
        (lambda g: optim.clip_gradient_value(g, 0.5), [0.5, 0.5]),
    ):
        gradients = [mg.grad((x * x * 0.5).sum(), x, create_graph=True)]
        clip(gradients)
        np.testing.assert_allclose(gradients[0].data, expected)
    assert x.tolist() == [3, 4]


def test_clipping_refuses_what_is_no_gradient():
    frozen = mg.tensor([30.0, 40.0])
    for clip in (optim.clip_gradient_norm, optim.clip_gradient_value):
        with pytest.raises(MiniganError, match="neither a parameter"):
            clip([frozen], 1.0)
    assert frozen.tolist() == [30, 40]


SENSELESS = [
    lambda p: optim.SGD([p], lr=0.1, momentum=float("nan")),
    lambda p: optim.SGD([p], lr=0.1, weight_decay="0"),
    lambda p: optim.SGD([p], lr=0.1, weight_decay=-1.0),
    lambda p: optim.RMSprop([p], eps=-1e-8),
    lambda p: optim.Adam([p], eps=None),
    lambda p: optim.Adam([p], lr=[0.1]),
    lambda p: optim.Adam([p], lr=1j),
    lambda p: optim.Adam([p], lr=float("inf")),
    lambda p: optim.Adam([p], betas=(0.9,)),
    lambda p: optim.Adam([p], betas=(0.9, 0.9, 0.9)),
    lambda p: optim.SGD([{"lr": 1.0}], lr=0.1),
    lambda p: optim.SGD([{"parameters": [p]}, p], lr=0.1),
    lambda p: optim.SGD([mg.tensor([1, 2])], lr=0.1),
    lambda p: optim.SGD([p], lr=0.1).step([np.ones(2, complex)]),
    lambda p: optim.SGD([p], lr=0.1).step([np.array(["a", "b"])]),
    lambda p: optim.clip_gradient_norm([np.array([3, 4])], 1.0),  # an integer factor would be 0
    lambda p: optim.clip_gradient_norm([np.ones(2, complex)], 1.0),
    lambda p: optim.clip_gradient_norm([np.broadcast_to(np.float32(3), 4)], 1.0),
    lambda p: optim.clip_gradient_value([np.array([3, 4])], 1.5),
]


@pytest.mark.parametrize("call", SENSELESS)
def test_senseless_settings_and_gradients_are_refused_before_anything_changes(call):
    p = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(MiniganError):
        call(p)
    assert p.tolist() == [1, 2]


DAMAGE = [
    lambda s: s["groups"][0].update(lr=-3.0),
    lambda s: s["groups"][0].update(lr="words"),
    lambda s: s.pop("steps"),
    *(
        lambda s, part=part, odd=odd: part(s, odd)
        for part in (
            lambda s, odd: s.update(steps=odd),
            lambda s, odd: s.update(state=odd),
            lambda s, odd: s.update(groups=odd),
            lambda s, odd: s["state"].__setitem__(0, odd),
            lambda s, odd: s["groups"].__setitem__(0, odd),
            lambda s, odd: s["state"][0].update(mean=odd),
            lambda s, odd: s["state"][0].update(step=odd),
        )
        for odd in ("words", None, 2.5, [3], np.array(["a", "b"]))
    ),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_saved_state_with_senseless_parts_changes_nothing(damage):
    p = mg.tensor([1.0, 2.0], requires_grad=True)
    optimiser = optim.Adam([p], lr=0.5)
    optimiser.step([np.ones(2, np.float32)])
    saved = optimiser.state_dict()
    damage(saved)
    with pytest.raises(MiniganError):
        optimiser.load_state_dict(saved)
    assert optimiser.groups[0]["lr"] == 0.5
    assert (optimiser.steps, optimiser.state[0]["step"]) == (1, 1)


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("to", [{"dtype": np.float32}, {"dtype": np.float64}, {"device": "sim"}])
def test_a_saved_state_becomes_that_of_parameters_of_another_dtype_or_device(make, steps, to):
    """Also where the optimiser has already taken steps and has a state of its own."""
    first = parameters()
    saver = make(first)
    saver.step(gradients(0))
    others = [mg.tensor(p.numpy(), requires_grad=True, **to) for p in first]
    loader = make(others)
    for _ in range(steps):
        loader.step([p.data for p in others])
    loader.load_state_dict(saver.state_dict())
    for p, state, saved in zip(others, loader.state, saver.state, strict=True):
        for name in loader.moments:
            assert (state[name].dtype, mg.Tensor(state[name]).device) == (p.dtype, p.device)
            np.testing.assert_allclose(mg.Tensor(state[name]).numpy(), saved[name], rtol=1e-6)
    loader.step([p.data for p in others])
