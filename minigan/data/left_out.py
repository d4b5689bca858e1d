"""What was found where a data set lies, and is not in it."""

from collections.abc import Iterable

NAMED = 3  # files named for each reason


class LeftOut:
    """Files and folders that a data set was not made from, by reason.

    left_out.add("hidden", ".DS_Store")
    left_out.words()  # "1 file: hidden (.DS_Store)"
    """

    def __init__(self):
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, *names: str) -> None:
        """Count names under a reason, which is said after the number: "3 hidden"."""
        if names:
            self._names.setdefault(reason, []).extend(names)

    def remove(self, reason: str, *names: str) -> None:
        """Count these names no longer."""
        kept = [name for name in self._names.pop(reason, []) if name not in names]
        self.add(reason, *kept)

    def names(self, reason: str) -> list[str]:
        """What was left out for a reason."""
        return self._names.get(reason, [])

    @classmethod
    def together(cls, *parts: "LeftOut") -> "LeftOut":
        """What several count, in one."""
        all_of_them = cls()
        for part in parts:
            for reason, names in part._names.items():
                all_of_them.add(reason, *names)
        return all_of_them

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
        several = len(self._names) > 1  # else the total is the number
        parts = [
            f"{f'{len(names):,} ' if several else ''}{reason} ({named(names)})" for reason, names in self._names.items()
        ]
        return f"{counted(len(self), 'file')}: {', '.join(parts)}"

    def __repr__(self) -> str:
        return f"LeftOut({self.words() or 'nothing'})"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 file", "1,200 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
