"""The formula in an optimiser's docstring, run as it stands, is what the optimiser computes."""

import re
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg

CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("RMSprop", {"decay": 0.8, "eps": 1e-3}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    ("AdamW", {"betas": (0.5, 0.9), "eps": 1e-3}),
]


def formula_of(optimiser):
    (code,) = re.findall(r":\n\n((?: {8}.*\n)+)", optimiser.__doc__)
    return compile(textwrap.dedent(code), f"{optimiser.__name__}.__doc__", "exec")


@pytest.mark.parametrize(("name", "settings"), CASES)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1]), st.integers(1, 4))
def test_the_formula_is_what_is_computed(name, settings, seed, weight_decay, steps):
    rng = np.random.default_rng(seed)
    optimiser, start = getattr(mg.optim, name), rng.standard_normal(5)
    parameter = mg.tensor(start, requires_grad=True)
    run = optimiser([parameter], lr=0.1, weight_decay=weight_decay, **settings)
    known = {**run.groups[0], "p": start, "m": 0, "v": 0, "s": 0, "sqrt": np.sqrt}
    if "betas" in known:
        known["beta1"], known["beta2"] = known["betas"]
    for t in range(1, steps + 1):
        gradient = rng.standard_normal(5)
        run.step([gradient])
        known |= {"g": gradient, "t": t}
        exec(formula_of(optimiser), known)
        np.testing.assert_allclose(parameter.numpy(), known["p"], rtol=1e-9, atol=1e-12)
