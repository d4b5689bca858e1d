"""Measures of what was generated or restored. A score on features is named after them."""

from minigan.metrics.frechet import frechet_distance
from minigan.metrics.likeness import psnr, ssim

__all__ = ["frechet_distance", "psnr", "ssim"]
