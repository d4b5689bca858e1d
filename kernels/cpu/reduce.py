"""Sums and moments over any axes of an array, viewed as (images, rows, channels): the rows are reduced.

Sums are kept in float64, so equal numbers have their exact mean, however many there are. A task is a part of the rows,
or several small images; the tasks' results are joined in order, so that the result does not depend on the number of
threads. Several short rows form one line, and long rows are cut into pieces: loops are long, and lines fit the L1
cache, for any number of channels.
"""

import functools
from typing import NamedTuple

import numpy as np

from minigan.kernels import reference
from minigan.kernels.cpu.runtime.compile import called_from_python, kernel, outlined
from minigan.kernels.cpu.runtime.threads import DTYPES, PerThread, Tasks, misfit, plain, share
from minigan.kernels.cpu.runtime.vectors import clear_run, copy_run

SMALL = 1 << 12  # elements: up to here NumPy is faster than sharing the work
TASK = 1 << 15  # approximate elements per task
WIDTH, LINES = 512, 8  # approximate elements per line, and lines per block
LONGEST = 1024  # maximal channels per piece of a row


class Cut(NamedTuple):
    """How (images, rows, channels) are cut into places: each is a piece of some rows of an image."""

    images: int
    rows: int
    channels: int
    part: int  # rows per place
    piece: int  # channels per place
    width: int  # elements per line
    each: int  # places per task


