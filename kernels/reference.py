"""Every kernel in its obvious form, for teaching. All other implementations are tested against it.

Sliding windows are loops over the taps (kh, kw) of the kernel. Tap (kh, kw) of all windows at once is one strided
view of the padded image, which `taps` yields; reading from that view gathers, adding to it scatters.

g is a ConvGeometry; see minigan.kernels.geometry for its letters.
"""

import math

import numpy as np

# Sliding windows


def pad(x, g, value=0):
    """The image with its padding, (N, PT + H + PB, PL + W + PR, C)."""
    return np.pad(x, ((0, 0), (g.PT, g.PB), (g.PL, g.PR), (0, 0)), constant_values=value)


def crop(padded, g):
    """The image without its padding, (N, H, W, C): the adjoint of `pad`."""
    return np.ascontiguousarray(padded[:, g.PT : g.PT + g.H, g.PL : g.PL + g.W])


def taps(padded, g):
    """Yield ((kh, kw), view): the pixels that tap (kh, kw) of each window reads, a view of shape (N, OH, OW, C)."""
    for kh in range(g.KH):
        for kw in range(g.KW):
            top, left = kh * g.DH, kw * g.DW
            rows = slice(top, top + g.SH * (g.OH - 1) + 1, g.SH)
            columns = slice(left, left + g.SW * (g.OW - 1) + 1, g.SW)
            yield (kh, kw), padded[:, rows, columns]


def im2col(x, g):
    """Each window as a row: (N * OH * OW, KH * KW * C), ordered (kh, kw, c); padding reads zeros."""
    cols = np.empty((g.N, g.OH, g.OW, g.KH, g.KW, g.C), x.dtype)
    for (kh, kw), view in taps(pad(x, g), g):
        cols[:, :, :, kh, kw] = view
    return cols.reshape(g.columns)


def col2im(cols, g):
    """The adjoint of im2col, (N, H, W, C): every pixel sums the entries that were read from it."""
    cols = cols.reshape(g.N, g.OH, g.OW, g.KH, g.KW, g.C)
    padded = pad(np.zeros(g.image, cols.dtype), g)
    for (kh, kw), view in taps(padded, g):
        view += cols[:, :, :, kh, kw]
    return crop(padded, g)


# Convolution: three contractions of T(x, w, y) = <y, conv2d(x, w)>. There is one algorithm; `algorithm` is ignored


