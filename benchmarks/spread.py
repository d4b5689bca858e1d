"""Mean and standard deviation of measurements, as the tables have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float], form: str = ",.1f") -> str:
    """ "12.3 ± 0.4", by the mean and the sample's standard deviation; of one value no deviation."""
    deviation = f" ± {np.std(values, ddof=1):{form.removeprefix('+')}}" if len(values) > 1 else ""
    return f"{np.mean(values):{form}}{deviation}"
