"""What layers do beyond the operation they call: modes, running statistics, sizes, and words for what is wrong."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.errors import ShapeError


def images(*shape, dtype=np.float32):
    return mg.tensor(np.random.default_rng(0).standard_normal(shape).astype(dtype))


def test_batch_norm_keeps_the_unbiased_variance_and_uses_it():
    norm, x = nn.BatchNorm(3, momentum=0.25), images(4, 2, 2, 3)
    norm(x)
    rows = x.numpy().reshape(-1, 3)
    mean, variance = 0.25 * rows.mean(0), 0.75 + 0.25 * rows.var(0, ddof=1)
    np.testing.assert_allclose(norm.running_mean.numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(norm.running_variance.numpy(), variance, rtol=1e-5)
    norm.eval()
    expected = (x.numpy() - mean) / np.sqrt(variance + norm.eps)
    np.testing.assert_allclose(norm(x).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2)])
@pytest.mark.parametrize("training", [True, False])
def test_in_a_sequential_batch_norm_and_its_activation_are_one_pass_with_the_same_result(activation, training):
    x = images(4, 3, 3, 5, dtype=np.float64)
    together = nn.Sequential(nn.BatchNorm(5), activation).astype(np.float64).train(training)
    apart = nn.BatchNorm(5).astype(np.float64).train(training)
    y = together(x)
    np.testing.assert_allclose(y.numpy(), activation(apart(x)).numpy(), rtol=1e-12, atol=1e-12)
    assert y.node.op.__name__ == ("batch_norm" if training else "leaky_relu")
    for (_, a), (_, b) in zip(together.named_buffers(), apart.named_buffers(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2)])
@pytest.mark.parametrize("bias", [True, False])
def test_in_a_sequential_a_dense_layer_and_its_activation_are_one_pass_with_the_same_result(activation, bias):
    x, layer = images(4, 3, 5, dtype=np.float64), nn.Linear(5, 6, bias=bias).astype(np.float64)
    y = nn.Sequential(layer, activation)(x)
    np.testing.assert_allclose(y.numpy(), activation(layer(x)).numpy(), rtol=1e-12)
    assert y.node.op.__name__ == "activated_linear"
    assert nn.Sequential(layer, nn.Tanh())(x).node.args[0].node.op.__name__ == "linear"


def test_batch_norm_in_use_changes_nothing():
    norm = nn.BatchNorm(3).eval()
    before = norm.state_dict()
    norm(images(4, 3))
    assert all(np.array_equal(before[name], array) for name, array in norm.state_dict().items())


def test_conditional_batch_norm_wants_a_label_for_each_sample():
    norm = nn.ConditionalBatchNorm(2, 3)
    with pytest.raises(ShapeError, match=r"shape \(4, 3\) and labels \(3,\); each sample has one"):
        norm(images(4, 3), np.zeros(3, np.int64))
    with pytest.raises(ShapeError, match="indices go from 2 to 2"):
        norm(images(4, 3), np.full(4, 2))


NORMS = {
    "batch norm": lambda: nn.BatchNorm(3),
    "conditional batch norm": lambda: nn.ConditionalBatchNorm(2, 3),
    "layer norm": lambda: nn.LayerNorm(3),
    "group norm": lambda: nn.GroupNorm(3, 3),
    "instance norm": lambda: nn.InstanceNorm(3),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_norms_take_plain_arrays_as_tensors(name, training):
    x = np.random.default_rng(0).standard_normal((4, 2, 2, 3)).astype(np.float32)
    labels = (np.array([0, 1, 1, 0]),) if "conditional" in name else ()
    layer = NORMS[name]().train(training)
    plain = layer(x, *labels)
    assert np.array_equal(plain.numpy(), NORMS[name]().train(training)(mg.tensor(x), *labels).numpy())
    assert mg.grad(plain.sum(), layer.shift).shape == layer.shift.shape


def test_batch_norm_refuses_one_value_a_channel():
    with pytest.raises(ShapeError, match=r"shape \(1, 3\), one value a channel, which has no variance"):
        nn.BatchNorm(3)(images(1, 3))


def test_a_recomputed_batch_norm_updates_its_statistics_once():
    plain, again = nn.BatchNorm(3), nn.BatchNorm(3)
    x = images(6, 3)
    x.requires_grad = True
    plain(x).sum().backward()
    mg.recompute(again, x).sum().backward()
    assert np.array_equal(plain.running_mean.numpy(), again.running_mean.numpy())


def test_dropout_drops_in_training_only_and_keeps_the_mean():
    drop, x = nn.Dropout(0.25, rng=np.random.default_rng(0)), mg.tensor(np.ones((100, 100), np.float32))
    y = drop(x).numpy()
    assert np.mean(y == 0) == pytest.approx(0.25, abs=0.02)
    assert y.mean() == pytest.approx(1, abs=0.03)
    assert drop.eval()(x) is x


@pytest.mark.parametrize("size", [(7, 7), (8, 7), (8, 8)])
def test_a_transposed_layer_is_asked_for_any_possible_size(size):
    layer = nn.ConvTranspose2d(5, 2, 3, stride=2, padding=1)
    y = layer(images(1, 4, 4, 5), size)
    assert y.shape == (1, *size, 2)
    assert layer(images(1, 4, 4, 5)).shape == (1, 7, 7, 2)


def test_same_padding_doubles_with_stride_two():
    assert nn.ConvTranspose2d(5, 2, 5, stride=2, padding="same")(images(1, 4, 4, 5)).shape == (1, 8, 8, 2)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: nn.Linear(3, 2), (4, 5), r"Linear: x has shape \(4, 5\), but the last axis must be 3"),
        (
            lambda: nn.Conv2d(3, 2, 3),
            (1, 8, 8, 1),
            r"conv2d: x has 1 channels \(shape \(1, 8, 8, 1\)\), but w expects 3",
        ),
        (lambda: nn.ConvTranspose2d(3, 2, 3), (1, 8, 8, 1), "conv2d_transpose: y has 1 channels"),
        (lambda: nn.BatchNorm(3), (4, 5), "BatchNorm: x has shape"),
        (
            lambda: nn.Reshape(2, 2),
            (4, 5),
            r"a sample has shape \(5,\), which does not fill \(2, 2\) \(5 values for 4\)",
        ),
        (lambda: nn.GroupNorm(2, 4), (1, 2, 2, 6), "group_norm: x has shape"),
        (lambda: nn.LayerNorm(4), (2, 5), "layer_norm: x has shape"),
    ],
)
def test_inputs_that_do_not_fit_are_named_with_their_shapes(make, shape, message):
    with pytest.raises(ShapeError, match=message):
        make()(images(*shape))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "2 groups do not divide 3 inputs and 4 outputs"),
        (lambda: nn.GroupNorm(3, 4), "3 groups do not divide 4 channels"),
        (lambda: nn.Dropout(1.0), "from 0 to below 1"),
        (lambda: nn.Conv2d(1, 1, 0), "kernel_size is 0"),
        (lambda: nn.Conv2d(1, 1, 3, padding="sane")(images(1, 4, 4, 1)), "'same' and 'valid'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


def test_embedding_rejects_rows_it_does_not_have():
    with pytest.raises(ShapeError, match="rows 0 to 3"):
        nn.Embedding(4, 2)(np.array([0, 4]))


def test_weights_come_from_the_seed_and_not_from_what_else_is_drawn():
    mg.seed(3)
    first = nn.Linear(4, 4)
    mg.seed(3)
    mg.random.stream("dropout").random(10)
    second = nn.Linear(4, 4)
    third = nn.Linear(4, 4)
    assert np.array_equal(first.weight.numpy(), second.weight.numpy())
    assert not np.array_equal(second.weight.numpy(), third.weight.numpy())


def test_an_unpooling_layer_undoes_the_pooling_layer_of_the_same_arguments():
    x = images(2, 7, 6, 3)
    how = {"stride": 2, "padding": (1, 0)}
    y, indices = nn.MaxPool2d(3, with_indices=True, **how)(x)
    assert np.array_equal(y.numpy(), nn.MaxPool2d(3, **how)(x).numpy())
    back = nn.MaxUnpool2d(3, **how)(y, indices, x.shape[1:3]).numpy()
    assert np.array_equal(back, mg.max_unpool2d(y, indices, 3, output_size=(7, 6), **how).numpy())
    assert repr(nn.MaxUnpool2d(2)).startswith("MaxUnpool2d(2, stride=2, padding=0)")
