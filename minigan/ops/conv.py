"""The three convolutions, and the matrix that explains them.

<y, conv2d(x, w)> is linear in x, in w and in y. Leaving one of them out gives the three operations below. The gradients
of each are the other two, and so derivatives of any order exist:

    conv2d(x, w)            images and kernels to features
    conv2d_transpose(y, w)  features and kernels to images; the adjoint: <conv2d(x, w), y> = <x, conv2d_transpose(y, w)>
    conv2d_weight(x, y)     images and features to kernels

All three share one weight array, (KH, KW, C // groups, K): C counts image-side channels, K feature-side channels.
stride and dilation are an int or a pair; padding is an int, a pair, ((top, bottom), (left, right)), "same" or "valid".
"""

import numpy as np

from minigan import kernels
from minigan.autograd import primitive
from minigan.autograd.operands import Padding, Pair, same_float
from minigan.errors import ShapeError
from minigan.kernels.geometry import ConvGeometry, Window, pair
from minigan.ops.activations_and_losses import leaky_relu_vjp, leaky_relu_vjp_sum
from minigan.ops.elementwise import broadcast_to


@primitive(saves="x w")
def conv2d(
    x,
    w,
    bias=None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str | None = None,
):
    """Cross-correlate images with a bank of kernels.

    x: images, (N, H, W, C)
    w: kernels, (KH, KW, C // groups, K)
    bias: (K,), added to every pixel, or None
    algorithm: how the CPU computes it and its gradients ("im2col", "direct", "product", "winograd2",
        "winograd3" or "winograd4"); by default the geometry decides
    returns: (N, OH, OW, K), OH = (H + pad - dilation * (KH - 1) - 1) // stride + 1; "same" gives ceil(H / stride)
    raises ShapeError where the channels do not match or the kernel does not fit
    source: Dumoulin & Visin, arXiv:1603.07285, relationship 15
    """
    same_float("conv2d", x=x, w=w)
    geometry = ConvGeometry.of_conv(x.shape, w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups)
    _check_bias("conv2d", bias, geometry.K, x.dtype)
    return kernels.of(x).conv2d(x, w, geometry, bias, algorithm=algorithm)


@conv2d.vjp(0)
def _(g, y, x, w, bias=None, **how):
    return conv2d_transpose(g, w, output_size=x.shape[1:3], **how)


@conv2d.vjp(1)
def _(g, y, x, w, bias=None, **how):
    return conv2d_weight(x, g, kernel_size=w.shape[:2], **how)


@conv2d.vjp(2)
def _(g, y, x, w, bias, **how):
    return bias_sum(g)


@primitive
def activated_conv2d(x, w, bias=None, *, slope, algorithm: str | None = None, **how):
    """leaky_relu(conv2d(x, w, bias, **how), slope) in fewer passes over memory, for a slope that is not negative."""
    same_float("conv2d", x=x, w=w)
    geometry = ConvGeometry.of_conv(x.shape, w.shape, **how)
    _check_bias("conv2d", bias, geometry.K, x.dtype)
    if slope < 0:
        raise ShapeError(f"conv2d: slope is {slope}, but must be at least 0, so that y has the sign of its input")
    return kernels.of(x).conv2d(x, w, geometry, bias, slope, algorithm)


@activated_conv2d.vjp(...)
def _(g, y, x, w, bias=None, *, slope, wanted, **how):
    biased = wanted[2:] == (True,)
    if biased and y.size:  # y is positive where the convolution was
        g, g_bias = leaky_relu_vjp_sum(g, y, slope=slope)
    else:
        g = leaky_relu_vjp(g, y, slope=slope)
        g_bias = bias_sum(g) if biased else None
    gx = conv2d_transpose(g, w, output_size=x.shape[1:3], **how) if wanted[0] else None
    gw = conv2d_weight(x, g, kernel_size=w.shape[:2], **how) if wanted[1] else None
    return gx, gw, g_bias


@primitive(saves="y w")
def conv2d_transpose(
    y,
    w,
    bias=None,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    output_size: tuple[int, int] | None = None,
    output_padding: Pair | None = None,
    algorithm: str | None = None,
):
    """The adjoint of `conv2d` in its images, also called transposed convolution or (wrongly) deconvolution.

    y: features, (N, OH, OW, K)
    w: kernels, (KH, KW, C // groups, K), the array that conv2d takes
    bias: (C,), added to every pixel, or None
    output_size: (H, W) of the result. Several sizes have features of the same size; the default is the smallest,
        (OH - 1) * stride + dilation * (KH - 1) + 1 - pad, and OH * stride with padding "same"
    output_padding: instead of output_size, the excess over the smallest size, less than the stride or the dilation.
        Pixels that no window reaches hold the bias alone
    algorithm: as for conv2d
    returns: images, (N, H, W, C)
    raises ShapeError where no image of that size has features of this size
    source: Dumoulin & Visin, arXiv:1603.07285, relationship 14
    """
    same_float("conv2d_transpose", y=y, w=w)
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    output_padding, how, beyond = _reached(output_padding, how)
    geometry = ConvGeometry.of_transpose(
        y.shape, w.shape, output_size=output_size, output_padding=output_padding, **how
    )
    _check_bias("conv2d_transpose", bias, geometry.C, y.dtype)
    x = kernels.of(y).conv2d_transpose(y, w, geometry, bias, algorithm=algorithm)
    if any(beyond):
        x = np.pad(x, ((0, 0), (0, beyond[0]), (0, beyond[1]), (0, 0)))
        if bias is not None:
            x[:, geometry.H :] = bias
            x[:, :, geometry.W :] = bias
    return x


