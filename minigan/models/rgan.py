"""R-GAN: a generator whose stages keep what they were given, beside what a transposed convolution makes of it.

A dense layer gives 4 x 4 maps of 512 channels. Each stage doubles them: a 5 x 5 transposed convolution with stride 2,
concatenated with its own input (enlarged by repeating pixels) and mixed at every pixel by a 1 x 1 layer. The last
transposed convolution makes the image. The discriminator halves three times with 5 x 5 convolutions, then two dense
layers. All convolutions are padded "same", every layer has a bias, there is no batch norm.

Its recipe has noise on all that the discriminator sees, less and less of it: without batch norm the discriminator is
certain before the generator has learned anything, and images stay black.

source: Soenderby et al., Amortised MAP inference for image super-resolution, arXiv:1610.04490, for the noise
"""

from minigan import ops
from minigan.errors import ShapeError
from minigan.models.gan import GAN
from minigan.models.recipe import Recipe
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
)

SIZES = (32, 64)  # pixels
SLOPE = 0.2
HALVE = {"stride": 2, "padding": "same"}  # with a 5 x 5 kernel; its adjoint doubles
MAPS, HIDDEN = 512, 1024


class Stage(Module):
    """Maps of twice the size: (N, H, W, inputs) to (N, 2 H, 2 W, outputs), with a skip past the convolution.

    What is computed is leaky_relu(mix(concatenate([grow(x), repeat(x)]))). A 1 x 1 layer of two parts joined is the sum
    of one for each part, and it does not matter whether pixels are repeated before or after it: so the skip is mixed
    at its own size, which has a quarter of the pixels, and nothing is joined.
    """

    def __init__(self, inputs: int, outputs: int, rng=None):
        super().__init__()
        self.grow = ConvTranspose2d(inputs, outputs, 5, rng=rng, **HALVE)
        self.mix = Conv2d(outputs + inputs, outputs, 1, rng=rng)
        self.repeat, self.activation = Upsample(2), LeakyReLU(SLOPE)

    def forward(self, x):
        grown = self.grow(x)
        for_grown, for_skip = self.mix.weight[:, :, : grown.shape[3]], self.mix.weight[:, :, grown.shape[3] :]
        mixed = ops.conv2d(grown, for_grown, self.mix.bias) + self.repeat(ops.conv2d(x, for_skip))
        return self.activation(mixed)


def rgan(image_shape, rng, latent_size=100):
    """The R-GAN for square images of 32 or 64 pixels; at 32 the narrowest stage is left out."""
    height, width, channels = image_shape
    if height != width or height not in SIZES:
        raise ShapeError(
            f"rgan: images are {height} x {width}, but it is made for 32 x 32 and 64 x 64; "
            "resize the data (--size 32 on the command line, size=32 in data.load)"
        )
    generator = [Linear(latent_size, 4 * 4 * MAPS, rng=rng), LeakyReLU(SLOPE), Reshape(4, 4, MAPS)]
    at, maps = 4, MAPS
    while at < height // 2:
        generator.append(Stage(maps, maps // 2, rng))
        at, maps = at * 2, maps // 2
    generator += [ConvTranspose2d(maps, channels, 5, rng=rng, **HALVE), Tanh()]
    discriminator = Sequential(
        Conv2d(channels, 64, 5, rng=rng, **HALVE),
        LeakyReLU(SLOPE),
        Conv2d(64, 128, 5, rng=rng, **HALVE),
        LeakyReLU(SLOPE),
        Conv2d(128, 256, 5, rng=rng, **HALVE),
        LeakyReLU(SLOPE),
        Flatten(),
        Linear((height // 8) ** 2 * 256, HIDDEN, rng=rng),
        LeakyReLU(SLOPE),
        Linear(HIDDEN, 1, rng=rng),
    )
    networks, recipe = (Sequential(*generator), discriminator), Recipe(instance_noise=0.2)
    return GAN("rgan", *networks, image_shape, latent_size, recipe, batch=64, first_run=(2000, 32))
