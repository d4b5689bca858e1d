"""Every operation on a device (simulated.py says which): values and gradients are the CPU's, and stay on the device."""

import numpy as np
import pytest
from simulated import DEVICE

import minigan as mg
from minigan import ops
from minigan.devices import device_of, to_cpu

RNG = np.random.default_rng(0)


def array(*shape, positive=False):
    values = RNG.standard_normal(shape)
    return (np.abs(values) + 0.5 if positive else values).astype(np.float32)


X, Y, POSITIVE = array(3, 4), array(3, 4), array(3, 4, positive=True)
IMAGES, KERNELS, FEATURES = array(2, 6, 5, 4), array(3, 3, 4, 2), array(2, 6, 5, 2)
CHANNELS = array(4), array(4)
LABELS = np.array([0, 3, 1])
SAME, HALVED, FULL = {"padding": "same"}, {"stride": 2, "padding": 1}, {"output_size": (6, 5)}

CASES = {  # name -> (operation, its arrays: those of floats have gradients)
    "abs": (mg.abs, X),
    "add": (mg.add, X, Y),
    "argmax": (lambda x: x * mg.argmax(x, axis=1).reshape(3, 1).astype(np.float32), X),
    "activated_conv2d": (lambda x, w: mg.activated_conv2d(x, w, slope=0.2, **SAME), IMAGES, KERNELS),
    "activated_linear": (lambda x, w, b: mg.activated_linear(x, w, b, slope=0.2), X, array(4, 5), array(5)),
    "avg_pool2d": (lambda x: mg.avg_pool2d(x, 3, stride=2, padding=1, count_padding=False), IMAGES),
    "batch_norm": (lambda x, a, b: mg.batch_norm(x, a, b, slope=0.2)[0], IMAGES, *CHANNELS),
    "binary_cross_entropy_with_logits": (mg.binary_cross_entropy_with_logits, X, POSITIVE),
    "broadcast_to": (lambda x: mg.broadcast_to(x, shape=(2, 3, 4)), X),
    "clip": (lambda x: mg.clip(x, low=-0.5, high=0.7), X),
    "col2im": (lambda c: mg.col2im(c, image_shape=(2, 6, 5, 4), kernel_size=2), array(40, 16)),
    "concatenate": (lambda x, y: mg.concatenate([x, y], axis=1), X, Y),
    "conv2d": (lambda x, w, b: mg.conv2d(x, w, b, **SAME), IMAGES, KERNELS, array(2)),
    "conv2d_transpose": (lambda y, w: mg.conv2d_transpose(y, w, stride=2, padding=1), FEATURES, KERNELS),
    "conv2d_weight": (lambda x, y: mg.conv2d_weight(x, y, kernel_size=3, **SAME), IMAGES, FEATURES),
    "cos": (mg.cos, X),
    "cross_entropy": (lambda x: mg.cross_entropy(x, LABELS), X),
    "cross_entropy, labels there": (mg.cross_entropy, X, LABELS),
    "divide": (mg.divide, X, POSITIVE),
    "dropout": (lambda x: mg.dropout(x, 0.5, np.random.default_rng(0)), X),
    "einsum": (lambda x, y: mg.einsum("ij,kj->ik", x, y), X, Y),
    "embedding": (lambda x: mg.embedding(x, np.array([[0, 2], [2, 1]])), X),
    "embedding, indices there": (mg.embedding, X, np.array([[0, 2], [2, 1]])),
    "exp": (mg.exp, X),
    "expand_dims": (lambda x: mg.expand_dims(x, 1), X),
    "fixed_norm": (mg.fixed_norm, X, *CHANNELS, *CHANNELS[:1], array(4, positive=True)),
    "flatten": (mg.flatten, IMAGES),
    "flip": (lambda x: mg.flip(x, axis=1), X),
    "global_avg_pool2d": (mg.global_avg_pool2d, IMAGES),
    "group_norm": (lambda x, a, b: mg.group_norm(x, a, b, groups=2), IMAGES, *CHANNELS),
    "im2col": (lambda x: mg.im2col(x, kernel_size=3, stride=2, padding=1), IMAGES),
    "instance_norm": (mg.instance_norm, IMAGES, *CHANNELS),
    "layer_norm": (mg.layer_norm, IMAGES, *CHANNELS),
    "leaky_relu": (lambda x: mg.leaky_relu(x, slope=0.2), X),
    "linear": (mg.linear, X, array(4, 5), array(5)),
    "log": (mg.log, POSITIVE),
    "log1p": (mg.log1p, POSITIVE),
    "log_softmax": (mg.log_softmax, X),
    "logsumexp": (lambda x: mg.logsumexp(x, axis=1), X),
    "matmul": (mg.matmul, array(70, 80), array(80, 90)),
    "matmul, vector on the left": (mg.matmul, array(4), array(4, 3)),
    "matmul, vector on the right": (mg.matmul, array(3, 4), array(4)),
    "matmul, two vectors": (mg.matmul, array(4), array(4)),
    "max": (lambda x: mg.max(x, axis=0), X),
    "max_pool2d": (lambda x: mg.max_pool2d(x, 3, stride=2, padding=1), IMAGES),
    "max_pool2d_with_indices": (lambda x: sum(mg.max_pool2d_with_indices(x, 3, stride=2, padding=1)), IMAGES),
    "max_unpool2d": (
        lambda x: mg.max_unpool2d(*mg.max_pool2d_with_indices(x, 3, **HALVED), 3, **HALVED, **FULL),
        IMAGES,
    ),
    "maximum": (mg.maximum, X, Y),
    "mean": (lambda x: mg.mean(x, axis=1), X),
    "mean_absolute_error": (mg.mean_absolute_error, X, Y),
    "mean_squared_error": (mg.mean_squared_error, X, Y),
    "min": (lambda x: mg.min(x, axis=0), X),
    "minimum": (mg.minimum, X, Y),
    "multiply": (mg.multiply, X, Y),
    "negative": (mg.negative, X),
    "pad": (lambda x: mg.pad(x, widths=((1, 0), (0, 2)), value=3.0), X),
    "power": (lambda x: mg.power(x, 3), POSITIVE),
    "relu": (mg.relu, X),
    "reshape": (lambda x: mg.reshape(x, shape=(2, 6)), X),
    "resize": (lambda x: mg.resize(x, (9, 4), mode="bilinear"), IMAGES),
    "resize, bilinear-tf1": (lambda x: mg.resize(x, (9, 4), mode="bilinear-tf1"), IMAGES),
    "resize, nearest": (lambda x: mg.resize(x, (4, 7)), IMAGES),
    "sigmoid": (mg.sigmoid, X),
    "sign": (lambda x: x * mg.sign(x), X),
    "sin": (mg.sin, X),
    "softmax": (mg.softmax, X),
    "softplus": (mg.softplus, X),
    "sqrt": (mg.sqrt, POSITIVE),
    "standard_normal_divergence": (mg.standard_normal_divergence, X, Y),
    "square": (mg.square, X),
    "squeeze": (lambda x: mg.squeeze(x, 1), array(3, 1, 4)),
    "stack": (lambda x, y: mg.stack([x, y], axis=1), X, Y),
    "subtract": (mg.subtract, X, Y[0]),
    "sum": (lambda x: mg.sum(x, axis=0), X),
    "sum_to": (lambda x: mg.sum_to(x, shape=(1, 4)), X),
    "swapaxes": (lambda x: mg.swapaxes(x, 0, 1), X),
    "tanh": (mg.tanh, array(80, 70)),
    "to_device": (lambda x: mg.to_device(x, device=x.device), X),
    "transpose": (lambda x: mg.transpose(x, axes=(1, 0)), X),
    "var": (lambda x: mg.var(x, axis=1), X),
    "where": (lambda x, y: mg.where(x.data > 0, x, y), X, Y),
    "x[...]": (lambda x: x[1:, [0, 2, 2]], X),
}


