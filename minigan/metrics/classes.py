"""Measures from a classifier's predictions for generated images: its confidence, and the classes that occur."""

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.distances import Estimate, numbers

IMPOSSIBLE = -1e4  # a logit this far below the largest has probability 0
SEEN = 0.1  # a class is covered if its share is at least this part of its share among real images


def classifier_score(logits: np.ndarray, splits: int = 10, seed: int | None = 0) -> Estimate:
    """exp of the mean divergence KL(p(class | image) || p(class)). It is 1 if all images have the same prediction, and
    the number of classes if all predictions are certain and all classes equally frequent. With the 2015 Inception
    network, this is the Inception Score.

    logits: (N, classes), N at least `splits`. Computed in float64
    splits: number of parts, each with its own p(class); a part of n images scores at most n
    seed: for shuffling the images before splitting, since a conditional model's images are sorted by class; None keeps
        their order
    returns: the mean over the parts, and their standard deviation
    source: Salimans et al., arXiv:1606.03498, section 4
    """
    logits = numbers("classifier_score", logits)
    if splits < 1 or logits.ndim != 2 or len(logits) < splits or not logits.shape[1]:
        raise ShapeError(
            f"classifier_score: logits have shape {logits.shape}, splits is {splits}; expected (N, classes), with at "
            "least one split and one row for each"
        )
    if not np.isfinite(logits).all():
        raise ShapeError("classifier_score: the logits contain NaN or infinity")
    if seed is not None:
        logits = logits[np.random.default_rng(seed).permutation(len(logits))]
    log_p = _log_softmax(logits)
    scores = []
    for part in np.array_split(log_p, splits):
        log_marginal = np.logaddexp.reduce(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - log_marginal)).sum(1).mean()))
    return Estimate(float(np.mean(scores)), float(np.std(scores)))


def _log_softmax(logits):
    with np.errstate(over="ignore"):  # differences of huge logits may overflow to minus infinity
        logits = np.maximum(logits - logits.max(1, keepdims=True), IMPOSSIBLE)
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def classes_covered(made: np.ndarray, real: np.ndarray, classes: int, least: float = SEEN) -> int:
    """Count the classes whose share among generated images is at least a tenth of their share among real ones.

    made, real: (N,) integers from 0 to classes - 1: predictions for generated images; labels of real ones or
        predictions for them
    least: the part of a class's share that counts, a tenth by default
    Classes without real images are not counted.
    """
    shares = []
    for name, labels in (("made", made), ("real", real)):
        labels = np.asarray(labels)
        if labels.ndim != 1 or not labels.size or labels.dtype.kind not in "iu":
            raise ShapeError(f"classes_covered: {name} is {labels.dtype} {labels.shape}, expected integers (N,)")
        if labels.min() < 0 or labels.max() >= classes:
            raise ShapeError(
                f"classes_covered: {name} runs from {labels.min()} to {labels.max()}, but there are {classes} classes"
            )
        shares.append(np.bincount(labels, minlength=classes) / len(labels))
    made_share, real_share = shares
    return int(np.sum((made_share >= least * real_share) & (real_share > 0) & (made_share > 0)))
