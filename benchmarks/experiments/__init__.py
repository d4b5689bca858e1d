"""Experiments that train: `python -m benchmarks.experiments.NAME --help`. What they find is in docs/documents.md."""
