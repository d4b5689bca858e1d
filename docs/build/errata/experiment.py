"""An experiment: what it does, and what the page says of what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigan.errors import MiniganError


@dataclass(frozen=True)
class Experiment:
    """One or several statements of a document, and what happens if one does as they say.

    run: (images (N, 28, 28, 1) as uint8, folder for pictures, steps) -> figures, as JSON keeps them
    show: figures -> Markdown, to stand in the page
    steps: of each network that it trains, unless told otherwise; 0 where nothing is trained
    picture: the name of its picture, or None
    """

    name: str
    run: Callable[[np.ndarray, Path, int], dict]
    show: Callable[[dict], str]
    steps: int = 0
    picture: str | None = None


def table(heading: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is words, the others are numbers."""
    rule = ["---", *["--:" for _ in heading[1:]]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, rule, *rows))


def quoted(message: str) -> str:
    """An error's message as a block of code."""
    return f"```text\n{message}\n```"


def error_of(call: Callable[[], object]) -> str:
    """The class and message of the error that a call raises.

    raises AssertionError where it raises none, so that no page says that something fails which does not
    """
    try:
        call()
    except MiniganError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("this was meant to fail, and did not")


def short(number: float) -> str:
    """Three digits, with a power of ten where there would be many zeros."""
    return "0" if number == 0 else f"{number:.3g}" if 1e-3 <= abs(number) < 1e5 else f"{number:.1e}"
