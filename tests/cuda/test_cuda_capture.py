"""A captured step does at each replay what it would do uncaptured, to the bit; what it cannot do again is refused."""

import numpy as np
import pytest
from simulated import DEVICE, SIMULATED, on_device, plain, sim_only
from test_cuda_operations import CASES

import minigan as mg
from minigan import nn, optim, random
from minigan.errors import DeviceError, GraphError
from minigan.kernels.cuda.graph import ROOM, Graph, supplied
from minigan.kernels.cuda.sim import SimArray
from minigan.models.dcgan import dcgan

SHAPE, BATCH, STEPS = (28, 28, 1), 4, 5
# what these take from the CPU, or multiply by the device's library, no replay could do
NOT_CAPTURED = {"cross_entropy", "dropout", "einsum", "embedding", "x[...]"}


def small_dcgan():
    gan = dcgan(SHAPE, random.derived(0, "init"), maps=4)
    gan.discriminator = nn.Sequential(*list(gan.discriminator)[:-1], nn.Dropout(0.3), gan.discriminator[-1])
    return gan.to(DEVICE)


class Players:
    """A GAN with an optimiser for each player, and a step of both."""

    def __init__(self, make_optimiser, capture):
        mg.seed(0)  # of dropout
        self.gan, self.noise = small_dcgan(), random.Philox(0, "noise")
        self.optimisers = [
            make_optimiser(player.parameters()) for player in (self.gan.discriminator, self.gan.generator)
        ]
        self.train_step = mg.captured(self.step) if capture else self.step

    def step(self, real):
        of_discriminator, of_generator = self.optimisers
        fake = self.gan.generator(self.gan.noise(len(real), self.noise))
        d = self.gan.discriminator
        d_loss = mg.softplus(-d(real)).mean() + mg.softplus(d(fake.detach())).mean()
        of_discriminator.step(mg.grad(d_loss, of_discriminator.parameters))
        g_loss = mg.softplus(-d(fake)).mean()
        of_generator.step(mg.grad(g_loss, of_generator.parameters))
        return {"losses": (d_loss, g_loss), "image": fake.data}

    def state(self):
        networks = [player.state_dict() for player in (self.gan.discriminator, self.gan.generator)]
        return [array.tobytes() for network in networks for array in network.values()] + [self.noise.block]


def of_the_optimiser(optimiser):
    saved = optimiser.state_dict()
    moments = [
        [name if name == "step" else plain(value).tobytes() for name, value in state.items()]
        for state in saved["state"]
    ]
    return saved["steps"], [state["step"] for state in saved["state"]], moments


OPTIMISERS = {
    "Adam": lambda parameters: optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999)),
    "AdamW": lambda parameters: optim.AdamW(parameters, lr=2e-4),
    "RMSprop": lambda parameters: optim.RMSprop(parameters, lr=5e-5),
    "SGD": lambda parameters: optim.SGD(parameters, lr=1e-3),
    "momentum": lambda parameters: optim.SGD(
        [{"parameters": parameters[:2]}, {"parameters": parameters[2:], "lr": 1e-4}], lr=1e-3, momentum=0.9
    ),
}


def losses(results):
    return [loss.item() for loss in results["losses"]]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_captured_steps_are_the_uncaptured_ones(name):
    """With noise, dropout, batch norm's statistics, moments, and a learning rate that falls."""
    batches = np.random.default_rng(0).uniform(-1, 1, (STEPS, BATCH, *SHAPE)).astype(np.float32)
    found = []
    for capture in (False, True):
        players = Players(OPTIMISERS[name], capture)
        schedules = [optim.Schedule(optimiser, optim.cosine(STEPS)) for optimiser in players.optimisers]
        seen = []
        for real in batches:
            results = players.train_step(on_device(real))
            seen.append((losses(results), plain(results["image"]).tobytes()))
            for schedule in schedules:
                schedule.step()
        found.append((seen, players.state(), list(map(of_the_optimiser, players.optimisers))))
    assert len({image for _, image in found[0][0]}) == STEPS
    assert found[0] == found[1]


