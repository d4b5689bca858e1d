"""R-GAN: a generator with skip connections past its transposed convolutions.

A dense layer produces 4 x 4 maps of 512 channels. Each stage doubles their size: the output of a 5 x 5 transposed
convolution with stride 2 is concatenated with the stage's input, enlarged by repeating pixels, and mixed by a 1 x 1
convolution. A last transposed convolution produces the image. The discriminator has three 5 x 5 convolutions with
stride 2 and two dense layers. Convolutions are padded "same", every layer has a bias, and there is no batch norm.

Without batch norm, training needs three other measures. Weights are initialised so that every layer preserves the
scale of its input; otherwise the noise hardly reaches the image (He et al., arXiv:1502.01852). The learning rate is
small, because a sum of 3,200 terms changes a lot when all its weights change a little: at 2e-4, the tanh saturates and
images stay black. R1 limits the discriminator's slope at real images; otherwise it becomes certain before the generator
has learned anything (Mescheder et al., arXiv:1801.04406). Samples come from an average of the generator's weights over
about a hundred steps.

Colour images are harder, because the discriminator recognises early ones by their fine texture alone. For them the
penalty is ten times as large, and instance noise is added, falling to 0 (Soenderby et al., arXiv:1610.04490). With the
recipe for grey images, colour images stay nearly grey at 32 pixels, and look all alike at 64.
"""

from minigan import ops
from minigan.errors import ShapeError
from minigan.models.gan import GAN, Recipe
from minigan.nn import (
    Conv2d,
    ConvTranspose2d,
    Flatten,
    LeakyReLU,
    Linear,
    Module,
    Reshape,
    Sequential,
    Tanh,
    Upsample,
    init,
)

SIZES = (32, 64)  # pixels
SLOPE = 0.2
HALVE = {"stride": 2, "padding": "same"}  # with a 5 x 5 kernel; the adjoint doubles
MAPS, HIDDEN = 512, 1024
ACTIVATED, LINEAR = init.he_normal(SLOPE), init.he_normal(1.0)  # for layers before a leaky ReLU, and for others


class Stage(Module):
    """Doubles the maps' size: (N, H, W, inputs) to (N, 2 H, 2 W, outputs), with a skip past the convolution.

    It computes leaky_relu(mix(concatenate([grow(x), repeat(x)]))). A 1 x 1 convolution of concatenated inputs is the
    sum of one of each input, and repeating pixels commutes with it. The skip is therefore mixed before it is enlarged,
    with a quarter of the pixels, and nothing is concatenated.
    """

    def __init__(self, inputs: int, outputs: int, rng=None):
        super().__init__()
        self.grow = ConvTranspose2d(inputs, outputs, 5, weight_init=LINEAR, rng=rng, **HALVE)
        self.mix = Conv2d(outputs + inputs, outputs, 1, weight_init=ACTIVATED, rng=rng)
        self.repeat, self.activation = Upsample(2), LeakyReLU(SLOPE)

    def forward(self, x):
        grown = self.grow(x)
        for_grown, for_skip = self.mix.weight[:, :, : grown.shape[3]], self.mix.weight[:, :, grown.shape[3] :]
        mixed = ops.conv2d(grown, for_grown, self.mix.bias) + self.repeat(ops.conv2d(x, for_skip))
        return self.activation(mixed)


def rgan(image_shape, rng, latent_size=100):
    """Build the R-GAN for square images of 32 or 64 pixels; at 32 the narrowest stage is omitted."""
    height, width, channels = image_shape
    if height != width or height not in SIZES:
        raise ShapeError(
            f"rgan: images are {height} x {width}, but it supports only 32 x 32 and 64 x 64; "
            "resize the data (--size 32 on the command line, size=32 in data.load)"
        )
    activated, linear = ({"weight_init": how, "rng": rng} for how in (ACTIVATED, LINEAR))
    generator = [Linear(latent_size, 4 * 4 * MAPS, **activated), LeakyReLU(SLOPE), Reshape(4, 4, MAPS)]
    at, maps = 4, MAPS
    while at < height // 2:
        generator.append(Stage(maps, maps // 2, rng))
        at, maps = at * 2, maps // 2
    generator += [ConvTranspose2d(maps, channels, 5, **linear, **HALVE), Tanh()]
    discriminator = Sequential(
        Conv2d(channels, 64, 5, **activated, **HALVE),
        LeakyReLU(SLOPE),
        Conv2d(64, 128, 5, **activated, **HALVE),
        LeakyReLU(SLOPE),
        Conv2d(128, 256, 5, **activated, **HALVE),
        LeakyReLU(SLOPE),
        Flatten(),
        Linear((height // 8) ** 2 * 256, HIDDEN, **activated),
        LeakyReLU(SLOPE),
        Linear(HIDDEN, 1, **linear),
    )
    networks = Sequential(*generator), discriminator
    recipe = Recipe(generator_rate=1e-4, discriminator_rate=1e-4, r1=1.0, ema=0.99)
    if channels > 1:
        recipe = recipe.changed(r1=10.0, instance_noise=0.2)
    return GAN("rgan", *networks, image_shape, latent_size, recipe, batch=64, first_run=(1500, 32))