@functools.lru_cache(maxsize=1024)
def cut_of(images, rows, channels):
    """(the Cut, parts of an image, tasks) of an array."""
    piece = max(min(channels, LONGEST), 1)
    part = max(min(TASK // piece, rows), 1)
    width = piece
    while 2 * width <= WIDTH and 2 * width * LINES <= part * piece:
        width *= 2
    parts, places = -(-rows // part), images * -(-rows // part) * -(-channels // piece)
    each = max(TASK // (part * piece), 1)
    return Cut(images, rows, channels, part, piece, width, each), parts, -(-places // each)


def sum_over(x, axes):
    cut, parts, tasks, between, left = plan(x.shape, axes)
    if x.size <= SMALL or cut.rows == 1:
        return reference.sum_over(x, axes)
    (x,) = plain(x)
    found = np.empty((cut.images, parts, cut.channels))
    share(sum_places, tasks, x.size * 0.2e-9, x, cut, found, PerThread("exact sums", cut.width, found.dtype))
    return found.sum(axis=1).reshape(between).sum(axis=left).reshape(kept(x.shape, axes))


def moments_over(x, axes):
    cut, parts, tasks, between, left = plan(x.shape, axes)
    if x.size <= SMALL or cut.rows == 1:
        return reference.moments_over(x, axes)
    (x,) = plain(x)
    found = moments_of(x, cut, parts, tasks)
    counts = np.minimum(cut.part, cut.rows - np.arange(0, cut.rows, cut.part))
    mean, squares = join(found[:, :, 0], found[:, :, 1], counts[:, None], (1,))
    mean, squares = join(mean.reshape(between), squares.reshape(between), np.float64(cut.rows), left)
    return mean.reshape(kept(x.shape, axes)), squares.reshape(kept(x.shape, axes))


def moments_of(x, cut, parts, tasks):
    """The mean of each part of an image, and the sum of squared distances from it: (images, parts, 2, channels)."""
    found = np.empty((cut.images, parts, 2, cut.channels))
    exact = PerThread("exact sums", cut.width, found.dtype)
    sums, means = PerThread("sums", cut.width, x.dtype), PerThread("means", cut.width, x.dtype)
    share(moments_of_places, tasks, x.size * 0.3e-9, x, cut, found, exact, sums, means)
    return found


def join(means, squares, counts, axes):
    """Combine the moments of parts along some axes.

    means, squares: each part's mean, and its sum of squared distances from that mean
    counts: the number of elements of each part
    returns: the two of the whole

    source: Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983
    """
    if not axes:
        return means, squares
    weights = np.broadcast_to(counts, means.shape)
    mean = (means * weights).sum(axis=axes, keepdims=True) / weights.sum(axis=axes, keepdims=True)
    return mean, (squares + weights * np.square(means - mean)).sum(axis=axes)


def bias_sum(g):
    return sum_over(g, (0,)).astype(g.dtype)


@functools.lru_cache(maxsize=1024)
def plan(shape, axes):
    """How an array is reduced over axes that need not be adjacent.

    returns: how `cut_of` cuts it to reduce the longest run of axes; the resulting shape; which of its axes remain to be
        reduced
    """
    runs = []  # [size, whether it is reduced]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if runs and runs[-1][1] == (axis in axes):
            runs[-1][0] *= size
        else:
            runs.append([size, axis in axes])
    longest = max((i for i, (_, reduced) in enumerate(runs) if reduced), key=lambda i: runs[i][0], default=len(runs))
    before, rows, after = runs[:longest], runs[longest : longest + 1] or [[1, True]], runs[longest + 1 :]
    images, channels = (int(np.prod([size for size, _ in some])) for some in (before, after))
    left = [*before, *after]
    cut = cut_of(images, rows[0][0], channels)
    return *cut, tuple(size for size, _ in left), tuple(i for i, (_, reduced) in enumerate(left) if reduced)


def kept(shape, axes):
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


# ------------------------------------------------------------------------------------------ tasks


@kernel
def place_at(place, cut):
    """(the first and the last element of a place, elements from one line to the next, of a line, and of a row)."""
    pieces = (cut.channels + cut.piece - 1) // cut.piece
    parts = (cut.rows + cut.part - 1) // cut.part
    at, piece = divmod(place, pieces)
    image, part = divmod(at, parts)
    left, top = piece * cut.piece, part * cut.part
    right, bottom = min(left + cut.piece, cut.channels), min(top + cut.part, cut.rows)
    first = (image * cut.rows + top) * cut.channels + left
    last = (image * cut.rows + bottom - 1) * cut.channels + right
    if pieces > 1:
        return first, last, cut.channels, right - left, right - left
    return first, last, cut.width, cut.width, cut.channels


@kernel
def finding_of(place, count, cut):
    """The index at which the results of a place begin, in an array (images * parts, count, channels)."""
    pieces = (cut.channels + cut.piece - 1) // cut.piece
    return place // pieces * count * cut.channels + place % pieces * cut.piece


@kernel
def places_of(number, cut):
    """The places of a task."""
    parts = (cut.rows + cut.part - 1) // cut.part
    places = cut.images * parts * ((cut.channels + cut.piece - 1) // cut.piece)
    return range(number * cut.each, min((number + 1) * cut.each, places))


@outlined
def fold(sums, channels):
    """Add the rows of a line into its first row, pairwise: this rounds less than adding one after another."""
    size = sums.size // 2
    while size >= channels:
        left, right = sums[:size], sums[size : 2 * size]
        for i in range(size):
            left[i] += right[i]
        size //= 2


@kernel
def repeat(line, channels):
    """Write the first row of a line into its others."""
    while channels < line.size:
        copy_run(line, 0, line, channels, channels)
        channels *= 2


@outlined
def add_lines(x, first, last, step, line, sums):
    """Add the lines of x from `first` to `last`, `step` apart, to sums; eight at a time as long as there are eight."""
    sums, at = sums[:line], first
    while at + 7 * step + line <= last:
        a, b, c, d = x[at:], x[at + step :], x[at + 2 * step :], x[at + 3 * step :]
        e, f, g, h = x[at + 4 * step :], x[at + 5 * step :], x[at + 6 * step :], x[at + 7 * step :]
        for i in range(line):
            near = (np.float64(a[i]) + np.float64(b[i])) + (np.float64(c[i]) + np.float64(d[i]))
            sums[i] += near + ((np.float64(e[i]) + np.float64(f[i])) + (np.float64(g[i]) + np.float64(h[i])))
        at += 8 * step
    while at < last:
        some = x[at : min(at + line, last)]
        for i in range(some.size):
            sums[i] += some[i]
        at += step


@kernel
def sum_of(some):
    """A sum in registers."""
    total = 0.0
    for i in range(some.size):
        total += some[i]
    return total


@Tasks
def sum_places(number, x, cut, found, sums):
    for place in places_of(number, cut):
        first, last, step, line, row = place_at(place, cut)
        to = finding_of(place, 1, cut)
        if cut.channels == 1:
            found[to] = sum_of(x[first:last])
            continue
        clear_run(sums, 0, line)
        add_lines(x, first, last, step, line, sums)
        fold(sums[:line], row)
        copy_run(sums, 0, found, to, row)


@Tasks
def moments_of_places(number, x, cut, found, exact, sums, means):
    """The mean of each channel of a place, and the sum of squared distances from it."""
    for place in places_of(number, cut):
        first, last, step, line, row = place_at(place, cut)
        to = finding_of(place, 2, cut)
        if cut.channels == 1:
            found[to], found[to + 1] = moments_of_row(x[first:last])
            continue
        mean, squares = found[to : to + row], found[to + cut.channels : to + cut.channels + row]
        clear_run(mean, 0, row)
        clear_run(squares, 0, row)
        for start in range(first, last, LINES * step):
            stop = min(start + (LINES - 1) * step + line, last)
            add_block(x, start, stop, step, line, row, (start - first) // step * (line // row), mean, squares,
                      exact[:line], sums[:line], means[:line])  # fmt: skip


@kernel
def moments_of_row(some):
    """Like moments_of_places, for one channel, in registers."""
    average, squares = sum_of(some) / some.size, 0.0
    near = some.dtype.type(average)
    for i in range(some.size):
        distance = some[i] - near
        squares += distance * distance
    rest = average - near
    return average, squares - rest * rest * some.size


@outlined
def add_block(x, start, stop, step, line, row, before, mean, squares, exact, sums, means):
    """Update the moments of `before` rows to include the rows of this block.

    Distances are measured from the block's mean rounded to the arrays' dtype, and corrected for that at the end.
    source: Chan, Golub & LeVeque, Algorithms for computing the sample variance, 1983
    """
    count = ((stop - start - 1) // step * line + (stop - start - 1) % step + 1) // row
    clear_run(exact, 0, line)
    add_lines(x, start, stop, step, line, exact)
    fold(exact, row)
    for c in range(row):
        average = exact[c] / count
        means[c] = average
        distance, rest = average - mean[c], average - means[c]
        mean[c] += distance * count / (before + count)
        squares[c] += distance * distance * before * count / (before + count) - rest * rest * count
    repeat(means, row)
    clear_run(sums, 0, line)
    for at in range(start, stop, step):
        some = x[at : min(at + line, stop)]
        for i in range(some.size):
            distance = some[i] - means[i]
            sums[i] += distance * distance
    fold(sums, row)
    for c in range(row):
        squares[c] += sums[c]


# ------------------------------------------------------------------------------------------ segments


def segment_sum(rows, segments, count):
    """Sums of the rows of each segment, in float64. Threads would not help: memory is the bottleneck."""
    if rows.dtype not in DTYPES:
        return reference.segment_sum(rows, segments, count)
    (rows,), segments = plain(rows), np.array(segments, np.int64)
    if segments.shape != rows.shape[:1]:
        misfit("segment_sum", rows, segments)
    if segments.size and not 0 <= segments.min() <= segments.max() < count:
        raise IndexError(f"segment_sum: segments go from {segments.min()} to {segments.max()}, but there are {count}")
    sums = np.zeros((count, rows.shape[1]))
    add_rows(rows, segments, sums)
    return sums.astype(rows.dtype, copy=False)


@called_from_python
def add_rows(rows, segments, sums):
    for i in range(segments.size):
        row = segments[i]
        for column in range(rows.shape[1]):
            sums[row, column] += rows[i, column]
