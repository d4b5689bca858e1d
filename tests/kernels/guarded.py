"""Every kernel on arrays between protected pages, its scratch memory included: `python guarded.py begin` or `end`.

Results are compared with the reference's: new memory is NaN, so a kernel that reads what nobody wrote shows too.
"""

import faulthandler
import os
import sys
import traceback

import numpy as np
from geometries import DTYPES, algorithm_geometries, window_geometries
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from protected import make_read_only, protect_new_arrays

from minigan.kernels import cpu, reference
from minigan.kernels.cpu import conv, products, reduce
from minigan.kernels.cpu.conv import winograd
from minigan.kernels.cpu.runtime import threads
from minigan.kernels.cpu.runtime.vectors import BITS

EXPLORE = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
FEW = st.sampled_from([1, 2, 3, 5, 8, 15, 16, 17, 33])
SIZES = st.sampled_from([1, 3, 8, 31, 64, 100, 129])
SLOPES = st.sampled_from([0.0, 0.2, 1.0])
TABLES = st.tuples(st.sampled_from([1, 2, 7, 65, 700]), st.sampled_from([1, 3, 16, 64, 300, 513]))
BLOCKS = st.sampled_from([(1, 700, 1), (2, 33, 1), (3, 70, 5), (1, 9, 2100), (40, 3, 2), (2, 2100, 2, 3), (5, 1, 7)])
LISTS = st.lists(st.lists(st.integers(0, 40), max_size=3).map(tuple), min_size=1, max_size=3)
SEED = st.integers(0, 2**32)


def by(algorithm):
    return algorithm_geometries(algorithm, images=st.integers(0, 2), channels=FEW)


# name -> (strategy of a case, shapes of its arrays, call of the implementation with the case and the arrays)
CALLS = {
    "im2col": (window_geometries(), lambda g: [g.image], lambda k, g, x: k.im2col(x, g)),
    "col2im": (window_geometries(), lambda g: [g.columns], lambda k, g, columns: k.col2im(columns, g)),
    "max_pool_indices": (window_geometries(), lambda g: [g.image], lambda k, g, x: k.max_pool_indices(x, g)),
    "pool_gather": (
        window_geometries(),
        lambda g: [g.image],
        lambda k, g, x: k.pool_gather(x, reference.max_pool_indices(x, g), g),
    ),
    "pool_scatter": (
        window_geometries(),
        lambda g: [g.image, g.features],
        lambda k, g, x, y: k.pool_scatter(y, reference.max_pool_indices(x, g), g),
    ),
    "window_sum": (window_geometries(), lambda g: [g.image], lambda k, g, x: k.window_sum(x, g)),
    "window_spread": (window_geometries(), lambda g: [g.features], lambda k, g, y: k.window_spread(y, g)),
    "matmul": (
        st.tuples(SIZES, st.sampled_from([1, 3, 64, 513]), SIZES, st.booleans(), st.booleans(), SLOPES),
        lambda c: [(c[1], c[0]) if c[3] else c[:2], (c[2], c[1]) if c[4] else c[1:3], c[2:3]],
        lambda k, c, a, b, bias: k.matmul(a.T if c[3] else a, b.T if c[4] else b, bias, c[5]),
    ),
    "batch_norm": (
        st.tuples(TABLES, SLOPES),
        lambda c: [c[0], c[0][1:], c[0][1:]],
        lambda k, c, x, scale, shift: k.batch_norm(x, scale, shift, 1e-2, c[1]),
    ),
    "batch_norm_vjp": (
        st.tuples(TABLES, SLOPES),
        lambda c: [c[0], c[0], c[0][1:], c[0][1:]],
        lambda k, c, g, x, scale, shift: k.batch_norm_vjp(
            g, x, scale, shift, *reference.batch_norm(x, scale, shift, 1e-2)[1:], c[1]
        ),
    ),
    "bias_sum": (TABLES, lambda c: [c], lambda k, c, g: k.bias_sum(g)),
    "sum_over": (BLOCKS, lambda c: [c], lambda k, c, x: k.sum_over(x, (1, *range(3, len(c))))),
    "moments_over": (BLOCKS, lambda c: [c], lambda k, c, x: k.moments_over(x, (1, *range(3, len(c))))),
    "leaky_relu": (st.tuples(TABLES, SLOPES), lambda c: [c[0]], lambda k, c, x: k.leaky_relu(x, c[1])),
    "leaky_relu_vjp": (
        st.tuples(TABLES, SLOPES),
        lambda c: [c[0], c[0]],
        lambda k, c, g, x: k.leaky_relu_vjp(g, x, c[1]),
    ),
    "leaky_relu_vjp_sum": (
        st.tuples(TABLES, SLOPES),
        lambda c: [c[0], c[0]],
        lambda k, c, g, x: k.leaky_relu_vjp_sum(g, x, c[1]),
    ),
    "tanh_vjp": (TABLES, lambda c: [c, c], lambda k, c, g, y: k.tanh_vjp(g, y)),
    "segment_sum": (
        st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 20), SEED),
        lambda c: [c[:2]],
        lambda k, c, rows: k.segment_sum(rows, np.random.default_rng(c[3]).integers(0, c[2], c[0]), c[2]),
    ),
    "binary_cross_entropy_sum": (TABLES, lambda c: [c, c], lambda k, c, *both: k.binary_cross_entropy_sum(*both)),
    "binary_cross_entropy_excess": (TABLES, lambda c: [c, c], lambda k, c, *both: k.binary_cross_entropy_excess(*both)),
    "standard_normal": (st.tuples(st.integers(0, 300), SEED), lambda c: [], lambda k, c: drawn(k.standard_normal, *c)),
    "uniform": (st.tuples(st.integers(0, 300), SEED), lambda c: [], lambda k, c: drawn(k.uniform, *c)),
}
for algorithm in conv.ALGORITHMS:
    how = {"algorithm": algorithm}
    CALLS |= {
        f"conv2d by {algorithm}": (
            st.tuples(by(algorithm), SLOPES),
            lambda c: [c[0].image, c[0].weight, (c[0].K,)],
            lambda k, c, x, w, bias, how=how: k.conv2d(x, w, c[0], bias, c[1], **how),
        ),
        f"conv2d_transpose by {algorithm}": (
            by(algorithm),
            lambda g: [g.features, g.weight, (g.C,)],
            lambda k, g, y, w, bias, how=how: k.conv2d_transpose(y, w, g, bias, **how),
        ),
        f"conv2d_weight by {algorithm}": (
            by(algorithm),
            lambda g: [g.image, g.features],
            lambda k, g, x, y, how=how: k.conv2d_weight(x, y, g, **how),
        ),
    }
