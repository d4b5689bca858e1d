"""Finds the guards of CUDA sources and the mutations that remove them; mutants.py defines a guard."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from typing import NamedTuple


class Mutant(NamedTuple):
    """A source with one changed guard, identified by file, function, the guard's text and the mutation."""

    file: str
    function: str  # Struct::function for a member; or a macro
    guard: str  # on one line; "... #2" is the second one with that text in the function
    mutation: str
    start: int  # of the replaced text in the file
    end: int
    replacement: str
    lines: tuple[int, int]  # first and last line of the function

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.file, self.function, self.guard, self.mutation

    def __str__(self):
        return " | ".join(self.key)

    def applied_to(self, source: str) -> str:
        return source[: self.start] + self.replacement + source[self.end :]


COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?!define)[^\n]*", re.MULTILINE)
MACRO = re.compile(r"^#[ \t]*define[ \t]+(\w+)\((?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
BARRIER = re.compile(r"\b__sync(?:threads|warp)\(\s*\)")
COMPARISON = re.compile(r"(?<=\s)(?:<=|>=|==|!=|<|>)(?=\s)")  # brackets of templates have no space on both sides
CONNECTIVE = re.compile(r"&&|\|\|")
CONTROL = re.compile(r"\b(if|while|for)\s*\(")
BOOL = re.compile(r"\bbool\s+\w+\s*=\s*")
LEAVES = re.compile(r"\s*\{?\s*(?:return|continue|break)\b")
DECIDES = re.compile(r"\s*[\w.]+ = [^\[({;]+;")  # sets a number that may decide whether anything is done
CONSTANT = re.compile(r"\bconstexpr\b|\bstatic_assert\b")  # evaluated by the compiler
STRUCT = re.compile(r"\bstruct\b[^;]*?(\w+\s*(?:<[^;]*>)?)\s*$")
CALLED = re.compile(r"(\w+)\s*\(")
ASSIGNMENT = re.compile(r"(?<![<>=!])=(?!=)")
RETURN = re.compile(r"\breturn\b")
LITERAL = re.compile(r"true|false|\d+")
NO_NAMES = {"__launch_bounds__", "__attribute__", "alignas"}


class Condition(NamedTuple):
    start: int
    end: int
    kind: str  # "loop"; "entry" or "entry or not" of an if; or the value given to operands: "true", "false", "either"


def mutants_of(file: str, source: str) -> list[Mutant]:
    """The mutants of a source, in the order of the source."""
    code = without_comments(source)
    changes = {match.span(): [("removed", "")] for match in BARRIER.finditer(code)}
    for condition in conditions_of(code):
        for *span, connective in operands(code, condition.start, condition.end):
            if not LITERAL.fullmatch(guard := code[slice(*span)]):
                changes.setdefault(tuple(span), changes_of(guard, condition.kind, connective))
    functions, counts, mutants = functions_of(source, code), Counter(), []
    line_starts = [0, *(match.end() for match in re.finditer("\n", source))]
    for (start, end), ways in sorted(changes.items()):
        name, first, last = max(f for f in functions if f[1] <= start < f[2])
        guard = " ".join(code[start:end].split())
        counts[name, guard] += 1
        if counts[name, guard] > 1:
            guard += f" #{counts[name, guard]}"
        lines = bisect.bisect(line_starts, first), bisect.bisect(line_starts, last)
        mutants += [Mutant(file, name, guard, words, start, end, new, lines) for words, new in ways]
    return mutants


def without_comments(source: str) -> str:
    """Replace comments, strings and directives except #define by spaces, which keeps all positions."""
    for pattern in (COMMENT_OR_STRING, DIRECTIVE):
        source = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)
    return source.replace("\\\n", " \n")


