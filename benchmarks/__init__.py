"""Benchmarks beside other engines in one run: `python -m benchmarks SUITE --peer torch`."""
