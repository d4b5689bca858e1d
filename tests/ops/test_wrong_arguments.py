"""Whatever a public function is called with, it works or raises an error of minigan's."""

import inspect
import random
import re
import warnings

import numpy as np
import pytest

import minigan as mg
from minigan import nn, optim

OPERATIONS = {name: getattr(mg, name) for name in mg.ops.__all__ if name != "methods"}
OPERATIONS |= {name: getattr(mg, name) for name in ("grad", "backward", "value_and_grad", "tensor", "recompute")}
LAYERS = {f"nn.{name}": getattr(nn, name) for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
SETTINGS = ("SGD", "Adam", "AdamW", "RMSprop", "linear", "cosine", "staircase", "clip_gradient_norm")
SETTINGS = {f"optim.{name}": getattr(optim, name) for name in (*SETTINGS, "clip_gradient_value")}
X = mg.tensor(np.ones((2, 3)), dtype=np.float32, requires_grad=True)
METHODS = ("sum", "mean", "max", "argmax", "reshape", "transpose", "squeeze", "astype", "to", "clip", "backward")
METHODS = {
    f"Tensor.{name}": getattr(X, name) for name in (*METHODS, "__getitem__", "__add__", "__matmul__", "__iadd__")
}

PYTHONS = re.compile(
    r"positional argument|keyword-only|unexpected keyword|multiple values|takes no arguments|arrays?( and .*)?, but got"
)


def pool():
    """Values that a function may be given by mistake, and some that it takes."""
    ones = [np.ones(shape, np.float32) for shape in [3, (2, 3), (1, 4, 4, 2), (3, 3, 2, 2), (0, 3)]]
    others = [np.ones((2, 3), dtype) for dtype in (int, bool, np.uint8, complex, np.float16)]
    odd = [np.array(1.0), np.float64(2), np.array(["a"]), np.array([None]), object(), {}, slice(None), [], [1.0, 2.0]]
    numbers = [None, -1, 0, 1, 2.5, float("nan"), 10**30, True, "same", "ij,jk->ik", (1, 2), (0,)]
    tensors = [mg.tensor([1.0, 2.0]), mg.tensor(2.0), mg.tensor([1, 0]), X, mg.Tensor([1.0]), [mg.tensor([1.0])]]
    return [*ones, *others, *odd, *numbers, *tensors]


@pytest.mark.parametrize("name", OPERATIONS | LAYERS | SETTINGS | METHODS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_errors_are_minigans_own(name):
    function = (OPERATIONS | LAYERS | SETTINGS | METHODS)[name]
    drawn = random.Random(name)
    try:
        keywords = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    except ValueError:
        keywords = []
    for _ in range(25):
        values = pool()
        args = [drawn.choice(values) for _ in range(drawn.randint(1, 4))]
        settings = {keyword: drawn.choice(values) for keyword in keywords if drawn.random() < 0.25}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function(*args, **settings)
        except mg.MiniganError:
            pass
        except TypeError as error:
            if not PYTHONS.search(str(error)):
                raise AssertionError(f"{name}(*{args}, **{settings}): {error}") from error


FOREIGN = [
    lambda: mg.relu(1.0),
    lambda: mg.softmax([1.0, 2.0]),
    lambda: mg.sum([1.0]),
    lambda: mg.mean([1.0]),
    lambda: mg.Tensor([1.0, 2.0]).shape,
    lambda: mg.binary_cross_entropy_with_logits(X, None),
    lambda: mg.tensor([1, 2], dtype=np.uint8) + 300,
    lambda: mg.group_norm(np.ones((2, 4)), np.ones(4), np.zeros(4), groups=0),
    lambda: mg.conv2d(np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1)), padding=np.array([1, 1])),
    lambda: mg.conv2d(np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1)), groups=0),
    lambda: nn.Conv2d(2, 2, 1, groups=0),
    lambda: nn.Linear("a", 2),
    lambda: nn.LayerNorm(2.5),
    lambda: optim.Adam([mg.Tensor(np.ones((3, 2), np.float32).T, True)]),
    lambda: optim.Adam([mg.Tensor(np.ones(2), True)], betas=0.9),
    lambda: optim.SGD(3, lr=1),
    lambda: optim.cosine(0),
    lambda: optim.linear(0),
    lambda: optim.staircase(0),
    lambda: optim.clip_gradient_norm(np.ones(3), 1.0),
    lambda: mg.add(X, X, where=np.zeros((2, 3), bool)),
    lambda: mg.grad(1.0, X),
    lambda: mg.grad(X.sum(), 1.0),
    lambda: mg.tensor([1.0]).to(3),
    lambda: mg.tensor([1, 2]).__itruediv__(2),
    lambda: mg.tensor([1.0]).__setitem__(5, 1.0),
    lambda: mg.tensor([1.0]).__setitem__(0, "a"),
    lambda: nn.Linear(2, 2)([1.0, 2.0]),
    lambda: nn.Sequential(nn.BatchNorm(2))(3.0),
    lambda: nn.Linear(2, 2).astype(int),
    *(lambda odd=odd: nn.Linear(2, 2).load_state_dict(odd) for odd in ([1], None, "words", 2.5, np.ones(2))),
    lambda: nn.BatchNorm(2).load_state_dict({"shift": np.ma.masked_array([1.0, 2.0], [0, 1])}, strict=False),
    *(lambda odd=odd: nn.BatchNorm(2, momentum=odd) for odd in (None, -0.1, 2.5, "0.1", float("nan"), 1j)),
    *(
        lambda layer=layer, odd=odd: layer(2, eps=odd)
        for layer in (nn.BatchNorm, nn.LayerNorm, nn.InstanceNorm)
        for odd in (None, -1, "1e-5", float("nan"), float("inf"))
    ),
    lambda: optim.Adam([X]).step([[1, 2, 3]]),
    lambda: optim.Adam([X]).step(3),
    lambda: mg.no_grad()(3),
    lambda: mg.recompute(lambda x: (x * 2, 3), X),
    lambda: mg.recompute(lambda x: (x * 2, x.numpy()), X),
]


@pytest.mark.parametrize("call", FOREIGN)
def test_what_was_a_foreign_error(call):
    with pytest.raises(mg.MiniganError):
        call()
