"""Combine the answers that people gave on one page: shares, with confidence intervals."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minigan.errors import DataError, RunError
from minigan.evaluation.intervals import Interval, aligned, percent, pigeonhole, wilson
from minigan.evaluation.people import ANSWERS, CHOICES, MOST, REAL, VERDICTS
from minigan.training import reading

SHARES = {
    "right": "judged correctly",
    "made_as_real": "generated images taken for real",
    "real_as_real": "real images taken for real",
}
FEW = 10  # people; with fewer, the variation between people is poorly known


@dataclass(frozen=True)
class Share:
    """A share of answers, number / count, and its 95% confidence intervals.

    interval: Wilson's, which assumes independent answers
    of_people: for other people and other images, by the pigeonhole bootstrap; None for one person
    """

    number: int
    count: int
    share: float
    interval: Interval
    of_people: Interval | None = None

    @property
    def widest(self) -> Interval:
        """The smallest interval that contains both intervals."""
        both = (self.interval, self.of_people or self.interval)
        return Interval(min(each.low for each in both), max(each.high for each in both))


@dataclass(frozen=True)
class Shares:
    """right: the share of images judged correctly; made_as_real, real_as_real: the shares of each kind judged real."""

    right: Share
    made_as_real: Share
    real_as_real: Share


@dataclass(frozen=True)
class Person:
    """One person's answers. name: the page's name for the person; seconds: the median time of an answer."""

    name: str
    seconds: float
    shares: Shares


@dataclass(frozen=True)
class Answered:
    """The answers that people gave on one page.

    page: its name; count: the number of images of each kind
    people: in the order of the files
    pooled: shares of all answers
    taken: (2 count,), the share of people who judged each image real: first the real images, in the order passed to
        `page`, then the generated ones
    """

    page: str
    count: int
    people: tuple[Person, ...]
    pooled: Shares
    taken: np.ndarray

    @property
    def verdict(self) -> str:
        """A sentence that interprets the share judged correctly. It counts only if both intervals exclude 50%."""
        return verdict(self.pooled.right.widest)

    def plain(self) -> dict:
        """A dict for JSON."""
        plain = {**asdict(self), "taken": self.taken.tolist(), "verdict": self.verdict}
        for shares in (plain["pooled"], *(person["shares"] for person in plain["people"])):
            for share in shares.values():
                for name in ("interval", "of_people"):
                    share[name] = share[name] and list(share[name])
        return plain


def answered(files: Iterable[str | os.PathLike]) -> Answered:
    """Combine the answers that several people saved from one page.

    files: the saved files, one for each person; a single path is accepted too
    raises DataError for a path or file that is not valid, files of different pages, or two files of one person
    """
    try:
        files = [Path(file) for file in ([files] if isinstance(files, str | os.PathLike) else files)]
    except TypeError as error:
        raise DataError(f"answered: {files!r} are not paths; a page saves its answers as .json files") from error
    if not files:
        raise DataError("answered: there are no files; a page saves its answers once all images are answered")
    saved = [_read(file) for file in files]
    _check_together(files, saved)
    count, order = saved[0]["count"], np.array(saved[0]["order"])
    taken = np.zeros((len(files), 2 * count))
    for row, file in zip(taken, saved, strict=True):
        row[order] = [answer == REAL for answer in file["answers"]]
    people = tuple(
        Person(file["person"], float(np.median(file["times"])), _shares(row[None]))
        for row, file in zip(taken, saved, strict=True)
    )
    return Answered(saved[0]["page"], count, people, _shares(taken), taken.mean(0))


def verdict(interval: Interval) -> str:
    """A sentence that interprets an interval of the share judged correctly."""
    return VERDICTS["above" if interval.low > 0.5 else "below" if interval.high < 0.5 else "within"]


def _shares(taken):
    """The shares of answers (people, 2 count), 1 where an image was judged real; the real images come first."""
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
    """Read one file of answers. Raises DataError if it is not as a page saves it."""
    try:
        saved = reading.json_of(file)
        found = saved.get("format") if isinstance(saved, dict) else None
        reading.check_format(file, found, ANSWERS, f"not answers saved from a page of minigan ask ({ANSWERS})")
    except RunError as error:
        raise DataError(str(error)) from error
    for fault in _faults(saved):
        raise DataError(f"{file}: damaged: {fault}; save the answers again from the page")
    return saved


def _faults(saved):
    """Yield the faults of saved answers. After the first, the others are not reliable."""
    for name in ("page", "person"):
        if not isinstance(saved.get(name), str) or not saved[name].isprintable() or not saved[name]:
            yield f"{name} is {saved.get(name)!r}, which is not a name"
    count, order, answers, times = (saved.get(name) for name in ("count", "order", "answers", "times"))
    if type(count) is not int or not 1 <= count <= MOST:
        yield f"count is {count!r}, but a page shows 1 to {MOST:,} images of each kind"
    for name in ("order", "answers", "times"):
        if not isinstance(saved.get(name), list) or len(saved[name]) != 2 * count:
            yield f"{name} is not a list of {2 * count}, one for each image"
    if any(type(number) is not int for number in order) or sorted(order) != list(range(2 * count)):
        yield f"order does not contain each number below {2 * count} exactly once"
    for answer in answers:
        if not isinstance(answer, str) or answer not in CHOICES:
            yield f"an answer is {answer!r}, neither {' nor '.join(CHOICES)}"
    for time in times:
        if not reading.finite(time) or time < 0:
            yield f"a time is {time!r}, which is not a number of seconds"


def _check_together(files, saved):
    """Raise DataError for answers to different pages, or of one person twice."""
    for file, content in zip(files, saved, strict=True):
        if content["page"] != saved[0]["page"]:
            raise DataError(
                f"{files[0]} answers page {saved[0]['page']} and {file} page {content['page']}; "
                "only answers about the same images can be combined"
            )
        for name in ("count", "order", "seed", "seconds"):
            if content.get(name) != saved[0].get(name):
                raise DataError(f"{files[0]} and {file} are of one page but differ in {name}; one of them is damaged")
    name, times = Counter(content["person"] for content in saved).most_common(1)[0]
    if times > 1:
        twice = [str(file) for file, content in zip(files, saved, strict=True) if content["person"] == name]
        raise DataError(f"{' and '.join(twice)} are the answers of one person ({name}); include each person once")


# ---------------------------------------------------------------------------------------------- in words


def words(found: Answered) -> str:
    """The answers as text: all shares with their intervals, their interpretation, and a line for each person."""
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
        lines.append("The first intervals assume independent answers; the second resample people and images.")
        lines.append(
            "A difference counts if both exclude 50%."
            + (" With so few people, the second are rough." if people < FEW else "")
        )
        rows = [("", "correct", "", "generated as real", "real as real", "median time")]
        for person in found.people:
            shares = person.shares
            both = (percent(shares.made_as_real.share), percent(shares.real_as_real.share))
            correct = (percent(shares.right.share), str(shares.right.interval))
            rows.append((person.name, *correct, *both, f"{person.seconds:.1f} s"))
        lines += ["", *aligned(rows, "<>>>>>")]
    else:
        lines.append("This applies to this person and other images of the same two kinds, if answers are independent.")
    return "\n".join(lines)