def test_every_operation_has_a_case():
    assert set(ops.__all__) - {name for name in ops.__all__ if not callable(getattr(ops, name))} <= set(CASES)


def value_and_gradients(operation, arrays, device):
    leaves = [mg.tensor(a, requires_grad=a.dtype.kind == "f", device=device) for a in arrays]
    y = operation(*leaves)
    upstream = np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape)
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    results = [y.data, *mg.grad(y, wanted, upstream, allow_unused=True)]
    assert {device_of(r) for r in results if r is not None} == {device}
    return [None if r is None else to_cpu(r) for r in results]


@pytest.mark.parametrize("name", CASES)
def test_operations_on_a_device_are_the_cpus(name):
    operation, *arrays = CASES[name]
    expected, found = (value_and_gradients(operation, arrays, device) for device in ("cpu", DEVICE))
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


def test_gradients_of_gradients_on_a_device():
    def of(device):
        x = mg.tensor(IMAGES, requires_grad=True, device=device)
        scale, shift = (mg.tensor(c, requires_grad=True, device=device) for c in CHANNELS)
        y, *_ = mg.batch_norm(mg.avg_pool2d(mg.tanh(x), 2), scale, shift, slope=0.2)
        first = mg.grad((y * y * y).sum(), x, create_graph=True)
        return [to_cpu(g) for g in mg.grad((first * first).sum(), [x, scale])]

    for ours, theirs in zip(of(DEVICE), of("cpu"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.abs(theirs).max())