def functions_of(source: str, code: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of functions outside others, and of macros."""
    found, scopes, begin = [(m[1], *m.span()) for m in MACRO.finditer(source)], [], 0
    for i, letter in enumerate(code):
        if letter == "{":
            header = code[begin:i]
            start = begin + len(header) - len(header.lstrip())
            struct, names = STRUCT.search(header), [n for n in CALLED.findall(header) if n not in NO_NAMES]
            inside = any(kind == "function" for kind, *_ in scopes)
            if inside or not (struct or names):
                scopes.append(("block", "", start))
            elif struct:
                scopes.append(("struct", struct[1].strip(), start))
            else:
                outer = [name for kind, name, _ in scopes if kind == "struct"]
                scopes.append(("function", "::".join([*outer, names[0]]), start))
        elif letter == "}":
            kind, name, start = scopes.pop()
            if kind == "function":
                found.append((name, start, i + 1))
        if letter in "{};":
            begin = i + 1
    return found


def conditions_of(code: str) -> list[Condition]:
    """All conditions, except those that the compiler evaluates."""
    found = []
    for match in CONTROL.finditer(code):
        start, end = match.end(), closing(code, match.end())
        if match[1] == "if":
            leaves, decides = LEAVES.match(code, end + 1), DECIDES.match(code, end + 1)
            found.append(Condition(start, end, "false" if leaves else "entry or not" if decides else "entry"))
        elif match[1] == "while":
            found.append(Condition(start, end, "loop"))
        else:
            first = boundary(code, start, ";")
            found.append(Condition(first + 1, boundary(code, first + 1, ";"), "loop"))
    for match in re.finditer(r"\?", code):
        colon = boundary(code, match.end(), ":")
        then, otherwise = code[match.end() : colon], code[colon : after(code, colon + 1)]
        reads_otherwise = "[" in otherwise and "[" not in then
        found.append(Condition(before(code, match.start()), match.start(), "false" if reads_otherwise else "true"))
    asked = [(match.end(), after(code, match.end())) for match in BOOL.finditer(code)]
    for pattern in (COMPARISON, CONNECTIVE):
        asked += [(before(code, m.start()), after(code, m.end())) for m in pattern.finditer(code)]
    for start, end in sorted(set(asked), key=lambda span: span[0] - span[1]):
        if not any(c.start <= start and end <= c.end for c in found):
            found.append(Condition(start, end, "true" if CONNECTIVE.search(code, start, end) else "either"))
    return [c for c in found if not CONSTANT.search(code, statement(code, c.start), c.start)]


def operands(code: str, start: int, end: int, around: str = "") -> list[tuple[int, int, str]]:
    """(start, end, && or ||) of the operands between two places, or of the whole if there is no && or ||."""
    spans, begin, level, connective = [], start, 0, around
    for i in range(start, end):
        level += (code[i] in "([{") - (code[i] in ")]}")
        if level == 0 and code[i : i + 2] in ("&&", "||"):
            spans.append((begin, i))
            begin, connective = i + 2, code[i : i + 2]
    found = []
    for one, other in [*spans, (begin, end)]:
        text = code[one:other]
        one, other = one + len(text) - len(text.lstrip()), other - len(text) + len(text.rstrip())
        bracketed = code[one] == "(" and closing(code, one + 1) == other - 1
        if bracketed and CONNECTIVE.search(code, one, other):
            found += operands(code, one + 1, other - 1, connective)
        else:
            found.append((one, other, connective))
    return found


def changes_of(guard: str, kind: str, connective: str) -> list[tuple[str, str]]:
    """Pairs (name of the mutation, replacement of the guard)."""
    if kind == "loop":
        comparison = COMPARISON.search(guard)
        if comparison and comparison[0] in ("<", ">"):
            return [("one more turn", f"{guard[: comparison.end()]}={guard[comparison.end() :]}")]
        if comparison and comparison[0] == "<=":
            return [("one more turn", f"{guard[: comparison.end()]} 1 + ({guard[comparison.end() :]})")]
        kind = "true"
    if kind.startswith("entry"):
        kind = "false" if connective == "||" else "true" if connective or kind == "entry" else "either"
    return [(f"always {value}", value) for value in (("true", "false") if kind == "either" else (kind,))]


def closing(code: str, start: int) -> int:
    """The position that closes the bracket open at `start`."""
    return boundary(code, start, "")


def boundary(code: str, start: int, ends: str) -> int:
    """The position of the first of these letters outside brackets, or of the closing bracket; skips the : of a ?:."""
    level = ternaries = 0
    for i in range(start, len(code)):
        letter = code[i]
        if level == 0 and (letter in ")]}" or (letter in ends and not ternaries and "::" not in code[i - 1 : i + 2])):
            return i
        level += (letter in "([{") - (letter in ")]}")
        ternaries += level == 0 and letter == "?"
        ternaries -= level == 0 and ternaries > 0 and letter == ":" and "::" not in code[i - 1 : i + 2]
    raise ValueError(f"a bracket is not closed: {code[start : start + 60]!r}")


def after(code: str, start: int) -> int:
    """The end of the expression that contains `start`."""
    return boundary(code, start, ";,?:{")


def before(code: str, end: int) -> int:
    """The start of the expression that ends at `end`: after a bracket, an assignment, a return and so on."""
    level = 0
    for i in range(end - 1, -1, -1):
        letter, around = code[i], code[i - 1 : i + 2]
        if letter in ")]" or (letter == "}" and level):
            level += 1
        elif level:
            level -= letter in "([{"
        elif letter in "([{};,?" or (letter == ":" and "::" not in around) or ASSIGNMENT.match(code, i):
            return i + 1
        elif RETURN.match(code, i):
            return i + len("return")
    return 0


def statement(code: str, place: int) -> int:
    """The start of the statement or declaration around a place."""
    return max(code.rfind(letter, 0, place) for letter in ";{}") + 1
