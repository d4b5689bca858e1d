"""Sums of the rows of each segment, in float64. Threads would have little to do: memory is what they would wait for."""

import numpy as np

from minigan.kernels import reference
from minigan.kernels.cpu.arrays import DTYPES, misfit, plain
from minigan.kernels.cpu.compile import called_from_python


def segment_sum(rows, segments, count):
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
