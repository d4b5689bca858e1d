"""Sums of the rows of each segment. Threads would have little to do: memory is what they would wait for."""

import numpy as np

from minigan.kernels import reference
from minigan.kernels.cpu.arrays import DTYPES, plain
from minigan.kernels.cpu.compile import called_from_python


def segment_sum(rows, segments, count):
    if rows.dtype not in DTYPES:
        return reference.segment_sum(rows, segments, count)
    (rows,) = plain(rows)
    sums = np.zeros((count, rows.shape[1]), rows.dtype)
    add_rows(rows, np.array(segments, np.int64), sums)
    return sums


@called_from_python
def add_rows(rows, segments, sums):
    for i in range(segments.size):
        row = segments[i]
        for column in range(rows.shape[1]):
            sums[row, column] += rows[i, column]
