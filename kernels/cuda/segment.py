"""Sums of the rows in each segment: segment.cu."""

import numpy as np

from minigan.kernels.cuda.launch import contiguous, each, empty, run
from minigan.kernels.cuda.reduce import zeros


def segment_sum(rows, segments, count):
    (rows,) = contiguous(rows)
    sums, (n, width) = zeros((count, rows.shape[1]), rows), rows.shape
    if rows.size:
        segments = segments.astype(np.int64)
        order = empty((n,), segments)
        run("segment.cu", "order_by_segment", each(n), segments, order, n, real=rows.dtype)
        run("segment.cu", "segment_sums", each(rows.size), rows, segments, order, sums, n, width)
    return sums