@conv2d_transpose.vjp(0)
def _(g, x, y, w, bias=None, *, output_size=None, output_padding=None, **how):
    g, how = _within(g, output_padding, how)
    return conv2d(g, w, **how)


@conv2d_transpose.vjp(1)
def _(g, x, y, w, bias=None, *, output_size=None, output_padding=None, **how):
    g, how = _within(g, output_padding, how)
    return conv2d_weight(g, y, kernel_size=w.shape[:2], **how)


@conv2d_transpose.vjp(2)
def _(g, x, y, w, bias, **how):
    return bias_sum(g)


def _reached(output_padding, how):
    """What windows reach of an output padding that is not below the stride.

    returns: the output padding below the stride; `how` with less padding after the image, where windows reach further;
        how many pixels (along H, along W) are past every window
    """
    if output_padding is None:
        return None, how, (0, 0)
    window = Window("conv2d_transpose", 1, how.get("stride", 1), how.get("dilation", 1))
    both = pair("conv2d_transpose", "output_padding", output_padding, least=0)
    if any(n >= max(s, d) for n, s, d in zip(both, window.stride, window.dilation, strict=True)):
        raise ShapeError(
            f"conv2d_transpose: output_padding {both} must be smaller than the stride {window.stride} or the dilation "
            f"{window.dilation}"
        )
    below = tuple(min(n, s - 1) for n, s in zip(both, window.stride, strict=True))
    if below == both:
        return both, how, (0, 0)
    pads = window.pads(how.get("padding", 0), (1, 1))
    more = [n - m for n, m in zip(both, below, strict=True)]
    fewer = [min(n, after) for n, (_, after) in zip(more, pads, strict=True)]
    padding = tuple((before, after - n) for (before, after), n in zip(pads, fewer, strict=True))
    return below, {**how, "padding": padding}, (more[0] - fewer[0], more[1] - fewer[1])


def _within(g, output_padding, how):
    """The part of an image that windows reach, and the geometry of those windows."""
    _, how, beyond = _reached(output_padding, how)
    return (g[:, : g.shape[1] - beyond[0], : g.shape[2] - beyond[1]] if any(beyond) else g), how


@primitive(saves="x y")
def conv2d_weight(
    x,
    y,
    *,
    kernel_size,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    groups: int = 1,
    algorithm: str | None = None,
):
    """The gradient of `conv2d` with respect to its kernels: <y, conv2d(x, w)> = <conv2d_weight(x, y), w>.

    x: images, (N, H, W, C)
    y: features, (N, OH, OW, K)
    returns: kernels, (KH, KW, C // groups, K)
    """
    same_float("conv2d_weight", x=x, y=y)
    geometry = ConvGeometry.of_weight(
        x.shape,
        y.shape,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return kernels.of(x).conv2d_weight(x, y, geometry, algorithm=algorithm)


@conv2d_weight.vjp(0)
def _(g, w, x, y, *, kernel_size, **how):
    return conv2d_transpose(y, g, output_size=x.shape[1:3], **how)


@conv2d_weight.vjp(1)
def _(g, w, x, y, *, kernel_size, **how):
    return conv2d(x, g, **how)


@primitive(saves="")
def bias_sum(g):
    """The gradient of a bias: g (..., C) summed over all but its last axis."""
    return kernels.of(g).bias_sum(g.reshape(-1, g.shape[-1]))


@bias_sum.vjp(0)
def _(gg, y, g):
    return broadcast_to(gg, shape=g.shape)


def _check_bias(call, bias, channels, dtype):
    if bias is not None and (np.shape(bias) != (channels,) or bias.dtype != dtype):
        raise ShapeError(
            f"{call}: bias is {getattr(bias, 'dtype', type(bias).__name__)} of shape {np.shape(bias)}, but the result "
            f"has {channels} channels of {dtype}, one bias each; stride and the like are given by name"
        )


# ------------------------------------------------------------------------------------------- the matrix


@primitive(saves="")
def im2col(x, *, kernel_size, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1):
    """The patches of images as rows of a matrix, so that a convolution is one matrix product.

    x: images, (N, H, W, C)
    returns: (N * OH * OW, KH * KW * C); im2col(x) @ w.reshape(-1, K) is conv2d(x, w) for groups=1
    """
    same_float("im2col", x=x)
    geometry = ConvGeometry.of_window(
        x.shape, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation
    )
    return kernels.of(x).im2col(x, geometry)


@im2col.vjp(0)
def _(g, columns, x, **how):
    return col2im(g, image_shape=x.shape, **how)


@primitive(saves="")
def col2im(columns, *, image_shape, kernel_size, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1):
    """The adjoint of `im2col`: every element of a patch added to the pixel that it was read from.

    columns: (N * OH * OW, KH * KW * C)
    image_shape: (N, H, W, C) of the result
    """
    same_float("col2im", columns=columns)
    geometry = ConvGeometry.of_window(
        tuple(image_shape),
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        call="col2im",
    )
    if columns.shape != geometry.columns:
        raise ShapeError(
            f"col2im: columns have shape {columns.shape}, but images of {tuple(image_shape)} have {geometry.columns}"
        )
    return kernels.of(columns).col2im(columns, geometry)


@col2im.vjp(0)
def _(g, x, columns, *, image_shape, **how):
    return im2col(g, **how)
