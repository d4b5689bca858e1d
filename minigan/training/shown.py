"""What a run's report shows that other kinds of training do not have. It is kept in config.json, as plain JSON."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Curves:
    """One figure of curves over the steps.

    lines: a label for each curve -> the number's name in the records
    percent: they are shares, drawn from 0% to 100%
    """

    title: str
    lines: dict[str, str]
    percent: bool = False


@dataclass(frozen=True)
class Shown:
    """The parts of a report that a kind of training words itself.

    caption: what the grids show, before "after step 300"
    along: a sentence on the grids along the way
    curves, about_curves: figures, and a sentence on how to read them
    facts: a label -> the name in the records of a number, whose mean over the last steps is shown at the top
    results: a label -> what was measured at the end, shown at the top before all else
    settings: rows of the table of settings, besides those of all runs
    pictures: the names of `Loop.pictures()` -> what each shows
    """

    caption: str = "Results"
    along: str = ""
    curves: tuple[Curves, ...] = ()
    about_curves: str = "Lines are means of a few steps, bands their range."
    facts: dict[str, str] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict:
        """All of it as JSON keeps it."""
        return asdict(self)
