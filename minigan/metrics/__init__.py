"""Measures of what was generated, on features of any extractor. A score is named after its features."""

from minigan.metrics.frechet import frechet_distance

__all__ = ["frechet_distance"]
