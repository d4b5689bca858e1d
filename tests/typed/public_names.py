"""Every public name of the engine in ordinary use, for pyright and for a test that runs it."""

from typing import assert_type

import numpy as np

import minigan as mg
from minigan import nn, optim

DRAWN = np.random.default_rng(0)


def tensors(*shapes: tuple[int, ...]) -> list[mg.Tensor]:
    return [mg.tensor(DRAWN.uniform(0.1, 0.9, shape), dtype=np.float32, requires_grad=True) for shape in shapes]


def use_gradients() -> None:
    x, y = tensors((3, 4), (3, 4))
    loss = (x * y + 2 * x - y / 3.0 + x**2 - -y + abs(x) @ y.T.mean(axis=1)[:, None].reshape(4, 1)).sum()
    assert_type(loss, mg.Tensor)
    assert_type(mg.grad(loss, x), np.ndarray)
    assert_type(mg.grad((x * y).sum(), [x, y]), list[np.ndarray])
    assert_type(mg.grad((x * y).sum(), x, create_graph=True), mg.Tensor)
    (x * y).sum().backward()
    mg.backward((x * y).sum())
    value, gradient = mg.value_and_grad(lambda x: (x * x).sum())(x)
    mg.recompute(mg.tanh, x)
    with mg.no_grad():
        assert not mg.is_recording()
        x += 1
        x[0, 0] = 2.0
    for row in x:
        assert row.shape == (4,)
    print(float(x.max()), x.min().item(), x.var(axis=0, ddof=1), x.argmax(axis=1).tolist(), value, gradient)
    print(x.transpose(1, 0).swapaxes(0, 1).squeeze().flatten().clip(0, 1).astype(np.float64).to("cpu").detach().numpy())
    print(x.ndim, x.size, x.dtype, x.device, x.is_leaf, x == y, x != y, x < y, x <= y, x > y, x >= y, ~(x > y), len(x))


def use_functions() -> None:
    x, y, weight, bias = tensors((2, 6), (2, 6), (6, 3), (3,))
    for f in (mg.abs, mg.cos, mg.exp, mg.log, mg.log1p, mg.negative, mg.relu, mg.sigmoid, mg.sign, mg.sin, mg.softplus):
        assert_type(f(x), mg.Tensor)
    for f in (mg.sqrt, mg.square, mg.tanh, mg.argmax, mg.max, mg.mean, mg.min, mg.sum, mg.var, mg.logsumexp):
        assert_type(f(x), mg.Tensor)
    for f in (mg.add, mg.subtract, mg.multiply, mg.divide, mg.power, mg.maximum, mg.minimum):
        assert_type(f(x, y), mg.Tensor)
    assert_type(mg.mean_squared_error(x, y) + mg.mean_absolute_error(x, y), mg.Tensor)
    assert_type(mg.binary_cross_entropy_with_logits(x, 1.0), mg.Tensor)
    assert_type(mg.cross_entropy(x, np.array([0, 5])), mg.Tensor)
    assert_type(mg.standard_normal_divergence(x, y), mg.Tensor)
    mg.sum(x, axis=(0, 1), keepdims=True)
    mg.softmax(x, axis=1)
    mg.log_softmax(x)
    mg.leaky_relu(x, slope=0.2)
    mg.clip(x, low=0.0, high=1.0)
    mg.where(x > y, x, y)
    mg.dropout(x, 0.5, np.random.default_rng(0))
    mg.linear(x, weight, bias)
    mg.activated_linear(x, weight, bias, slope=0.1)
    mg.matmul(x, weight)
    mg.einsum("ij,jk->ik", x, weight)
    mg.sum_to(mg.broadcast_to(bias, shape=(2, 3)), shape=(3,))
    mg.reshape(mg.flatten(x), shape=(-1,))
    mg.concatenate([x, y], axis=1)
    mg.stack([x, y])
    mg.squeeze(mg.expand_dims(x, 0), 0)
    mg.flip(mg.transpose(mg.swapaxes(x, 0, 1)), axis=1)
    mg.pad(x, widths=((1, 1), (0, 0)), value=1.0)
    mg.embedding(weight, np.array([0, 1]))
    mg.to_device(x, device="cpu")


def use_images() -> None:
    x, w, bias, scale = tensors((2, 8, 8, 4), (3, 3, 4, 4), (4,), (4,))
    y = mg.conv2d(x, w, bias, stride=2, padding="same")
    assert_type(y, mg.Tensor)
    mg.conv2d_transpose(y, w, stride=(2, 2), padding=((1, 1), (1, 1)), output_size=(8, 8))
    mg.conv2d_weight(x, y, kernel_size=3, stride=2, padding="same")
    mg.activated_conv2d(x, w, bias, slope=0.2, padding=1)
    mg.col2im(mg.im2col(x, kernel_size=3), image_shape=x.shape, kernel_size=3)
    mg.batch_norm(x, scale, bias)
    mg.fixed_norm(x, scale, bias, bias, scale)
    mg.group_norm(x, scale, bias, groups=2)
    mg.instance_norm(x, scale, bias)
    mg.layer_norm(x, scale, bias, eps=1e-6)
    mg.avg_pool2d(x, 2)
    mg.global_avg_pool2d(x)
    mg.max_pool2d(x, (2, 2), stride=1)
    values, places = mg.max_pool2d_with_indices(x, 2)
    mg.max_unpool2d(values, places, 2, output_size=(8, 8))
    mg.resize(x, (16, 16), mode="bilinear")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)])
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 1, bias=False)})

    def forward(self, x):
        for layer in self.body:
            x = layer(x)
        return self.heads["a"](x)


