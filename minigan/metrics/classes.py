"""What a classifier says of generated images: how sure it is, and which classes it sees."""

import numpy as np

from minigan.errors import ShapeError
from minigan.metrics.distances import Estimate, numbers

IMPOSSIBLE = -1e4  # of a logit below the largest: e to this power is 0
SEEN = 0.1  # of its share among real images: what a class needs to count as covered


def classifier_score(logits: np.ndarray, splits: int = 10, seed: int | None = 0) -> Estimate:
    """exp of the mean divergence KL(p(class | image) || p(class)): between 1, where the classifier says the same of all
    images, and the number of classes, where it is sure of each and sees all alike. With the 2015 Inception network it
    is known as the Inception Score.

    logits: (N, classes), N at least `splits`. Computed in float64
    splits: number of parts of the images, each with a p(class) of its own; a part of n images scores at most n
    seed: of the order that they are parted in, as a conditional model's images come by classes; None: as they come
    returns: the mean over the parts, and their standard deviation
    source: Salimans et al., arXiv:1606.03498, section 4
    """
    logits = numbers("classifier_score", logits)
    if splits < 1 or logits.ndim != 2 or len(logits) < splits or not logits.shape[1]:
        raise ShapeError(
            f"classifier_score: logits have shape {logits.shape}; they are (N, classes), at least one row for each of "
            f"{splits} splits, of which there is at least one"
        )
    if not np.isfinite(logits).all():
        raise ShapeError("classifier_score: the logits hold NaN or infinity, which say nothing of a class")
    if seed is not None:
        logits = logits[np.random.default_rng(seed).permutation(len(logits))]
    log_p = _log_softmax(logits)
    scores = []
    for part in np.array_split(log_p, splits):
        log_marginal = np.logaddexp.reduce(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - log_marginal)).sum(1).mean()))
    return Estimate(float(np.mean(scores)), float(np.std(scores)))


def _log_softmax(logits):
    with np.errstate(over="ignore"):  # to minus infinity, of logits as large as floats are
        logits = np.maximum(logits - logits.max(1, keepdims=True), IMPOSSIBLE)
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def classes_covered(made: np.ndarray, real: np.ndarray, classes: int, least: float = SEEN) -> int:
    """How many classes are there among generated images: those with at least a tenth of their share among real ones.

    made, real: (N,) integers from 0 to classes - 1: what a classifier says of generated images, and of real ones or
        their labels
    least: another part than a tenth; a class that the real images have not is not counted
    """
    shares = []
    for name, labels in (("made", made), ("real", real)):
        labels = np.asarray(labels)
        if labels.ndim != 1 or not labels.size or labels.dtype.kind not in "iu":
            raise ShapeError(f"classes_covered: {name} is {labels.dtype} {labels.shape}, but (N,) integers are classes")
        if labels.min() < 0 or labels.max() >= classes:
            raise ShapeError(
                f"classes_covered: {name} runs from {labels.min()} to {labels.max()}, of {classes} classes"
            )
        shares.append(np.bincount(labels, minlength=classes) / len(labels))
    made_share, real_share = shares
    return int(np.sum((made_share >= least * real_share) & (real_share > 0) & (made_share > 0)))
