"""The append-only journal: one JSON object a line, everything the stand-ins accepted, refused or sent out."""

import fcntl
import json
import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
_READ_AT_ONCE = 256


class JournalInUseError(RuntimeError):
    """Another process holds the journal; two writers would make its sequence worthless."""


class Journal:
    """Writes and reads one journal file, and survives the death of its process at any byte.

    A line that was cut short by such a death stays in the file and is passed over: its writer never answered
    anybody, so nothing was promised. The sequence goes on after the last line that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            os.close(self._file)
            raise JournalInUseError(
                f"journal {path} is in use by another sandbox; stop it or name another"
            ) from problem
        self._sequence = array("Q")
        self._offsets = array("Q")
        self._torn = False
        self._index()

    @property
    def last(self) -> int:
        """Returns the sequence number of the newest entry, 0 for an empty journal."""
        return self._sequence[-1] if self._sequence else 0

    def append(self, facts: Mapping[str, Any]) -> Entry:
        """Appends one entry with the next sequence number in one write and returns it."""
        entry: Entry = {"seq": self.last + 1, "at": datetime.now(UTC).isoformat(timespec="microseconds"), **facts}
        line = json.dumps(entry, separators=(",", ":"), default=str).encode() + b"\n"
        offset = os.lseek(self._file, 0, os.SEEK_END)
        if self._torn:
            line, offset = b"\n" + line, offset + 1
        self._torn = True  # until the whole line is known to stand in the file
        self._write(line)
        self._torn = False
        self._sequence.append(entry["seq"])
        self._offsets.append(offset)
        return entry

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Yields the entries with a greater sequence number than `after`, oldest first."""
        while page := self.page(after, _READ_AT_ONCE):
            yield from page
            after = page[-1]["seq"]

    def page(self, after: int, limit: int) -> list[Entry]:
        """Returns up to `limit` entries that follow the sequence number `after`."""
        first = bisect_right(self._sequence, after)
        beyond = min(first + limit, len(self._sequence))
        if first >= beyond:
            return []
        start = self._offsets[first]
        end = self._offsets[beyond] if beyond < len(self._offsets) else os.fstat(self._file).st_size
        block = os.pread(self._file, end - start, start)
        return [entry for line in block.splitlines() if (entry := _parsed(line)) is not None]

    def close(self) -> None:
        """Gives the file up."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: bytes) -> None:
        written = os.write(self._file, line)
        while written < len(line):  # a full disk or a signal; ordinarily the first write took all of it
            written += os.write(self._file, line[written:])

    def _index(self) -> None:
        offset = 0
        with self.path.open("rb") as file:
            for line in file:
                entry = _parsed(line)
                if entry is not None:
                    self._sequence.append(entry["seq"])
                    self._offsets.append(offset)
                self._torn = not line.endswith(b"\n")
                offset += len(line)


def _parsed(line: bytes) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("seq"), int) else None
