"""Output for people: a closed stream, or one with no room left, never ends a run."""

import os
from typing import TextIO


class Steady:
    """A text stream that never fails: once something cannot be written, all that follows is dropped.

    stream: standard output, standard error or another one; None, which Python has for one that is closed, drops all
    lost: the error by which the first words were lost, None while there is none
    """

    def __init__(self, stream: TextIO | None):
        self.stream, self.lost = stream, None

    def write(self, text: str) -> int:
        if isinstance(text, str):
            self._try("write", text)
            return len(text)
        return self.stream.write(text)  # an error of the caller's

    def flush(self) -> None:
        self._try("flush")

    def isatty(self) -> bool:
        return self.stream is not None and not self.lost and self.stream.isatty()

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def _try(self, name, *text):
        if self.stream is None or self.lost:
            return
        try:
            try:
                getattr(self.stream, name)(*text)
            except UnicodeEncodeError as error:  # a name that this stream has no letters for
                shown = text[0].encode(error.encoding, "backslashreplace").decode(error.encoding)
                self.stream.write(shown)
        except (OSError, ValueError) as error:  # ValueError: it has been closed
            self.lost = error
            self._discard()

    def _discard(self):
        """Have what is still in the stream's buffer go nowhere, which Python would try to write at its end."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):  # it is no file
            return
