"""Writes down every call and its answer, one JSON object a line, before anything is made of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Recorder:
    """An append-only file of calls; what was seen is judged from it alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._number = 0

    def note(self, what: str, **facts: Any) -> None:
        """Appends one entry."""
        self._number += 1
        entry = {"number": self._number, "noted_at": now(), "what": what, **facts}
        self._file.write(json.dumps(entry, separators=(",", ":"), default=str) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read(path: Path) -> list[Entry]:
    """Returns the entries of a file, oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def now() -> str:
    """Returns the time as the records write it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
