"""Random numbers, each a function of a key and its position in the stream, so that any thread can compute any of them.

Philox-4x32-10 turns a block's number into four words, and the transform of Box and Muller turns two words into two
normal numbers. NumPy takes ten times as long, because it draws one number after the other.

source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11 (2011); Box & Muller (1958)
"""

import math

import numpy as np

from minigan.errors import DtypeError
from minigan.kernels.cpu.runtime.compile import inlined
from minigan.kernels.cpu.runtime.threads import Tasks, share

BLOCKS = 1 << 12  # blocks per task; each has four numbers

word, bits, real = np.uint64, np.int32, np.float32  # words have 32 bits; their products have 64
LOW, HALF = word(0xFFFFFFFF), word(32)
FACTORS, STEPS = (word(0xD2511F53), word(0xCD9E8D57)), (word(0x9E3779B9), word(0xBB67AE85))
ROUNDS = 10

ROOT_HALF = bits(np.float32(math.sqrt(0.5)).view(np.int32))
MANTISSA = bits(23)
EIGHTH, QUARTER = word(1 << 29), word(30)  # an eighth of a turn, and the shift that counts quarters
FRACTION, OF_FRACTION = word(8), real(2**-24)  # a word's bits beyond float32's 24, and the scale of the rest
LOG_2, OF_WORD, RADIANS = real(math.log(2)), real(2**-32), real(math.pi * 2**-31)
LOG = tuple(real(2 / n) for n in (1, 3, 5, 7, 9))  # log((1 + s) / (1 - s)) = s * (2 + 2/3 s^2 + 2/5 s^4 ...)
SINE = tuple(real((-1) ** k / math.factorial(2 * k + 1)) for k in range(5))
COSINE = tuple(real((-1) ** k / math.factorial(2 * k)) for k in range(5))


def standard_normal(out, key, block):
    """Fill `out`, float32, with normal numbers of the stream with this key, starting at a block; both have 64 bits."""
    check(out)
    tasks = -(-out.size // (4 * BLOCKS))
    share(normal_blocks, tasks, out.size * 0.7e-9, out, key & 0xFFFFFFFF, key >> 32, block)


def uniform(out, key, block):
    """Fill `out`, float32, with uniform numbers in [0, 1), each from one word of the same stream."""
    check(out)
    tasks = -(-out.size // (4 * BLOCKS))
    share(uniform_blocks, tasks, out.size * 0.4e-9, out, key & 0xFFFFFFFF, key >> 32, block)


def check(out):
    if out.__class__ is not np.ndarray or out.dtype != np.float32 or not out.flags.carray:
        raise DtypeError("out must be a contiguous, aligned and writable array of float32")


@inlined
def philox(block, low, high):
    """The four words of a block, for the two words of a key."""
    a, b, c, d = block & LOW, block >> HALF, word(0), word(0)
    for _ in range(ROUNDS):
        first, second = a * FACTORS[0], c * FACTORS[1]
        a, b, c, d = (second >> HALF) ^ b ^ low, second & LOW, (first >> HALF) ^ d ^ high, first & LOW
        low, high = (low + STEPS[0]) & LOW, (high + STEPS[1]) & LOW
    return a, b, c, d


@inlined
def radius(a):
    """sqrt(-2 log u) for u = (a + 1/2) / 2^32."""
    u = (real(np.int64(a)) + real(0.5)) * OF_WORD
    pattern = real(u).view(np.int32)
    exponent = bits((pattern - ROOT_HALF) >> MANTISSA)  # u = m * 2^exponent, m from sqrt(1/2) to sqrt(2)
    m = bits(pattern - (exponent << MANTISSA)).view(np.float32)
    s = (m - real(1)) / (m + real(1))
    z = s * s
    log_m = s * (LOG[0] + z * (LOG[1] + z * (LOG[2] + z * (LOG[3] + z * LOG[4]))))
    return np.sqrt(real(-2) * (real(exponent) * LOG_2 + log_m))


@inlined
def direction(b):
    """The cosine and the sine of 2 pi b / 2^32."""
    turns = (b + EIGHTH) >> QUARTER  # the nearest number of right angles,
    r = real(bits(np.int64(b) - np.int64(turns << QUARTER))) * RADIANS  # and the rest, from -pi / 4 to pi / 4
    z = r * r
    sine = r * (SINE[0] + z * (SINE[1] + z * (SINE[2] + z * (SINE[3] + z * SINE[4]))))
    cosine = COSINE[0] + z * (COSINE[1] + z * (COSINE[2] + z * (COSINE[3] + z * COSINE[4])))
    odd = (turns & word(1)) != 0
    x = sine if odd else cosine
    y = cosine if odd else sine
    return -x if ((turns + word(1)) & word(2)) != 0 else x, -y if (turns & word(2)) != 0 else y


@inlined
def four(block, low, high):
    """The four normal numbers of a block."""
    a, b, c, d = philox(word(block), word(low), word(high))
    near, far = radius(a), radius(c)
    (x, y), (z, w) = direction(b), direction(d)
    return near * x, near * y, far * z, far * w


@Tasks
def normal_blocks(number, out, low, high, block):
    out, block = out[number * 4 * BLOCKS : (number + 1) * 4 * BLOCKS], block + number * BLOCKS
    whole = out.size // 4
    for i in range(whole):
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = four(block + i, low, high)
    if 4 * whole < out.size:
        last = four(block + whole, low, high)
        for i in range(4 * whole, out.size):
            out[i] = last[i % 4]


@inlined
def fraction(a):
    """A word as a number in [0, 1)."""
    return real(np.int64(a >> FRACTION)) * OF_FRACTION


@inlined
def four_fractions(block, low, high):
    """The four uniform numbers of a block."""
    a, b, c, d = philox(word(block), word(low), word(high))
    return fraction(a), fraction(b), fraction(c), fraction(d)


@Tasks
def uniform_blocks(number, out, low, high, block):
    out, block = out[number * 4 * BLOCKS : (number + 1) * 4 * BLOCKS], block + number * BLOCKS
    whole = out.size // 4
    for i in range(whole):
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = four_fractions(block + i, low, high)
    if 4 * whole < out.size:
        last = four_fractions(block + whole, low, high)
        for i in range(4 * whole, out.size):
            out[i] = last[i % 4]
