"""Measures of generated and restored images, computed from features, logits or pixels."""

from minigan.metrics.classes import classes_covered, classifier_score
from minigan.metrics.distances import Estimate, Moments, RunningMoments, frechet_distance, kernel_distance, moments
from minigan.metrics.neighbours import PrecisionRecall, nearest, precision_recall
from minigan.metrics.similarity import psnr, ssim

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