def by_group(array, g):
    """Split the last axis into its G runs of channels, (..., G, channels // G)."""
    return array.reshape(*array.shape[:-1], g.G, array.shape[-1] // g.G)


def conv2d(x, w, g, bias=None, slope=1.0, algorithm=None):
    """Cross-correlate x (N, H, W, C) with w (KH, KW, C // G, K), add a bias (K,), and apply a leaky ReLU with this
    slope: (N, OH, OW, K)."""
    y = by_group(np.zeros(g.features, x.dtype), g)
    for tap, view in taps(pad(x, g), g):
        # (N, OH, OW, G, C // G) and (C // G, G, K // G) give (N, OH, OW, G, K // G)
        y += np.einsum("nhwgc,cgk->nhwgk", by_group(view, g), by_group(w[tap], g), optimize=True)
    y = y.reshape(g.features)
    return leaky_relu(y if bias is None else y + bias, slope)


def conv2d_transpose(y, w, g, bias=None, algorithm=None):
    """The adjoint of conv2d in x, for y (N, OH, OW, K), and a bias (C,) added: (N, H, W, C)."""
    padded = pad(np.zeros(g.image, y.dtype), g)
    for tap, view in taps(padded, g):
        part = np.einsum("nhwgk,cgk->nhwgc", by_group(y, g), by_group(w[tap], g), optimize=True)
        view += part.reshape(view.shape)
    x = crop(padded, g)
    return x if bias is None else x + bias


def conv2d_weight(x, y, g, algorithm=None):
    """The adjoint of conv2d in w, for x (N, H, W, C) and y (N, OH, OW, K): (KH, KW, C // G, K)."""
    w = np.zeros(g.weight, x.dtype)
    for tap, view in taps(pad(x, g), g):
        part = np.einsum("nhwgc,nhwgk->cgk", by_group(view, g), by_group(y, g), optimize=True)
        w[tap] = part.reshape(w[tap].shape)
    return w


def matmul(a, b, bias=None, slope=1.0):
    """leaky_relu(a @ b + bias, slope), for a (M, D), b (D, N) and a bias (N,): (M, N)."""
    y = np.einsum("md,dn->mn", a, b)
    if bias is not None:
        y = y + bias
    return leaky_relu(y, slope)


# Pooling


def max_pool_indices(x, g):
    """The position h * W + w of the first maximum in each window: int32 (N, OH, OW, C).

    NaN counts as greater than any number. -1 marks a window that contains only padding.
    """
    positions = np.arange(g.H * g.W, dtype=np.int32).reshape(1, g.H, g.W, 1)
    positions = np.broadcast_to(positions, g.image)
    best = np.zeros((g.N, g.OH, g.OW, g.C), x.dtype)
    indices = np.full(best.shape, -1, np.int32)
    for (_, value), (_, position) in zip(taps(pad(x, g), g), taps(pad(positions, g, -1), g), strict=True):
        greater = (value > best) | (np.isnan(value) & ~np.isnan(best)) | (indices < 0)
        better = greater & (position >= 0)
        best[better] = value[better]
        indices[better] = position[better]
    return indices


def pool_gather(x, indices, g):
    """The pixels at these positions, 0 for position -1: (N, OH, OW, C). Linear in x."""
    flat = x.reshape(g.N, g.H * g.W, g.C)
    places = np.maximum(indices, 0).reshape(g.N, g.OH * g.OW, g.C)
    picked = np.take_along_axis(flat, places, axis=1).reshape(indices.shape)
    return np.where(indices < 0, np.zeros((), x.dtype), picked)


def segment_sum(rows, segments, count):
    """Sums of the rows (n, C) of each segment, (count, C): row i is in segment segments[i], from 0 to count - 1."""
    sums = np.zeros((count, rows.shape[1]), np.result_type(rows, np.float64) if rows.dtype.kind == "f" else rows.dtype)
    np.add.at(sums, segments, rows)
    return sums.astype(rows.dtype, copy=False)


def pool_scatter(y, indices, g):
    """The adjoint of pool_gather in x: each value is added to the pixel it came from, (N, H, W, C)."""
    x = np.zeros((g.N, g.H * g.W, g.C), y.dtype)
    n, oh, ow, c = np.nonzero(indices >= 0)
    np.add.at(x, (n, indices[n, oh, ow, c], c), y[n, oh, ow, c])
    return x.reshape(g.image)


def window_sum(x, g):
    """The sum of each window, channel by channel: (N, OH, OW, C)."""
    y = np.zeros((g.N, g.OH, g.OW, g.C), x.dtype)
    for _, view in taps(pad(x, g), g):
        y += view
    return y


def window_spread(y, g):
    """The adjoint of window_sum: each value is added to all pixels of its window, (N, H, W, C)."""
    padded = pad(np.zeros(g.image, y.dtype), g)
    for _, view in taps(padded, g):
        view += y
    return crop(padded, g)


# Normalisation, activations, sums


def batch_norm(x, scale, shift, eps, slope=1.0):
    """Normalise the columns of x (M, C) by their own mean and biased variance, scale and shift them, and apply a leaky
    ReLU with this slope.

    returns: y (M, C), mean (C,), inverse deviation 1 / sqrt(variance + eps) (C,)
    source: Ioffe & Szegedy, arXiv:1502.03167, algorithm 1
    """
    mean = x.mean(axis=0, dtype=np.float64)
    variance = np.square(x - mean).mean(axis=0)
    inverse = 1 / np.sqrt(variance + eps)
    y = (x - mean) * (inverse * scale) + shift
    return tuple(array.astype(x.dtype) for array in (leaky_relu(y, slope), mean, inverse))


def batch_norm_vjp(g, x, scale, shift, mean, inverse_deviation, slope=1.0):
    """Gradients of batch_norm's y for the upstream gradient g (M, C): of x (M, C), scale (C,) and shift (C,).

    The statistics depend on x, and the gradient of x goes through them.
    """
    g = leaky_relu_vjp(g, (x - mean) * (inverse_deviation * scale) + shift, slope)
    normal = (x.astype(np.float64) - mean) * inverse_deviation
    gscale, gshift = (g * normal).sum(axis=0), g.sum(axis=0, dtype=np.float64)
    gx = scale * inverse_deviation * (g - gshift / len(x) - normal * (gscale / len(x)))
    return tuple(array.astype(x.dtype) for array in (gx, gscale, gshift))


def leaky_relu(x, slope):
    """x where it is positive, slope * x elsewhere; with a slope of 0 the result at -inf is 0. NaN stays NaN."""
    below = np.where(np.isnan(x), x, x.dtype.type(0)) if slope == 0 else x.dtype.type(slope) * x
    return np.where(x > 0, x, below)


def leaky_relu_vjp(g, x, slope):
    """The gradient of leaky_relu: g where x is positive, slope * g elsewhere; with a slope of 0 that is always 0."""
    below = x.dtype.type(0) if slope == 0 else x.dtype.type(slope) * g
    return np.where(np.isnan(x), x, np.where(x > 0, g, below))


def leaky_relu_vjp_sum(g, x, slope):
    """leaky_relu_vjp of g and x (M, C), and the sums of its columns, (C,)."""
    gx = leaky_relu_vjp(g, x, slope)
    return gx, bias_sum(gx)


def tanh_vjp(g, y):
    """The gradient of y = tanh(x): g * (1 - y^2)."""
    return g * (1 - y * y)


def binary_cross_entropy_sum(logits, targets):
    """The sum of the binary cross-entropies between the targets and sigmoid(logits): a number.

    targets: probabilities in [0, 1], in the logits' shape, or one number for all
    """
    with np.errstate(invalid="ignore"):  # NaN stays NaN; the caller checks for it
        likely, unlikely = np.logaddexp(0, -logits), np.logaddexp(0, logits)  # -log sigmoid(x), -log sigmoid(-x)
    return (targets * likely + (1 - targets) * unlikely).sum()


def binary_cross_entropy_excess(logits, targets):
    """sigmoid(logits) - targets, the gradient of binary_cross_entropy_sum in the logits."""
    with np.errstate(invalid="ignore"):
        of_one, of_zero = np.exp(-np.logaddexp(0, -logits)), np.exp(-np.logaddexp(0, logits))
    return (1 - targets) * of_one - targets * of_zero


def bias_sum(g):
    """Sums of the columns of g (M, C): (C,)."""
    return sum_over(g, (0,)).astype(g.dtype)


def sum_over(x, axes):
    """The sum over these distinct axes, each from 0 to x.ndim - 1, in float64: an array over the other axes."""
    return x.sum(axis=axes, dtype=np.float64)


def moments_over(x, axes):
    """The mean over these axes, and the sum of squared distances from it, in float64: two arrays over the others."""
    mean = x.sum(axis=axes, dtype=np.float64, keepdims=True) / math.prod(x.shape[axis] for axis in axes)
    return mean.reshape([n for axis, n in enumerate(x.shape) if axis not in axes]), sum_over(np.square(x - mean), axes)


# Optimisers: each updates lists of parameters and of their states in place; all arrays have one dtype


def sgd_update(ps, gs, velocities, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    """Gradient descent. With a momentum of 0 the velocities are not used.

    source: Sutskever et al. 2013, with the learning rate outside the velocity, as in PyTorch
    """
    for p, g, velocity in zip(ps, gs, velocities, strict=True):
        g = g + weight_decay * p
        if momentum:
            velocity[...] = momentum * velocity + g
            g = g + momentum * velocity if nesterov else velocity
        p -= (lr * g).astype(p.dtype)


def rmsprop_update(ps, gs, squares, lr, decay, eps, weight_decay=0.0):
    """Divide by a running root mean square. source: Hinton 2012, lecture 6e; eps outside the root, as in PyTorch"""
    for p, g, square in zip(ps, gs, squares, strict=True):
        g = g + weight_decay * p
        square[...] = decay * square + (1 - decay) * g * g
        p -= (lr * g / (np.sqrt(square) + eps)).astype(p.dtype)


def adam_update(ps, gs, means, squares, lr, beta1, beta2, eps, weight_decay, decoupled, step):
    """Adam at step 1, 2, ...; decoupled weight decay makes it AdamW.

    source: Kingma & Ba, arXiv:1412.6980, algorithm 1; Loshchilov & Hutter, arXiv:1711.05101, algorithm 2
    """
    for p, g, m, v in zip(ps, gs, means, squares, strict=True):
        if decoupled:
            p *= p.dtype.type(1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g * g
        mean, square = m / (1 - beta1**step), v / (1 - beta2**step)
        p -= (lr * mean / (np.sqrt(square) + eps)).astype(p.dtype)


# Random numbers


def philox(counter, key):
    """Philox-4x32-10: four random words of 32 bits, from a counter of four words and a key of two.

    source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11 (2011)
    """
    low = 0xFFFFFFFF
    (a, b, c, d), (k, l) = counter, key
    for _ in range(10):
        first, second = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (second >> 32) ^ b ^ k, second & low, (first >> 32) ^ d ^ l, first & low
        k, l = (k + 0x9E3779B9) & low, (l + 0xBB67AE85) & low
    return a, b, c, d


def standard_normal(out, key, block):
    """Fill `out`, float32, with normal random numbers of the stream with this key, starting at a block of four.

    key: below 2^64; block: below 2^63; neither is negative
    Words a and b give a point: u = (a + 1/2) / 2^32, in float32, is the probability of a greater distance from the
    origin, and b is the direction. source: Box & Muller, A note on the generation of random normal deviates (1958)
    """
    words = blocks_of(out.size, key, block).reshape(-1, 2, 2)
    a, b = words[..., 0].astype(np.float32), words[..., 1]
    radius, angle = np.sqrt(-2 * np.log((a + np.float32(0.5)) * np.float32(2.0**-32))), 2 * np.pi * b / 2**32
    numbers = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    out[...] = numbers.reshape(-1)[: out.size].reshape(out.shape)


def uniform(out, key, block):
    """Fill `out`, float32, with uniform random numbers in [0, 1) of the stream with this key, starting at a block.

    A number is the upper 24 bits of a word, as many as float32 can hold.
    """
    words = blocks_of(out.size, key, block).reshape(-1)[: out.size]
    out[...] = ((words >> np.uint64(8)) * 2.0**-24).reshape(out.shape)


def blocks_of(count, key, block):
    """The blocks that hold the first `count` words, uint64: (blocks, 4)."""
    places = np.arange(-(-count // 4), dtype=np.uint64) + np.uint64(block)
    low, zeros = np.uint64(0xFFFFFFFF), np.zeros_like(places)
    words = philox((places & low, places >> np.uint64(32), zeros, zeros), (key & 0xFFFFFFFF, key >> 32))
    return np.stack(words, axis=-1)
