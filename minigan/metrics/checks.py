"""What measures ask of features."""

import numpy as np

from minigan.errors import ShapeError


def numbers(measure: str, given) -> np.ndarray:
    """An array in float64. Raises ShapeError for what is no array of real numbers, or has masked ones."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ShapeError(f"{measure}: its rows are of different lengths") from error
    if array.dtype.kind not in "biuf" or np.ma.is_masked(given):
        what = "partly masked" if np.ma.is_masked(given) else array.dtype
        raise ShapeError(f"{measure}: what it was given is {what}, but it takes real numbers")
    return array.astype(np.float64)


def pair(measure: str, first: np.ndarray, second: np.ndarray, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features in float64. Raises ShapeError where they are not (N, D), the same D, at least `least` rows;
    or where a number in them is not finite."""
    first, second = (numbers(measure, features) for features in (first, second))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < least:
        rows = {1: "one row", 2: "two rows"}.get(least, f"{least} rows")
        raise ShapeError(
            f"{measure}: features have shapes {first.shape} and {second.shape}; "
            f"they are (N, D) with the same D and at least {rows}"
        )
    for name, features in (("first", first), ("second", second)):
        if not np.isfinite(features).all():
            raise ShapeError(f"{measure}: the {name} features hold NaN or infinity, of which there is no distance")
    return first, second
