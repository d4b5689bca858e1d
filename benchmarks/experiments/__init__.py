"""Experiments that train: `python -m benchmarks.experiments.NAME --help`. docs/documents.md has their results."""
