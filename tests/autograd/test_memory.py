"""Memory is free as soon as nothing refers to it, without the garbage collector; depth and threads do no harm."""

import gc
import subprocess
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import minigan as mg
from minigan.autograd import memory


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf(*shape):
    return mg.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)


def network(x, w):
    h = mg.leaky_relu(x @ w, slope=0.2)
    h = mg.layer_norm(h, w[0], w[1])
    y, _, _ = mg.batch_norm(h, w[2], w[3])
    return mg.logsumexp(mg.concatenate([y, mg.tanh(h)], axis=1), axis=1).mean()


def refused(y):
    with pytest.raises(mg.GraphError):
        mg.grad(y, leaf(1))


STEPS = {
    "a forward pass": lambda x, w: network(x, w),
    "a backward pass": lambda x, w: network(x, w).backward(),
    "a gradient": lambda x, w: mg.grad(network(x, w), [x, w]),
    "a gradient of a gradient": lambda x, w: mg.square(mg.grad(network(x, w), x, create_graph=True)).sum().backward(),
    "a graph that is retained": lambda x, w: network(x, w).backward(retain_graph=True),
    "a segment computed again": lambda x, w: mg.recompute(network, x, w).backward(),
    "an error in a backward pass": lambda x, w: refused(network(x, w)),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_memory_returns_to_its_base(no_collector, step):
    x, w = leaf(64, 32), leaf(32, 32)
    for _ in range(2):
        step(x, w)
        x.grad = w.grad = None
    gc.collect()
    tracemalloc.start()
    base = tracemalloc.get_traced_memory()[0]
    for _ in range(3):
        step(x, w)
        x.grad = w.grad = None
    cycles = gc.collect()  # it also empties the interpreter's lists of freed objects, which count as memory in use
    left = tracemalloc.get_traced_memory()[0] - base
    tracemalloc.stop()
    assert not cycles
    assert left < x.data.nbytes / 8, f"{left} bytes are left over"


def test_no_cycle_keeps_a_result_alive(no_collector):
    x = leaf(3)
    y = mg.exp(x) * x
    node, data = weakref.ref(y), weakref.ref(y.data)
    del y
    assert node() is None
    assert data() is None


def test_backward_frees_what_was_saved(no_collector):
    x = leaf(3)
    h = mg.exp(x)
    saved = weakref.ref(h.data)
    y = (h * h).sum()
    del h
    assert saved() is not None
    y.backward()
    assert saved() is None


def test_retained_values_stay(no_collector):
    x = leaf(3)
    h = mg.exp(x)
    saved = weakref.ref(h.data)
    y = (h * h).sum()
    del h
    y.backward(retain_graph=True)
    assert saved() is not None


def test_large_values_that_no_rule_reads_are_not_kept(no_collector):
    x = leaf(memory.LARGE)
    h = x + 1.0
    saved = weakref.ref(h.data)
    y = h.reshape(2, -1).sum()
    del h
    assert saved() is None
    assert np.array_equal(mg.grad(y, x), np.ones(x.shape))


def test_a_gradient_passes_through_dropped_values_at_every_order(no_collector):
    x = leaf(memory.LARGE)
    z = x + x  # dropped, and yet a value that gradients are asked for
    y = mg.square(z * 1.0 + 1.0).sum()
    gz = mg.grad(y, z, create_graph=True)
    assert np.allclose(gz.data, 2 * (z.data + 1))
    assert np.allclose(mg.grad(gz.sum(), z, retain_graph=True), 2)
    assert np.allclose(mg.grad(gz.sum(), x), 4)


def test_a_long_chain_neither_recurses_nor_crashes_when_freed():
    # in a process of its own: a crash would take the other tests with it
    program = """
import numpy as np, minigan as mg
x = mg.tensor(np.ones(1), requires_grad=True)
y = x
for _ in range(100_000):
    y = y + 1.0
assert mg.grad(y, x, retain_graph=True) == 1
g = mg.grad(y * y, x, create_graph=True)
del y, g
y = x
for _ in range(100_000):
    y = y * 1.0
y.sum().backward()
assert x.grad == 1
y = x
for _ in range(100_000):
    y = -y
del y
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, (run.returncode, run.stderr[-2000:])


def test_threads_differentiate_graphs_of_their_own():
    failures, start = [], threading.Barrier(4)

    def work(number):
        rng = np.random.default_rng(number)
        start.wait()
        for _ in range(50):
            x = mg.tensor(rng.standard_normal((8, 8)), requires_grad=True)
            g = mg.grad(mg.square(mg.tanh(x @ x)).sum(), x, create_graph=True)
            mg.square(g).sum().backward()
            expected = x.grad
            x.grad = None
            mg.square(mg.grad(mg.square(mg.tanh(x @ x)).sum(), x, create_graph=True)).sum().backward()
            if not np.array_equal(x.grad, expected):
                failures.append(number)
            with mg.no_grad():
                x -= 0.1 * x.grad

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_no_grad_is_of_its_own_thread():
    seen = {}

    def work():
        seen["recording"] = mg.is_recording()

    with mg.no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == {"recording": True}


def test_results_are_free_as_soon_as_their_rule_has_run(no_collector):
    alive, results = [], []

    @mg.primitive
    def first(x):
        return x.copy()

    @first.vjp(0)
    def _(g, y, x):
        alive.append(sum(result() is not None for result in results))
        return g

    x = leaf(100, 100)
    y = first(x)
    for _ in range(4):
        y = mg.tanh(y)
        results.append(weakref.ref(y.data))
    y = y.sum()
    mg.grad(y, x)
    assert alive == [0]


def test_gradients_that_nobody_else_holds_are_not_copied():
    made = []

    @mg.primitive
    def twice(x):
        return 2 * x

    @twice.vjp(0)
    def _(g, y, x):
        part = 2 * np.ravel(g)
        made.append(part.ctypes.data)
        return part.reshape(x.shape)  # a view, whose base only it knows

    x, other = leaf(3, 4), leaf(3, 4)
    gradients = mg.grad((twice(x) * twice(other)).sum(), [x, other])
    assert sorted(np.asarray(g).ctypes.data for g in gradients) == sorted(made)


def test_gradients_that_somebody_else_holds_are_copied():
    kept = []

    @mg.primitive
    def same(x):
        return 1 * x

    @same.vjp(0)
    def _(g, y, x):
        kept.append(g)
        return g

    x = leaf(3)
    (gradient,) = mg.grad(same(x).sum(), [x])
    assert not np.shares_memory(np.asarray(gradient), kept[0])