def test_each_shape_of_the_arguments_is_captured_by_itself():
    calls = []

    @mg.captured
    def double(x):
        calls.append(x.shape)
        return x * 2

    for _ in range(3):
        for size in (3, 5):
            x = on_device(np.random.default_rng(size).standard_normal(size))
            np.testing.assert_array_equal(plain(double(x).data), 2 * plain(x))
    assert calls == [(3,), (5,), (3,), (5,)]  # once as it is, and once captured
    assert double.__name__ == "double"


def test_on_the_cpu_the_function_is_called_each_time():
    calls = []
    step = mg.captured(lambda x: (calls.append(1), x + 1)[1])
    assert [step(np.ones(2)).tolist() for _ in range(3)] == [[2.0, 2.0]] * 3
    assert len(calls) == 3


def test_results_are_written_again_by_the_next_call():
    step = mg.captured(lambda x: x + 1)
    step(on_device(np.zeros(2)))
    first = step(on_device(np.zeros(2)))
    again = step(on_device(np.ones(2)))
    assert again is first
    np.testing.assert_array_equal(plain(first.data), [2, 2])


def test_capturing_does_nothing():
    """Parameters, statistics, moments and noise are as they were until the first replay."""
    players = Players(OPTIMISERS["Adam"], False)
    real = on_device(np.random.default_rng(0).uniform(-1, 1, (BATCH, *SHAPE)).astype(np.float32))
    players.step(mg.Tensor(real))
    before = players.state(), list(map(of_the_optimiser, players.optimisers))
    graph = Graph(lambda: players.step(mg.Tensor(real)), real)
    assert (players.state(), list(map(of_the_optimiser, players.optimisers))) == before
    graph.replay()
    assert players.state() != before[0]
    assert [optimiser.steps for optimiser in players.optimisers] == [2, 2]


@pytest.mark.parametrize("name", sorted(set(CASES) - NOT_CAPTURED))
def test_operations_and_their_gradients_are_replayed(name):
    operation, *arrays = CASES[name]

    def run(*arrays):
        leaves = [mg.Tensor(a.data, requires_grad=a.data.dtype.kind == "f") for a in arrays]
        y = operation(*leaves)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        gradients = mg.grad((y * y).sum(), wanted, allow_unused=True) if y.requires_grad else []
        return tuple(r for r in (y, *gradients) if r is not None)

    step = mg.captured(run)
    for scale in (1, 0.5, 0.75):
        given = [on_device((array * array.dtype.type(scale)) if array.dtype.kind == "f" else array) for array in arrays]
        expected, found = run(*map(mg.Tensor, given)), step(*given)
        for ours, theirs in zip(found, expected, strict=True):
            ours, theirs = (plain(r.data if isinstance(r, mg.Tensor) else r) for r in (ours, theirs))
            np.testing.assert_array_equal(ours, theirs)


METHODS = {
    "copy": lambda x: x.copy(),
    "astype": lambda x: x.astype(np.float64),
    "a view": lambda x: x[1:] + 1,
    "some": lambda x: x[np.array([2, 0])],
    "reshape of a view": lambda x: x.T.reshape(-1),
    "ravel": lambda x: x.T.ravel(),
    "sum": lambda x: x.sum(axis=0),
    "mean": lambda x: x.mean(),
    "max": lambda x: x.max(axis=1),
    "argmax": lambda x: x.argmax(axis=1),
    "cumsum": lambda x: x.cumsum(axis=0),
    "repeat": lambda x: x.repeat(2, axis=0),
    "flatten": lambda x: x.flatten(),
    "in place": lambda x: _changed(x.copy(), lambda y: y.__iadd__(x)),
    "fill": lambda x: _changed(x.copy(), lambda y: y[0].fill(7)),
    "assignment": lambda x: _changed(x.copy(), lambda y: y.__setitem__(slice(1, None), x[:-1])),
    "a ufunc's out": lambda x: _changed(x.copy(), lambda y: np.multiply(x, x, out=y)),
    "where": lambda x: np.where(x > 0, x, -1),
    "concatenate": lambda x: np.concatenate([x, x * 2]),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "zeros_like": lambda x: np.zeros_like(x) + x,
    "two results": lambda x: np.modf(x)[1],
}


def _changed(array, change):
    change(array)
    return array


@pytest.mark.parametrize("name", sorted(NOT_CAPTURED))
def test_operations_that_take_something_from_the_cpu_are_refused(name):
    operation, *arrays = CASES[name]
    step, given = mg.captured(operation), [on_device(array) for array in arrays]
    step(*given)
    with pytest.raises(DeviceError, match="a captured step"):
        step(*given)