UPDATES = {  # how many states there are beside the parameters, and the call
    "sgd_update": (1, lambda k, ps, gs, v: k.sgd_update(ps, gs, v, 0.1, 0.9, True, 0.01)),
    "rmsprop_update": (1, lambda k, ps, gs, v: k.rmsprop_update(ps, gs, v, 0.1, 0.9, 1e-8, 0.01)),
    "adam_update": (2, lambda k, ps, gs, m, v: k.adam_update(ps, gs, m, v, 0.1, 0.5, 0.9, 1e-8, 0.01, False, 3)),
}


def drawn(fill, size, key):
    out = np.empty(size, np.float32)
    fill(out, key, key)
    return out


def updated(k, call, lists):
    ps, gs, *states = [[array.copy() for array in some] for some in lists]
    make_read_only(*gs)
    call(k, ps, gs, *states)
    return [array for some in (ps, *states) for array in some]


def near(actual, expected, dtype):
    """Equal up to the rounding of the coarsest algorithm; other tests hold each to what it can do."""
    some = actual if isinstance(actual, tuple | list) else [actual]
    for one, other in zip(some, expected if isinstance(expected, tuple | list) else [expected], strict=True):
        rounding = 1e-3 if np.float32 in (dtype, one.dtype) else 1e-10
        np.testing.assert_allclose(one, other, rtol=rounding, atol=rounding * max(np.abs(other).max(initial=1), 1))


def checks_of(name):
    return lambda case, dtype, seed: check(name, case, dtype, seed)


def check(name, case, dtype, seed):
    print(f"{name} {np.dtype(dtype)} {case}", flush=True)
    rng = np.random.default_rng(seed)
    if name in UPDATES:
        states, call = UPDATES[name]
        lists = [[np.array(np.abs(rng.standard_normal(shape)), dtype) for shape in case] for _ in range(2 + states)]
        near(updated(cpu, call, lists), updated(reference, call, lists), dtype)
        return
    _, shapes, call = CALLS[name]
    inputs = [np.array(rng.standard_normal(shape), dtype) for shape in shapes(case)]
    make_read_only(*inputs)
    near(call(cpu, case, *inputs), call(reference, case, *inputs), dtype)


class Forgetful(dict):
    """Buffers that are not found again: each use has new memory, of its own size."""

    def get(self, name):
        return None


def make_exact(missing):
    """Let all memory that kernels ask for be as large as they need, and small work take the way of large work.

    missing: elements by which the scratch memory of a thread is too small
    """
    round_up = threads.round_up

    def exact(shape, dtype):
        if dtype == np.uint8 and BITS == 512:  # scratch memory: what is written past the caches is whole vectors
            shape = round_up(*shape, 64)
        return np.empty(shape, dtype)

    threads.aligned = exact
    threads.round_up = lambda size, multiple: size - missing
    threads._kept.buffers = Forgetful()
    products.SMALL, reduce.SMALL, winograd.SLAB = 0, 0, 1 << 16
    threads.set_threads(1)


def main(side, scratch="exact"):
    faulthandler.enable()
    without_case = {*cpu.__all__} - {name.split()[0] for name in (*CALLS, *UPDATES)}
    assert without_case == {"get_threads", "set_threads"}
    protect_new_arrays(at_end=side == "end")
    make_exact(missing=1 if scratch == "short" else 0)
    how = settings(
        max_examples=200 if EXPLORE else 12,
        phases=[Phase.generate],
        derandomize=not EXPLORE,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    status = 1
    try:
        for name in (*CALLS, *UPDATES):
            cases = CALLS[name][0] if name in CALLS else LISTS
            how(given(cases, DTYPES, SEED)(checks_of(name)))()
        print("all were right", flush=True)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)  # Python would free arrays after the functions that free them


if __name__ == "__main__":
    main(*sys.argv[1:])