def use_layers() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding="same", groups=1),
        nn.BatchNorm(8),
        nn.LeakyReLU(0.2),
        nn.MaxPool2d(2),
        nn.SpectralNorm(nn.Conv2d(8, 8, (3, 3), stride=1)),
        nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.Upsample(2, mode="nearest"),
        nn.ConvTranspose2d(8, 4, 2),
        nn.InstanceNorm(4),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(16, 16),
        nn.Reshape(4, 4),
        nn.Softmax(axis=-1),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.Softplus(),
    )
    x = mg.tensor(np.ones((2, 8, 8, 1), np.float32))
    assert_type(nn.Linear(1, 2)(x), mg.Tensor)
    assert_type(network(x).sum(axis=0), mg.Tensor)
    network.train().eval().freeze(False).astype(np.float32).to("cpu").load_state_dict(network.state_dict())
    with nn.as_in_use():
        print(
            network, network.parameter_count(), dict(network.named_buffers()).keys(), Net()(np.ones((1, 4), np.float32))
        )
    nn.Embedding(3, 4)(np.array([0, 2]))
    nn.ConditionalBatchNorm(2, 4)(mg.tensor(np.ones((2, 4), np.float32)), np.array([0, 1]))
    values, places = nn.MaxPool2d(2, with_indices=True)(x)
    nn.MaxUnpool2d(2)(values, places)
    nn.Sequential(nn.Flatten(), nn.MinibatchStd(2))(x)
    nn.minibatch_std(nn.Sequential(nn.Linear(2, 1)), group=2)
    nn.spectral_norm(nn.Sequential(nn.Linear(2, 1)))
    nn.Linear(2, 3, weight_init=nn.init.normal(0.02), rng=np.random.default_rng(0))


def use_optimisers() -> None:
    network, x = nn.Linear(3, 1), mg.tensor(np.ones((2, 3), np.float32))
    optimiser: optim.Optimiser
    for optimiser in (
        optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True),
        optim.RMSprop(network.parameters(), lr=0.1, decay=0.9),
        optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)),
        optim.AdamW([{"parameters": network.parameters(), "lr": 0.1}], weight_decay=0.1),
    ):
        gradients = mg.grad(network(x).mean(), network.parameters())
        optim.clip_gradient_value(gradients, 0.5)
        print(optim.clip_gradient_norm(gradients, 1.0))
        optimiser.step(gradients)
        optimiser.load_state_dict(optimiser.state_dict())
        for factor in (optim.cosine(9), optim.linear(9, 0.1), optim.exponential(0.9), optim.staircase(3)):
            optim.Schedule(optimiser, optim.warmup(2, factor)).step()


def use_the_rest(folder: str) -> None:
    @mg.primitive
    def cube(x):
        """x * x * x."""
        return x**3

    @cube.vjp(0)
    def _(g, y, x):
        return g * 3 * x**2

    @mg.primitive(saves="x")
    def swish(x):
        return x / (1 + np.exp(-x))

    swish.vjp(...)(mg.vjp_of(lambda x: x * mg.sigmoid(x)))

    @mg.nondifferentiable
    def rounded(x):
        return np.round(x)

    mg.testing.check_grads(swish, np.array([1.0, 2.0]))
    mg.testing.check_grads(cube, np.array([1.0, 2.0]), order=2)
    assert_type(rounded(cube(mg.tensor([1.0]))), mg.Tensor)
    step = mg.captured(lambda x: x * 2)
    network = nn.Linear(2, 2)
    mg.save(network, f"{folder}/linear.safetensors")
    mg.load(network, f"{folder}/linear.safetensors")
    mg.seed(0)
    mg.set_threads(mg.get_threads())
    with mg.precision("float32"), mg.kernels.using("reference"):
        step(mg.tensor([1.0]))
    for error in (mg.DataError, mg.DeviceError, mg.DtypeError, mg.GraphError, mg.NumpyFunctionError, mg.ShapeError):
        assert issubclass(error, mg.MiniganError)
    assert issubclass(mg.UnknownNameError, LookupError)
    print(mg.plain.Tensor, mg.debug.trace_nans, mg.pruning.prune)


def use_data_and_models(folder: str) -> None:
    glyphs = mg.data.load("glyphs", count=64)
    result = mg.gan.fit("mlp-gan", glyphs, steps=1, batch=8, out=f"{folder}/run")
    print(result.sample(4).shape, result.history.column("generator_loss"))
    gan = mg.models.build("mlp-gan", image_shape=(28, 28, 1), seed=0)
    assert isinstance(gan, mg.models.GAN)
    for images, _labels in mg.data.Batches(glyphs.images, batch_size=32):
        print(gan.discriminator(mg.tensor(images)).shape, gan.noise(2, np.random.default_rng(0)))
        break
    for kind in (mg.classifier, mg.vae, mg.restoration):
        assert callable(kind.fit)
    print(mg.metrics.psnr, mg.metrics.ssim, mg.inside.saliency, mg.evaluation.evaluate, mg.training.Callback, mg.ops)
