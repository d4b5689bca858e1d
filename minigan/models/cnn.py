"""A convolutional classifier: two convolutions with max and average pooling between, two dense layers.

The plan is LeNet-5's (LeCun et al., Gradient-based learning applied to document recognition, 1998): convolution,
pooling, convolution, pooling, dense layers. Kernels are 3 x 3 and padded, activations ReLU, and each convolution is
followed by a batch norm (Ioffe & Szegedy, arXiv:1502.03167), so it has no bias of its own.
"""

from minigan.errors import ShapeError
from minigan.models.classifier import Classifier
from minigan.nn import AvgPool2d, BatchNorm, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, init

MAPS, HIDDEN = (32, 64), 128


def cnn(image_shape, rng, classes=None):
    """The classifier for images of 4 x 4 pixels or more; it predicts 10 classes by default."""
    classes = 10 if classes is None else classes
    height, width, channels = image_shape
    if min(height, width) < 4:
        raise ShapeError(f"cnn: images are {height} x {width}, but pooling them twice takes at least 4 x 4")
    if classes < 2:
        raise ShapeError(f"cnn: {classes} classes; there are at least two to tell apart")
    weights = {"weight_init": init.he_normal(), "rng": rng}
    network = Sequential(
        Conv2d(channels, MAPS[0], 3, padding=1, bias=False, **weights),
        BatchNorm(MAPS[0]),
        ReLU(),
        MaxPool2d(2),
        Conv2d(MAPS[0], MAPS[1], 3, padding=1, bias=False, **weights),
        BatchNorm(MAPS[1]),
        ReLU(),
        AvgPool2d(2),
        Flatten(),
        Linear(height // 4 * (width // 4) * MAPS[1], HIDDEN, **weights),
        ReLU(),
        Linear(HIDDEN, classes, rng=rng),
    )
    return Classifier("cnn", network, image_shape, classes, {"classes": classes})
