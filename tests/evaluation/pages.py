"""A page's scripts without a browser: its logic, and all of it in a document that is only as much as it needs."""

import json
import re
from pathlib import Path

import numpy as np
import quickjs

import minigan as mg

BROWSER = Path(__file__).with_name("browser.js").read_text()


def pictures(count, shape=(5, 4, 1), seed=0):
    """Images (count, *shape) of noise, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def small(count=4, **how):
    """A page on few images."""
    return mg.evaluation.page(pictures(count, seed=1), pictures(count, seed=2), **how)


def scripts(html):
    """What the page holds: its content as JSON, its logic and what shows it as JavaScript."""
    content, logic, view = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    return json.loads(content), logic, view


class Logic:
    """The functions of a page, called by their names with what JSON can hold."""

    def __init__(self, html):
        self.page, logic, _ = scripts(html)
        self.context = quickjs.Context()
        self.context.eval(logic)

    def __call__(self, name, *arguments):
        """arguments: an Ellipsis stands for the page"""
        written = ", ".join(json.dumps(self.page if argument is ... else argument) for argument in arguments)
        return json.loads(self.context.eval(f"JSON.stringify({name}({written}) ?? null)"))

    def answer(self, said, person="ada", seconds=1.0):
        """The state after these answers."""
        state = self("fresh", person)
        for each in said:
            state = self("answered", state, each, seconds)
        return state

    def truth(self):
        return self("truth", ...)


class Browser:
    """The whole page, opened. stored: what the browser keeps, by key; None for a browser that keeps nothing."""

    def __init__(self, html, stored=None):
        self.page, logic, view = scripts(html)
        self.context = quickjs.Context()
        self.context.eval(BROWSER)
        self.context.eval(f"open({json.dumps(html)}, {json.dumps(self.page)}, {json.dumps(stored)})")
        self.context.eval(logic)
        self.context.eval(view)

    def __call__(self, code):
        return json.loads(self.context.eval(f"JSON.stringify(({code}) ?? null)"))

    def click(self, name):
        self(f"click({json.dumps(name)})")

    def press(self, key, **how):
        self(f"press({json.dumps({'key': key, **how})})")

    def wait(self, seconds):
        self(f"wait({1000 * seconds})")

    @property
    def screen(self):
        """Which of the page's screens is to be seen."""
        (shown,) = self("screens()")
        return shown

    @property
    def stored(self):
        return self("stored")

    @property
    def state(self):
        return self("state")

    def text(self, name):
        return self(f"document.getElementById({json.dumps(name)}).text()")
