"""Hypothesis profiles: a modest number of examples, always the same; `HYPOTHESIS_PROFILE=explore` for many new ones."""

import os

from hypothesis import HealthCheck, Phase, settings

_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", derandomize=True, max_examples=40, database=None, **_common)
settings.register_profile("explore", max_examples=200, **_common)
_first = {"phases": (Phase.explicit, Phase.generate), "report_multiple_bugs": False}  # that fails is enough to know
settings.register_profile("first", derandomize=True, max_examples=40, database=None, **_first, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
