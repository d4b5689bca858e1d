"""What people answered to one page, put together: shares, and how sure they are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigan.errors import DataError, RunError
from minigan.evaluation.intervals import Interval, aligned, percent, pigeonhole, wilson
from minigan.evaluation.people import ANSWERS, MOST, REAL, SAID, VERDICTS
from minigan.training import reading

SHARES = {
    "right": "judged rightly",
    "made_as_real": "generated images taken for real",
    "real_as_real": "real images taken for real",
}
FEW = 10  # people; what fewer differ by says little of what others do


@dataclass(frozen=True)
class Share:
    """number of count answers, their share, and Wilson's 95% interval of it, as if each were given for itself.

    of_people: the 95% interval for other people and other images, by the pigeonhole bootstrap; None for one person
    """

    number: int
    count: int
    share: float
    interval: Interval
    of_people: Interval | None = None

    @property
    def widest(self) -> Interval:
        """From the lowest end of its intervals to the highest."""
        found = (self.interval, self.of_people or self.interval)
        return Interval(min(each.low for each in found), max(each.high for each in found))


@dataclass(frozen=True)
class Shares:
    """right: of all images, those judged rightly; made_as_real, real_as_real: of either kind, those taken for real."""

    right: Share
    made_as_real: Share
    real_as_real: Share


@dataclass(frozen=True)
class Person:
    """One person's answers. name: by which the page knows them; seconds: the median time of an answer."""

    name: str
    seconds: float
    shares: Shares


@dataclass(frozen=True)
class Answered:
    """What was answered to a page.

    page: its name; count: images of each kind
    people: each person, in the order of the files
    pooled: shares of all answers
    taken: (2 count,), the share of people who took an image for real; first the real images in the order in which the
        page was given them, then the generated ones
    """

    page: str
    count: int
    people: tuple[Person, ...]
    pooled: Shares
    taken: np.ndarray

    @property
    def verdict(self) -> str:
        """What the share that was judged rightly means, in words; both its intervals have to be beside 50%."""
        return verdict(self.pooled.right.widest)

    def plain(self) -> dict:
        """All of it, as JSON keeps it."""
        plain = {**asdict(self), "taken": self.taken.tolist(), "verdict": self.verdict}
        for shares in (plain["pooled"], *(person["shares"] for person in plain["people"])):
            for share in shares.values():
                for name in ("interval", "of_people"):
                    share[name] = share[name] and list(share[name])
        return plain


def answered(files: Iterable[str | os.PathLike]) -> Answered:
    """Put together what several people saved of one page.

    files: each as the page saves it, of another person; a single one may stand by itself
    raises DataError for what is no path, a file that is damaged or not of this kind, of another page, or there twice
    """
    try:
        files = [Path(file) for file in ([files] if isinstance(files, str | os.PathLike) else files)]
    except TypeError as error:
        raise DataError(f"answered: {files!r} are no paths of files; a page's answers are saved as .json") from error
    if not files:
        raise DataError("answered: there are no files; a page's answers are saved when all are given")
    saved = [_read(file) for file in files]
    _check_together(files, saved)
    count, order = saved[0]["count"], np.array(saved[0]["order"])
    taken = np.zeros((len(files), 2 * count))
    for row, of in zip(taken, saved, strict=True):
        row[order] = [said == REAL for said in of["answers"]]
    people = tuple(
        Person(of["person"], float(np.median(of["times"])), _shares(row[None]))
        for row, of in zip(taken, saved, strict=True)
    )
    return Answered(saved[0]["page"], count, people, _shares(taken), taken.mean(0))


def verdict(interval: Interval) -> str:
    """What an interval of the share judged rightly means, in words."""
    return VERDICTS["above" if interval.low > 0.5 else "below" if interval.high < 0.5 else "within"]


