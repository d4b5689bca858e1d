"""What pictures and reports have in common: names from outside in them, and figures as PNG files' bytes."""

import contextlib
import io
import unicodedata
import warnings
from collections.abc import Iterator

LONGEST = 32  # letters of a name in a picture
DIRECTIONS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}  # turn the text after them round


def printable(text: str, longest: int | None = None, lines: bool = False) -> str:
    """A name as it can be written, drawn and encoded anywhere: what would break that stands as \\n, \\x1b or \\udce9.

    longest: letters at most; a longer name loses its middle
    lines: whether ends of lines stay
    """
    kept = "".join(c if _is_plain(c) or (lines and c == "\n") else ascii(c)[1:-1] for c in text)
    if longest is None or len(kept) <= longest:
        return kept
    return f"{kept[: longest // 2]}…{kept[len(kept) - (longest - 1) // 2 :]}"


def _is_plain(letter):
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in DIRECTIONS


@contextlib.contextmanager
def drawing(**settings) -> Iterator[None]:
    """Within, matplotlib draws names as they are: a $ is a $, and a letter that its font lacks is an empty box."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False, **settings}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def png_of(figure) -> bytes:
    """A matplotlib figure as the bytes of a PNG file, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
