"""The strategies of the kernels' own tests, for those of the CUDA kernels."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "kernels"))

from geometries import *  # noqa: F403
