"""Binary cross-entropy with logits, and its gradient: loss.cu."""

import numpy as np

from minigan.errors import ShapeError
from minigan.kernels.cuda.columns import cut
from minigan.kernels.cuda.launch import THREADS, contiguous, each, empty, run
from minigan.kernels.cuda.reduce import join_sums, zeros


def binary_cross_entropy_sum(logits, targets):
    """The sum of the binary cross-entropies between the targets and sigmoid(logits): ().

    targets: probabilities in [0, 1], an array of the logits' shape or one number for all
    """
    logits, targets, *number = passed_on("binary_cross_entropy_sum", logits, targets)
    if not logits.size:
        return zeros((), logits)
    how = cut(logits.size, 1)
    partial = empty((how.runs, 1), logits, np.float64)
    sizes = logits.size, how.run
    run("loss.cu", "cross_entropy_sums", (how.blocks, THREADS), logits, targets, partial, *number, *sizes)
    return join_sums(partial, logits).reshape(())


def binary_cross_entropy_excess(logits, targets):
    """sigmoid(logits) - targets, the gradient of the sum with respect to the logits, in their shape."""
    logits, targets, *number = passed_on("binary_cross_entropy_excess", logits, targets)
    excess = empty(logits.shape, logits)
    if logits.size:
        how = each(logits.size)
        run("loss.cu", "cross_entropy_excess", how, logits, targets, excess, *number, logits.size)
    return excess


def passed_on(call, logits, targets):
    """The kernels' arguments: (logits, targets, one target for all, whether the targets are an array)."""
    (logits,) = contiguous(logits)
    if np.isscalar(targets):
        return logits, logits, float(targets), 0  # the kernel does not read its targets
    if targets.shape != logits.shape:
        raise ShapeError(f"{call}: logits have shape {logits.shape}, targets {targets.shape}; they have to be the same")
    (targets,) = contiguous(targets if targets.dtype == logits.dtype else targets.astype(logits.dtype))
    return logits, targets, 0.0, 1
