"""Read files that minigan wrote, and check their size, their format and the types of their fields."""

import json
import math
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigan.errors import RunError
from minigan.kinds import KINDS

LARGEST = 1 << 28  # bytes of a JSON file; minigan's are far smaller
Check = Callable[[Any], bool]


def content_of(path: Path, most: int | None = None) -> bytes:
    """Return a file's bytes. Raises RunError if it is missing, not regular, too large, or cannot be read."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise RunError(f"{path}: not a regular file")
        if most is not None and found.st_size > most:
            raise RunError(f"{path}: has {found.st_size:,} bytes, but minigan writes no more than {most:,} there")
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: cannot be read (there is no such file)") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path}: cannot be read ({error})") from error


def json_of(path: Path) -> Any:
    """Parse a JSON file. Raises RunError if it cannot be read or is not JSON."""
    return parsed(path, content_of(path, LARGEST))


def parsed(path: Path, text: str | bytes) -> Any:
    """Parse JSON text. Raises RunError with the file's path if it is not JSON or repeats a name in an object."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error


def _without_repeats(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in an object")
    return found


def check_format(path: Path, found: Any, ours: str, otherwise: str) -> None:
    """Raise RunError unless a file's format is `ours`, as "minigan-run-1"; otherwise: the message if it has none."""
    if found == ours:
        return
    if isinstance(found, str) and found.rpartition("-")[0] == ours.rpartition("-")[0]:
        raise RunError(f"{path}: its format is {found}, but this version of minigan reads {ours}; update minigan")
    raise RunError(f"{path}: {otherwise}")


def check_fields(path: Path, found: Any, fields: dict[str, Check], required: tuple[str, ...] = ()) -> dict:
    """Return the record if it is a dict with all required fields and every known field has the right type.

    raises RunError with the file's path and the field
    """
    if not isinstance(found, dict):
        raise RunError(f"{path}: not a file that minigan wrote")
    for name in required:
        if name not in found:
            raise RunError(f"{path}: damaged; {name!r} is missing")
    for name, fits in fields.items():
        if name in found and not fits(found[name]):
            shown = repr(found[name])
            raise RunError(
                f"{path}: damaged; its {name!r} is {shown[:60]}{'...' if len(shown) > 60 else ''}, which minigan "
                "does not write"
            )
    return found


# ------------------------------------------------------------------------------------- types of fields


def text(value: Any) -> bool:
    return isinstance(value, str)


def count(value: Any) -> bool:
    """A whole number from 0 that fits in 63 bits."""
    return type(value) is int and 0 <= value < 1 << 63


def number(value: Any) -> bool:
    """A number that fits in a float. Infinity is allowed: it is the PSNR of equal images."""
    return type(value) is float or (type(value) is int and abs(value) < 1 << 63)


def shape(value: Any) -> bool:
    """Height, width and channels of images."""
    return isinstance(value, list) and len(value) == 3 and all(count(n) and 1 <= n <= 1 << 16 for n in value)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def either(*checks: Check) -> Check:
    return lambda value: any(fits(value) for fits in checks)


def maybe(fits: Check) -> Check:
    """Also accept None."""
    return lambda value: value is None or fits(value)


def list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def table_of(fits: Check) -> Check:
    """A dict whose values all pass the check."""
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def record(required: tuple[str, ...] = (), **fields: Check) -> Check:
    """A dict with a separate check for each field."""
    return lambda value: (
        isinstance(value, dict)
        and all(name in value for name in required)
        and all(fits(value[name]) for name, fits in fields.items() if name in value)
    )


def finite(value: Any) -> bool:
    return number(value) and math.isfinite(value)


anything = record()
scalar = maybe(either(text, number, flag))

SHOWN = record(
    caption=text,
    along=text,
    about_curves=text,
    curves=list_of(record(("title", "lines", "percent"), title=text, lines=table_of(text), percent=flag)),
    facts=table_of(text),
    results=table_of(text),
    settings=table_of(scalar),
    pictures=table_of(text),
)
CONFIG = {
    "kind": lambda value: text(value) and value in KINDS,
    "model": text,
    "options": anything,
    "image_shape": shape,
    "data": text,
    "images": count,
    "augment": maybe(anything),
    "steps": count,
    "epochs": maybe(count),
    "batch": count,
    "run": text,
    "seed": lambda value: type(value) is int and value >= 0,
    "device": text,
    "recipe": record(objective=text),
    "start": maybe(list_of(text)),
    "frozen": list_of(text),
    "steps_done": count,
    "outcome": text,
    "parameters": table_of(count),
    "networks": table_of(text),
    "results": record(digest=text),
    "shown": SHOWN,
    "peak_memory": maybe(count),
    "pruned": anything,
}
ENVIRONMENT = table_of(scalar)
LOG = table_of(maybe(number))
