"""Telling how a download goes, on standard error."""

import sys
import time


class Downloads:
    """Gives `data.load` its report: a line that is rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.told, self.open = 0.0, False

    def report(self, name: str, there: int, total: int) -> None:
        """`there` of `total` bytes of a file have come."""
        now = time.perf_counter()
        if there < total and now - self.told < (0.1 if self.live else 5):
            return
        self.told = now
        line = f"downloading {name}: {there / 1e6:.1f} of {total / 1e6:.1f} MB"
        print(f"\r{line}" if self.live else line, end="" if self.live else "\n", file=self.stream, flush=True)
        self.open = self.live
        if there >= total:
            self._close_line()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._close_line()

    def _close_line(self):
        if self.open:
            print(file=self.stream)
            self.open = False
