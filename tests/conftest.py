"""Hypothesis profiles: a modest number of examples, always the same; `HYPOTHESIS_PROFILE=explore` for many new ones."""

import os

from hypothesis import HealthCheck, settings

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", derandomize=True, max_examples=40, database=None, **_common)
settings.register_profile("explore", max_examples=200, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
