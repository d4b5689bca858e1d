"""What does not fit a convolution or a pooling is told with the shapes and what to do."""

import numpy as np
import pytest

import minigan as mg

x = np.zeros((8, 28, 28, 3), np.float32)
w = np.zeros((5, 5, 3, 64), np.float32)
y = np.zeros((8, 14, 14, 64), np.float32)


def f(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mg.conv2d(x, f(5, 5, 1, 64)),
            r"conv2d: x has 3 channels (shape (8, 28, 28, 3)), but w expects 1 (shape (5, 5, 1, 64)); "
            r"w is (KH, KW, C // groups, K)",
        ),
        (lambda: mg.conv2d(x, f(5, 5, 1, 64), groups=2), "conv2d: 2 groups do not divide 3 image-side"),
        (lambda: mg.conv2d(f(1, 4, 4, 4), f(3, 3, 1, 4), groups=2), "but w expects 1 * 2 groups"),
        (lambda: mg.conv2d(x, w, groups=0), "0 groups do not divide"),
        (lambda: mg.conv2d(x[0], w), "x has shape (28, 28, 3), but it must be (N, H, W, C), four dimensions"),
        (lambda: mg.conv2d(x, w[0]), "w has shape (5, 3, 64), but it must be (KH, KW, C // groups, K)"),
        (
            lambda: mg.conv2d(f(1, 4, 4, 3), w),
            "conv2d: the kernel spans 5 pixels of height, but the image has 4 and padding (0, 0); kernel (5, 5)",
        ),
        (lambda: mg.conv2d(f(1, 28, 8, 3), w, dilation=2), "the kernel spans 9 pixels of width, but the image has 8"),
        (lambda: mg.conv2d(x, w, stride=0), "conv2d: stride is 0; it is an int or a pair of ints, at least 1"),
        (lambda: mg.conv2d(x, w, stride=(1, 2, 3)), "stride is (1, 2, 3); it is an int or a pair"),
        (lambda: mg.conv2d(x, w, dilation=1.5), "dilation is 1.5; it is an int or a pair"),
        (lambda: mg.conv2d(x, w, padding=-1), "padding is -1; it is an int, a pair (height, width)"),
        (lambda: mg.conv2d(x, w, padding=((1, 1), 2, 3)), "((top, bottom), (left, right)), 'same' or 'valid'"),
        (lambda: mg.conv2d(x, w, padding="full"), "padding is 'full'; the names are 'same' and 'valid'"),
        (
            lambda: mg.conv2d_transpose(x, w),
            "conv2d_transpose: y has 3 channels (shape (8, 28, 28, 3)), but w expects 64",
        ),
        (
            lambda: mg.conv2d_transpose(y, w, stride=2, padding="same", output_size=30),
            "output_size (30, 30) is impossible; features of (14, 14) come from heights 27 to 28 and widths 27 to 28",
        ),
        (
            lambda: mg.conv2d_transpose(y, w, stride=2, output_padding=2),
            "output_padding (2, 2) must be smaller than the stride (2, 2)",
        ),
        (
            lambda: mg.conv2d_transpose(y, w, stride=2, output_size=31, output_padding=0),
            "give output_size or output_padding, not both",
        ),
        (
            lambda: mg.conv2d_transpose(y, w, stride=2, padding="same", output_padding=1),
            "with padding 'same' give output_size, not output_padding",
        ),
        (
            lambda: mg.conv2d_transpose(f(1, 1, 1, 64), w, padding=3),
            "the result would be (-1, -1); padding 3 is more",
        ),
        (
            lambda: mg.conv2d_weight(x, y, kernel_size=5),
            "conv2d_weight: y has shape (8, 14, 14, 64), but x of shape (8, 28, 28, 3) gives (N, OH, OW) = (8, 24, 24)",
        ),
        (
            lambda: mg.col2im(f(3, 4), image_shape=(1, 4, 4, 1), kernel_size=2),
            "col2im: columns have shape (3, 4), but images of (1, 4, 4, 1) have (9, 4)",
        ),
        (lambda: mg.im2col(x[0], kernel_size=2), "im2col: x has shape (28, 28, 3)"),
        (lambda: mg.max_pool2d(x, 29), "max_pool2d: the kernel spans 29 pixels of height"),
        (
            lambda: mg.max_pool2d(x, 2, padding=2),
            "padding 2 reaches past the kernel 2: some windows would hold",
        ),
        (lambda: mg.avg_pool2d(x, 2, padding=2), "avg_pool2d: padding 2 reaches past the kernel 2"),
        (lambda: mg.resize(x[0], 2), "resize: x has shape (28, 28, 3), but images are (N, H, W, C)"),
        (lambda: mg.resize(x, 0), "resize: size is 0; it is an int or a pair of ints, at least 1"),
    ],
)
def test_shape_errors(call, message):
    with pytest.raises(mg.ShapeError) as error:
        call()
    assert message in str(error.value)


def test_shape_errors_are_the_same_with_tensors():
    with pytest.raises(mg.ShapeError, match=r"conv2d: x has 3 channels \(shape"):
        mg.conv2d(mg.tensor(x), mg.tensor(f(5, 5, 1, 64), requires_grad=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.conv2d(x, w.astype(np.float64)), "conv2d: x is float32, w is float64"),
        (lambda: mg.conv2d(x.astype(int), w.astype(int)), "it takes float32 or float64, all of one dtype"),
        (lambda: mg.conv2d_transpose(y.astype(np.float64), w), "conv2d_transpose: y is float64, w is float32"),
        (lambda: mg.conv2d_weight(x, y.astype(np.float16), kernel_size=5), "conv2d_weight: x is float32, y is float16"),
        (lambda: mg.im2col(x.astype(int), kernel_size=2), "im2col: x is int64"),
        (lambda: mg.max_pool2d(x.astype(np.uint8), 2), "max_pool2d: x is uint8"),
        (lambda: mg.avg_pool2d(x.astype(bool), 2), "avg_pool2d: x is bool"),
        (lambda: mg.batch_norm(x, f(3), np.zeros(3)), "batch_norm: x is float32, scale is float32, shift is float64"),
    ],
)
def test_dtype_errors(call, message):
    with pytest.raises(mg.DtypeError) as error:
        call()
    assert message in str(error.value)
    assert "convert with .astype()" in str(error.value)


def test_an_unknown_resizing_mode_names_the_nearest():
    message = r"no resizing mode is called 'bilinaer'; did you mean bilinear or bilinear-tf1\?"
    with pytest.raises(mg.UnknownNameError, match=message):
        mg.resize(x, 2, mode="bilinaer")