def _shares(taken):
    """Shares of what was taken for real, (people, 2 count), the real images first."""
    made = np.repeat([False, True], taken.shape[1] // 2)
    kinds = {"right": (taken != made, made), "made_as_real": (taken[:, made], made[made])}
    kinds["real_as_real"] = (taken[:, ~made], made[~made])
    return Shares(**{name: _share(*of) for name, of in kinds.items()})


def _share(answers, kinds):
    number, count = int(answers.sum()), answers.size
    of_people = pigeonhole(answers, kinds) if len(answers) > 1 else None
    return Share(number, count, number / count, wilson(number, count), of_people)


# --------------------------------------------------------------------------------------------- the files


def _read(file):
    """One file's content. Raises DataError unless it is as a page saves it."""
    try:
        saved = reading.json_of(file)
        found = saved.get("format") if isinstance(saved, dict) else None
        reading.check_format(file, found, ANSWERS, f"not what a page of minigan ask saves ({ANSWERS})")
    except RunError as error:
        raise DataError(str(error)) from error
    for wrong in _faults(saved):
        raise DataError(f"{file}: damaged: {wrong}; save the answers again from the page")
    return saved


def _faults(saved):
    """What is wrong with answers, the first of which is enough to know."""
    for name in ("page", "person"):
        if not isinstance(saved.get(name), str) or not saved[name].isprintable() or not saved[name]:
            yield f"{name} is {saved.get(name)!r}, which is no name"
    count, order, answers, times = (saved.get(name) for name in ("count", "order", "answers", "times"))
    if type(count) is not int or not 1 <= count <= MOST:
        yield f"count is {count!r}, but a page shows 1 to {MOST:,} images of each kind"
    for name in ("order", "answers", "times"):
        if not isinstance(saved.get(name), list) or len(saved[name]) != 2 * count:
            yield f"{name} is not a list of {2 * count}, one for each image"
    if any(type(number) is not int for number in order) or sorted(order) != list(range(2 * count)):
        yield f"order does not have each number below {2 * count} once"
    for said in answers:
        if not isinstance(said, str) or said not in SAID:
            yield f"an answer is {said!r}, neither {' nor '.join(SAID)}"
    for time in times:
        if not reading.finite(time) or time < 0:
            yield f"a time is {time!r}, which is no number of seconds"


def _check_together(files, saved):
    """Raise DataError for answers to different pages, or of one person twice."""
    for file, of in zip(files, saved, strict=True):
        if of["page"] != saved[0]["page"]:
            raise DataError(
                f"{files[0]} answers page {saved[0]['page']} and {file} page {of['page']}; "
                "only answers about the same images are put together"
            )
        for name in ("count", "order", "seed", "seconds"):
            if of.get(name) != saved[0].get(name):
                raise DataError(f"{files[0]} and {file} are of one page, but of another {name}; one of them is damaged")
    name, times = Counter(of["person"] for of in saved).most_common(1)[0]
    if times > 1:
        twice = [str(file) for file, of in zip(files, saved, strict=True) if of["person"] == name]
        raise DataError(f"{' and '.join(twice)} are the answers of one person ({name}); each counts once")


# ---------------------------------------------------------------------------------------------- in words


def words(found: Answered) -> str:
    """What was answered as text: all shares with their intervals, a line for each person, and what it means."""
    people = len(found.people)
    several = people > 1
    rows = [("", "share", "if independent" if several else "interval", "other people and images" if several else "")]
    for name, label in SHARES.items():
        share = getattr(found.pooled, name)
        rows.append((label, percent(share.share), str(share.interval), str(share.of_people or "")))
    lines = [f"{people} {'people' if several else 'person'} on {found.count} real and {found.count} generated images "]
    lines[0] += f"(page {found.page}), 95% intervals"
    lines += ["", *aligned(rows, "<>>>"), "", found.verdict]
    if several:
        lines.append("The first intervals take all answers for independent, the second draw people and images anew.")
        lines.append(
            "50% has to be outside both." + (" Of so few people the second are rough." if people < FEW else "")
        )
        rows = [("", "rightly", "", "generated as real", "real as real", "median time")]
        for person in found.people:
            shares = person.shares
            both = (percent(shares.made_as_real.share), percent(shares.real_as_real.share))
            right = (percent(shares.right.share), str(shares.right.interval))
            rows.append((person.name, *right, *both, f"{person.seconds:.1f} s"))
        lines += ["", *aligned(rows, "<>>>>>")]
    else:
        lines.append("It is for this person and other images of the same two kinds, if answers are independent.")
    return "\n".join(lines)
