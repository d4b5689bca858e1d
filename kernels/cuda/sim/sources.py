"""Prepares CUDA sources for g++: finds their headers and kernels, and rewrites syntax that is not C++.

The code is searched with comments and strings blanked out. Line numbers do not change, so g++ reports those of the
user's file.
"""

from __future__ import annotations

import functools
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from minigan.kernels.cuda.launch import FOLDER

COMMENT_OR_STRING = re.compile(
    r"""//(?:\\.|[^\\\n])*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)
KERNEL = re.compile(r"\b(?:KERNEL|__global__)\b")
ATTRIBUTE = re.compile(r"\b(?:__launch_bounds__|__attribute__|__cluster_dims__)\s*\(")
NAME = re.compile(r"[^;{}()]*?\b(\w+)\s*\(")
TEMPLATE = re.compile(r"\btemplate\s*<[^;{}]*$")
BARRIER = re.compile(r"__sync|__shfl|_sync\b")
EXTERN_SHARED = re.compile(
    r"\bextern\s+__shared__\s+((?:__align__\s*\([^)]*\)\s*|alignas\s*\([^)]*\)\s*)?)([\w:<>,\s]+?)\s*\b(\w+)\s*"
    r"\[\s*\]([^;]*);"
)
SCOPE = re.compile(r"(?P<outer>\bnamespace\b[\w:\s]*|\bextern\s*)?\{|\}")
STATIC_SHARED = re.compile(r"\bstatic(?=\s+__shared__\b)|(?<=\b__shared__)\s+static\b")
NOINLINE = re.compile(r"\b__noinline__\b(?!\s*\))")
SETTLED = 100_000_000  # nanoseconds after which another change gives a file a new modification time


class Kernel(NamedTuple):
    name: str
    parameters: tuple[str, ...]
    declared: str  # the parameters as written
    template: bool
    end: int  # where its definition ends in the text


class Text(NamedTuple):
    """The contents of a file when it was read."""

    text: str
    includes: tuple[str, ...]
    state: tuple[int, ...]
    settled: bool


_texts: dict[str, Text] = {}


def text_of(path: str) -> Text:
    """A file's current text. It is read again unless it cannot have changed since."""
    found = os.stat(path)
    state = found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
    kept = _texts.get(path)
    if kept is None or not kept.settled or kept.state != state:
        settled = found.st_ctime_ns + SETTLED < time.time_ns()
        text = Path(path).read_text(errors="surrogateescape")
        includes = tuple(quoted or bracketed for quoted, bracketed in INCLUDE.findall(text))
        kept = _texts[path] = Text(text, includes, state, settled)
    return kept


def with_headers(source: Path) -> dict[str, str]:
    """{path: text} of a source and of its headers that are beside it or in this package."""
    found, texts = [os.path.realpath(source)], {}
    for path in found:
        file = texts[path] = text_of(path)
        for name in file.includes:
            for folder in (os.path.dirname(path), os.path.dirname(found[0]), str(FOLDER)):
                header = os.path.realpath(os.path.join(folder, name))
                if os.path.isfile(header):
                    if header not in found:
                        found.append(header)
                    break
    return {path: file.text for path, file in texts.items()}


@functools.lru_cache(maxsize=256)
def code_of(source: str) -> str:
    """The source with comments and strings replaced by spaces, which keeps all positions."""
    return COMMENT_OR_STRING.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)


def has_barriers(source: str) -> bool:
    return BARRIER.search(code_of(source)) is not None


@functools.lru_cache(maxsize=256)
def definitions_of(source: str) -> tuple[Kernel, ...]:
    """The kernels that a source defines, including those in all branches of #if."""
    code, found = code_of(source), []
    for attribute in ATTRIBUTE.finditer(code):
        end = closing(code, attribute.end()) + 1
        code = code[: attribute.start()] + " " * (end - attribute.start()) + code[end:]
    for match in KERNEL.finditer(code):
        line = code[code.rfind("\n", 0, match.start()) + 1 : match.start()]
        name = None if line.lstrip().startswith("#") else NAME.match(code, match.end())
        if name is None:
            continue
        end = closing(code, name.end())
        body = re.compile(r"\s*\{").match(code, end + 1)
        if body:
            declared = " ".join(code[name.end() : end].split())
            template = TEMPLATE.search(code, 0, match.start()) is not None
            names = tuple(map(name_of, split(declared)))
            found.append(Kernel(name[1], names, declared, template, closing(code, body.end()) + 1))
    return tuple(found)


def kernels_of(source: str) -> dict[str, Kernel]:
    """The kernels that a source defines, by name."""
    return {kernel.name: kernel for kernel in definitions_of(source)}


def closing(code: str, start: int) -> int:
    """The position of the bracket that closes the one just before `start`."""
    depth = 1
    for match in re.compile(r"[(\[{)\]}]").finditer(code, start):
        depth += 1 if match[0] in "([{" else -1
        if not depth:
            return match.start()
    return len(code)


def in_function(code: str, place: int) -> bool:
    """Whether a position is within braces other than those of a namespace or of extern "C"."""
    opened = []
    for match in SCOPE.finditer(code, 0, place):
        if match[0] == "}":
            del opened[-1:]
        else:
            opened.append(match["outer"] is None)
    return any(opened)


def split(text: str) -> list[str]:
    """Split a text at the commas that are outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "<([{") - (letter in ">)]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def name_of(parameter: str) -> str:
    """The name in a parameter's declaration."""
    names = re.findall(r"[A-Za-z_]\w*", parameter.partition("=")[0].partition("[")[0])
    return names[-1] if names else "?"


def for_compiler(source: str, path: str, instance: str = "") -> str:
    """The source in the form that g++ reads, with a SIM_EXPORT after each kernel.

    instance: an instance of a template to export too, such as "scale<float, 4>"
    """
    changes = [(kernel.end, kernel.end, exported(kernel)) for kernel in definitions_of(source)]
    if instance:
        wanted = kernels_of(source)[instance.partition("<")[0].strip()]
        changes.append((wanted.end, wanted.end, f' SIM_EXPORT({identifier(instance)}, "{instance}", {instance})'))
    code = code_of(source)
    for match in EXTERN_SHARED.finditer(code):
        _, kind, name, more = match.groups()
        # outside functions, the pointer is the simulator's own, which is set only at a launch
        scope, reference = ("", "") if in_function(code, match.start()) else ("static ", "&")
        pointer = f"(*{reference}{name}){more}" if more.strip() else f"*{reference}{name}"
        lines = "\n" * match[0].count("\n")
        memory = f"({kind} (*{reference}){more})::sim::dynamic_memory"
        changes.append((*match.span(), f"{scope}{kind} {pointer} = {memory};{lines}"))
    changes += [(*match.span(), "") for match in STATIC_SHARED.finditer(code)]
    changes += [(*match.span(), "__attribute__((noinline))") for match in NOINLINE.finditer(code)]
    for start, end, text in sorted(changes, reverse=True):
        source = source[:start] + text + source[end:]
    quoted = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'#line 1 "{quoted}"\n{source}\n'


def exported(kernel: Kernel) -> str:
    """The text to put after a kernel's definition. Its parameters distinguish overloads of one name."""
    if kernel.template:
        return ""
    one = kernel.name if "=" in kernel.declared else f"static_cast<void (*)({kernel.declared})>({kernel.name})"
    return f' SIM_EXPORT({kernel.name}, "{kernel.name}", {one})'


def identifier(kernel: str) -> str:
    """The suffix of the names of a kernel's functions."""
    return re.sub(r"\W", lambda match: f"_{ord(match[0]):x}", kernel)
