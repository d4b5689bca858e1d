"""Measurements, side by side with other engines in one run: `python -m benchmarks SUITE --peer torch`."""
