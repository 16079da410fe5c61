"""Where the lines of the parts go: a bounded file each, and the terminal with a coloured prefix."""

import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_LARGEST_FILE = 5_000_000
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_REMEMBERED = 30


class PartLog:
    """Takes the lines of one part; keeps the last ones at hand for a message about its end.

    While it is `muted` its lines go to the file alone.
    """

    def __init__(
        self, file: Path, *, prefix: str = "", terminal: TextIO | None = None, largest: int = _LARGEST_FILE
    ) -> None:
        self.file = file
        self._largest = largest
        self.last: deque[str] = deque(maxlen=_REMEMBERED)
        self.muted = False
        self._prefix = prefix
        self._terminal = terminal
        self._open: TextIO | None = None

    def write(self, line: str) -> None:
        """Appends one line; past the size limit the file becomes `….log.1` and a new one begins."""
        self.last.append(line)
        if self._open is None:
            self._open = open(self.file, "a", encoding="utf-8", opener=_private)  # noqa: SIM115 - see `_private`
        self._open.write(line + "\n")
        self._open.flush()
        if self._open.tell() > self._largest:
            self.close()
            self.file.replace(self.file.with_name(self.file.name + ".1"))
        if self._terminal is not None and not self.muted:
            print(f"{self._prefix}{line}", file=self._terminal, flush=True)

    def close(self) -> None:
        """Closes the file; the next line opens it again."""
        if self._open is not None:
            self._open.close()
            self._open = None


class LogBook:
    """Makes the logs of all parts, with prefixes of one width and a colour each."""

    def __init__(self, directory: Path, *, terminal: TextIO | None = None, width: int = 10) -> None:
        self._directory = directory
        self._terminal = terminal
        self._width = width
        self._logs: dict[str, PartLog] = {}

    def of(self, part: str) -> PartLog:
        """Returns the log of a part, the same one at every call."""
        if part not in self._logs:
            prefix = self._paint(f"{part:<{self._width}} | ", _COLOURS[len(self._logs) % len(_COLOURS)])
            self._logs[part] = PartLog(self._directory / f"{part}.log", prefix=prefix, terminal=self._terminal)
        return self._logs[part]

    def close(self) -> None:
        """Closes all files."""
        for log in self._logs.values():
            log.close()

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._terminal is not None and is_colourful(self._terminal) else text


def is_colourful(stream: TextIO) -> bool:
    """Tells whether colours are wanted on a stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


# Who else hears what is said: the foreground process that waits for one in the background.
listeners: list[Callable[[str], None]] = []


def say(sentence: str) -> None:
    """Tells the person who waits one sentence of progress; it is no output of the command."""
    sys.stderr.write(sentence + "\n")
    for listener in listeners:
        listener(sentence)


def _private(path: str, flags: int) -> int:
    """Opens a file that its owner alone may read; `Path.open` takes no opener."""
    return os.open(path, flags, 0o600)
