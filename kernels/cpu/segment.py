"""Sums of the rows of each segment, in float64. Threads would have little to do: memory is what they would wait for."""

import numpy as np

from minigan.kernels import reference
from minigan.kernels.cpu.arrays import DTYPES, plain
from minigan.kernels.cpu.compile import called_from_python


def segment_sum(rows, segments, count):
    if rows.dtype not in DTYPES:
        return reference.segment_sum(rows, segments, count)
    (rows,) = plain(rows)
    sums = np.zeros((count, rows.shape[1]))
    add_rows(rows, np.array(segments, np.int64), sums)
    return sums.astype(rows.dtype, copy=False)


@called_from_python
def add_rows(rows, segments, sums):
    for i in range(segments.size):
        row = segments[i]
        for column in range(rows.shape[1]):
            sums[row, column] += rows[i, column]
