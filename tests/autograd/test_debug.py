"""trace_nans names the operation and the layer in which the first NaN appears."""

import numpy as np
import pytest

import minigan as mg
from minigan.autograd import graph
from minigan.debug import NanError, trace_nans


def leaf(*values):
    return mg.tensor(np.array(values), requires_grad=True)


class Root(mg.nn.Module):
    def forward(self, x):
        return mg.sqrt(x)


class Net(mg.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mg.nn.Sequential(mg.nn.ReLU(), Root())

    def forward(self, x):
        return self.body(x) * 2


def test_the_first_operation_forward_is_named_with_its_shapes():
    with (
        pytest.raises(NanError, match=r"^log, called with shapes \(2,\): 1 of 2 values are NaN.*none in its inputs"),
        trace_nans(),
    ):
        mg.exp(mg.log(leaf(1.0, -1.0))) * 2


def test_it_is_a_minigan_error_and_a_floating_point_error():
    assert issubclass(NanError, mg.MiniganError)
    assert issubclass(NanError, FloatingPointError)


def test_constants_are_looked_at_too():
    with pytest.raises(NanError, match=r"^log"), trace_nans(), mg.no_grad():
        mg.log(mg.tensor([-1.0]))


def test_a_nan_that_was_given_is_not_the_operations_fault():
    with trace_nans():
        y = (leaf(np.nan, 1.0) * 2).sum()
        y.backward()
    assert np.isnan(y.item())


def test_the_first_operation_backward_is_named():
    x = leaf(0.0, 1.0)
    with trace_nans():
        y = (mg.sqrt(x) * np.array([0.0, 1.0])).sum()  # 0 * inf in sqrt's rule
        with pytest.raises(NanError, match=r"^the gradient of sqrt, called with shapes \(2,\): 1 of 2"):
            y.backward()


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_with_and_without_a_graph_name_the_same_operation(create_graph):
    x = leaf(0.0, 1.0)
    with trace_nans():
        y = (mg.sqrt(x) * np.array([0.0, 1.0])).sum()
        with pytest.raises(NanError, match=r"^the gradient of sqrt"):
            mg.grad(y, x, create_graph=create_graph)


def test_a_nan_from_adding_gradients_up_is_found():
    x = leaf(1.0)
    with trace_nans():
        z = mg.exp(x)
        with pytest.raises(NanError, match=r"gradient of exp.*in the gradient that reaches its result"):
            mg.grad([z * np.inf, z * -np.inf], x, [np.ones(1), np.ones(1)])


def test_infinities_are_found_if_asked_for():
    with trace_nans():
        assert np.isinf(mg.exp(leaf(1e4)).item())
    with pytest.raises(NanError, match=r"^exp.*1 of 1 values are NaN or infinite"), trace_nans(inf=True):
        mg.exp(leaf(1e4))


def test_the_layer_is_named_by_its_path():
    net = mg.nn.Sequential(mg.nn.Tanh(), mg.nn.Sequential(Root()))
    with pytest.raises(NanError, match=r"^sqrt in Sequential\.1\.0 Root, called"), trace_nans():
        net(leaf(-1.0))


def test_the_layer_is_named_by_its_path_in_backward():
    net = Net()
    with trace_nans(generator=net):
        y = (net(leaf(0.0, 1.0)) * np.array([0.0, 1.0])).sum()
        with pytest.raises(NanError, match=r"^the gradient of sqrt in generator\.body\.1 Root, called"):
            y.backward()


def test_large_values_keep_their_layer():
    net = Net()
    x = mg.tensor(np.zeros(100_000), requires_grad=True)
    with trace_nans(generator=net):
        y = (net(x) * np.zeros(100_000)).sum()
        with pytest.raises(NanError, match=r"in generator\.body\.1 Root"):
            y.backward()


def test_recomputed_segments_are_traced():
    net = Net()
    x = leaf(0.0, 1.0)
    with trace_nans(generator=net):
        y = (mg.recompute(net, x) * np.array([0.0, 1.0])).sum()
        with pytest.raises(NanError, match=r"^the gradient of sqrt in generator\.body\.1 Root"):
            y.backward()


def test_tracing_ends_with_the_block_also_after_an_error():
    with pytest.raises(NanError), trace_nans():
        mg.log(leaf(-1.0))
    assert graph.watch is None
    with np.errstate(invalid="ignore"):
        assert np.isnan(mg.log(leaf(-1.0)).item())


def test_numpys_warnings_are_back_afterwards():
    with trace_nans():
        mg.exp(leaf(1e4))
    with pytest.warns(RuntimeWarning, match=r"overflow"):
        mg.exp(leaf(1e4))


def test_tracing_changes_no_result():
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((4, 3)), requires_grad=True)
    f = lambda: mg.grad(mg.log_softmax(mg.tanh(x @ x.T)).var(), x)  # noqa: E731
    plain = f()
    with trace_nans():
        assert np.array_equal(f(), plain)
