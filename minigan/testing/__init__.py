"""Check operations: gradients against central differences, adjoints by inner products.

    from minigan.testing import check_grads

    def test_cube():
        check_grads(cube, [np.array([1.0, -2.0])], order=3)

The hypothesis strategies (`arrays`, `broadcastable_shapes`, `conv_cases`, `pool_cases`) are imported when first used.
"""

from minigan.testing.gradients import check_adjoint, check_grads, inner

_STRATEGIES = ("ConvCase", "arrays", "broadcastable_shapes", "conv_cases", "pool_cases", "shapes")

__all__ = ["check_adjoint", "check_grads", "inner", *_STRATEGIES]


def __getattr__(name):
    if name in _STRATEGIES:
        from minigan.testing import strategies

        return getattr(strategies, name)
    raise AttributeError(f"module 'minigan.testing' has no attribute {name!r}")
