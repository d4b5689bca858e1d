"""What was found where a data set lies, and is not in it."""

from collections.abc import Iterable

NAMED = 3  # files named for each reason


class LeftOut:
    """Files and folders that a data set was not made from, by reason.

    left_out.add("not an image", "cat/notes.txt")
    left_out.words()  # "1 file: not an image (cat/notes.txt)"
    """

    def __init__(self):
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, *names: str) -> None:
        """Count names under a reason, which reads well after "3 files: "."""
        if names:
            self._names.setdefault(reason, []).extend(names)

    def update(self, other: "LeftOut") -> None:
        """Count what another one counts too."""
        for reason, names in other._names.items():
            self.add(reason, *names)

    def __len__(self) -> int:
        """How many files and folders were left out."""
        return sum(map(len, self._names.values()))

    def plain(self) -> dict[str, int]:
        """How many for each reason."""
        return {reason: len(names) for reason, names in self._names.items()}

    def words(self) -> str:
        """How many, why, and some by name; "" where nothing was left out."""
        if not self:
            return ""
        parts = [
            f"{reason} ({named(names)})" if len(self._names) == 1 else f"{len(names):,} {reason} ({named(names)})"
            for reason, names in self._names.items()
        ]
        return f"{len(self):,} {'file' if len(self) == 1 else 'files'}: {'; '.join(parts)}"

    def __repr__(self) -> str:
        return f"LeftOut({self.words() or 'nothing'})"


def named(names: Iterable[str], most: int = NAMED) -> str:
    """The first names, and that there are more. Characters that cannot be printed are escaped."""
    names = list(names)
    shown = ", ".join(printable(name) for name in names[:most])
    return f"{shown}, ..." if len(names) > most else shown


def printable(name: str) -> str:
    """A name that any terminal can show: escapes for control characters and for bytes that are not UTF-8."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in name
    )