@sim_only
@pytest.mark.parametrize("name", METHODS)
def test_what_arrays_do_is_replayed(name):
    x = on_device(np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32))
    other = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    graph = Graph(lambda: METHODS[name](x), x)
    x[...] = on_device(other)
    graph.replay()
    assert type(graph.result) is SimArray
    np.testing.assert_array_equal(plain(graph.result), METHODS[name](other))


def test_a_write_by_a_replay_is_noticed_by_a_backward_pass():
    weight = mg.tensor(np.ones(3, np.float32), requires_grad=True, device=DEVICE)
    optimiser = optim.SGD([weight], lr=0.1)

    @mg.captured
    def step(x):
        optimiser.step(mg.grad((weight * x).sum(), [weight]))
        return x

    x = on_device(np.ones(3, np.float32))
    step(x), step(x)
    y = (weight * weight).sum()
    step(x)
    with pytest.raises(GraphError, match="multiply"):
        y.backward()


WEIGHT = np.ones((2, 2), np.float32)
REFUSED = {
    "reads a number": lambda x: x.sum().item(),
    "copies an array to the CPU": lambda x: x.numpy(),
    "copies an array of the CPU": lambda x: x + mg.tensor(WEIGHT, device=DEVICE),
    "by the device's library|cuBLAS|capture": lambda x: mg.matmul(mg.stack([x, x]), mg.stack([x, x])),
    "adds to .grad by backward": lambda x: mg.Tensor(x.data, True).sum().backward(),
    "makes the state of Adam": lambda x: optim.Adam([mg.Tensor(x.data, True)]).step([x.data]),
    "cannot be captured within another": lambda x: Graph(lambda: x + 1, x.data),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_a_replay_cannot_do_is_refused(words):
    x = on_device(WEIGHT)
    with pytest.raises(DeviceError, match=words):
        Graph(lambda: REFUSED[words](mg.Tensor(x)), x)
    assert plain(mg.tensor(WEIGHT, device=DEVICE).data + x).sum() == 8  # and nothing is captured any more


@sim_only
def test_asking_whether_an_array_is_true_is_refused():
    x = on_device(np.ones(1))
    with pytest.raises(DeviceError, match="is true"):
        Graph(lambda: 1 if x > 0 else 0, x)


ARGUMENTS = {
    "none": (),
    "a number": (on_device(np.ones(2)), 0.5),
    "two devices": (on_device(np.ones(2)), np.ones(2)),
    "one without dimensions": (np.array(2.0), on_device(np.ones(2))),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_all_arguments_are_arrays_on_one_device(name):
    @mg.captured
    def first(*arrays):
        return arrays[0]

    with pytest.raises(DeviceError, match=r"first: .*one or more Tensors or arrays, all on its own device"):
        first(*ARGUMENTS[name])


def test_a_first_call_that_fails_is_no_first_call():
    weight, fails = mg.tensor(np.ones(2, np.float32), requires_grad=True, device=DEVICE), [True]
    optimiser = optim.Adam([weight], lr=0.1)

    @mg.captured
    def step(x):
        if fails.pop() if fails else False:
            raise ValueError("not yet")
        optimiser.step([x.data])
        return x

    x = on_device(np.ones(2, np.float32))
    with pytest.raises(ValueError, match="not yet"):
        step(x)
    step(x), step(x)
    assert optimiser.steps == 2


def test_a_schedule_within_a_step_goes_on():
    found = []
    for capture in (False, True):
        weight = mg.tensor(np.zeros(1, np.float32), requires_grad=True, device=DEVICE)
        optimiser = optim.SGD([weight], lr=1.0)
        schedule = optim.Schedule(optimiser, optim.exponential(0.5))

        def run(x, optimiser=optimiser, schedule=schedule):
            optimiser.step([x.data])
            schedule.step()
            return x

        step = mg.captured(run) if capture else run
        for _ in range(5):
            step(mg.tensor(np.ones(1, np.float32), device=DEVICE))
        found.append((weight.item(), schedule.count, optimiser.groups[0]["lr"]))
    assert found[0] == found[1] == (-1.9375, 5, 0.5**5)


def test_a_state_that_is_loaded_is_that_of_the_next_replay():
    weight = mg.tensor(np.ones(2, np.float32), requires_grad=True, device=DEVICE)
    optimiser = optim.Adam([weight], lr=0.1)
    step = mg.captured(lambda x: optimiser.step([x.data]))
    gradients = [on_device(np.array([i, 1], np.float32)) for i in range(5)]
    for gradient in gradients[:3]:
        step(gradient)
    saved, at = optimiser.state_dict(), plain(weight.data)
    step(gradients[3])
    expected = plain(weight.data)
    step(gradients[4])
    optimiser.load_state_dict(saved)
    weight.data[...] = on_device(at)
    step(gradients[3])
    np.testing.assert_array_equal(plain(weight.data), expected)
    assert optimiser.steps == optimiser.state[0]["step"] == 4


def test_a_seed_reaches_what_a_captured_step_draws():
    drop = nn.Dropout(0.5)
    step, x = mg.captured(drop), on_device(np.ones(64, np.float32))
    masks = []
    for _ in range(4):
        mg.seed(5)
        masks.append(plain(step(x).data).tobytes())
    assert len(set(masks)) == 1
    assert plain(step(x).data).tobytes() != masks[0]


def test_each_precision_is_captured_by_itself():
    w = on_device(np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32))
    step = mg.captured(lambda x: mg.matmul(x, w))
    exact = [plain(step(w).data) for _ in range(2)][-1]
    with mg.precision("bf16"):
        rounded = [plain(step(w).data) for _ in range(3)]
    np.testing.assert_array_equal(rounded[0], rounded[2])
    assert (rounded[0] != exact).any()
    np.testing.assert_array_equal(plain(step(w).data), exact)


def test_many_arrays_are_joined():
    parts = [on_device(np.full((2, 3), i, np.float32)) for i in range(21)]
    joined = mg.concatenate([*parts], axis=1)
    np.testing.assert_array_equal(plain(joined), np.concatenate([plain(part) for part in parts], axis=1))


@sim_only
def test_what_no_gpu_joins_with_a_table_of_addresses(monkeypatch):
    seen = []
    monkeypatch.setattr(
        np, "concatenate", lambda xs, axis=0, join=np.concatenate: (seen.append(len(xs)), join(xs, axis))[1]
    )
    mg.concatenate([on_device(np.ones((1, 2))) for _ in range(70)])
    assert max(seen) == 8
    assert len(seen) == 9 + 2 + 1


def test_gradients_are_clipped_by_their_norm():
    gradients = [np.arange(6, dtype=np.float32), np.full(3, 2, np.float32)]
    there = [on_device(g) for g in gradients]
    norm = np.sqrt(sum(np.square(g).sum() for g in gradients))
    assert optim.clip_gradient_norm(there, 1.0) == pytest.approx(norm)
    for ours, g in zip(there, gradients, strict=True):
        np.testing.assert_allclose(plain(ours), g / norm, rtol=1e-6)


@sim_only
def test_gradients_that_nobody_else_holds_are_not_copied(monkeypatch):
    """One copy less for each parameter of a network, which on a GPU is a launch."""
    weights = [mg.tensor(np.ones((3, 3), np.float32), requires_grad=True, device=DEVICE) for _ in range(2)]
    x = mg.tensor(np.ones((2, 3), np.float32), device=DEVICE)
    y = mg.matmul(mg.matmul(x, weights[0]), weights[1])
    loss, kind, copies = (y * y).sum(), type(x.data), []
    copy = kind.astype
    monkeypatch.setattr(kind, "astype", lambda self, *how, **more: (copies.append(1), copy(self, *how, **more))[1])
    gradients = mg.grad(loss, weights)
    assert copies == []
    assert not np.may_share_memory(*map(np.asarray, gradients))


def test_more_numbers_than_there_is_room_for_are_refused():
    x = on_device(np.ones(2))
    with pytest.raises(DeviceError, match=str(ROOM)):
        Graph(lambda: supplied(lambda: [0], ROOM, np.float64, x), x)


def test_outside_of_a_captured_step_numbers_are_there_at_once():
    like = on_device(np.ones(2))
    np.testing.assert_array_equal(plain(supplied(lambda: (1, 2), 2, np.float32, like)), np.array([1, 2], np.float32))
    assert SIMULATED or DEVICE == "cuda"
