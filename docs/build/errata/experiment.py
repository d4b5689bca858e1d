"""An experiment: what it does, and how the page shows its results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigan.errors import MiniganError


@dataclass(frozen=True)
class Experiment:
    """What happens if one follows the statements of a document.

    run: (images (N, 28, 28, 1) as uint8, folder for pictures, steps) -> figures for a JSON file
    show: figures -> Markdown for the page
    steps: the default number of training steps per network; 0 without training
    picture: the name of its picture, or None
    """

    name: str
    run: Callable[[np.ndarray, Path, int], dict]
    show: Callable[[dict], str]
    steps: int = 0
    picture: str | None = None


def table(heading: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with text in the first column and numbers in the others."""
    rule = ["---", *["--:" for _ in heading[1:]]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, rule, *rows))


def quoted(message: str) -> str:
    """An error message as a code block."""
    return f"```text\n{message}\n```"


def error_of(call: Callable[[], object]) -> str:
    """The class and message of the error that a call raises.

    raises AssertionError if it raises none, so that the page never reports an error that does not happen
    """
    try:
        call()
    except MiniganError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("this was meant to fail, and did not")


def short(number: float) -> str:
    """Three digits, in scientific notation for very small or large numbers."""
    return "0" if number == 0 else f"{number:.3g}" if 1e-3 <= abs(number) < 1e5 else f"{number:.1e}"
