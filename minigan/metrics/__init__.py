"""Measures of what was generated or restored. A score on features is named after them."""

from minigan.metrics.classes import classes_covered, classifier_score
from minigan.metrics.estimate import Estimate
from minigan.metrics.frechet import Moments, RunningMoments, frechet_distance, moments
from minigan.metrics.kernel import kernel_distance
from minigan.metrics.likeness import psnr, ssim
from minigan.metrics.neighbours import PrecisionRecall, nearest, precision_recall

__all__ = [
    "Estimate",
    "Moments",
    "PrecisionRecall",
    "RunningMoments",
    "classes_covered",
    "classifier_score",
    "frechet_distance",
    "kernel_distance",
    "moments",
    "nearest",
    "precision_recall",
    "psnr",
    "ssim",
]
