"""What a play came to, line by line, to be compared with a list or with a text that is kept."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was done or decided at one instant.

    Attributes:
        kind: `sends`, `waits`, `ends`, a channel for a message that went out, `unsent` for one that did not, or the
            kind of a decision as the series' timeline has it.
        step: The step that it belongs to.
        until: When it goes on by itself, for one that waits.
        told: The rest: to whom, which text, why.
    """

    at: datetime
    kind: str
    step: str = ""
    until: datetime | None = None
    told: str = ""


class Transcript:
    """The lines of a play, in order; equal to another one, to a list of its lines as text, and to their whole text."""

    __hash__ = None  # type: ignore[assignment]  # it is compared, never looked up

    def __init__(self, lines: Iterable[Line], zone: str = "UTC") -> None:
        self.lines = tuple(lines)
        self._zone = ZoneInfo(zone)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __eq__(self, other: object) -> bool:
        expected = as_texts(other)
        return NotImplemented if expected is None else self.texts == expected

    def __str__(self) -> str:
        return "\n".join(self.texts)

    __repr__ = __str__

    @property
    def texts(self) -> list[str]:
        """Returns the lines as text."""
        return [_text(line, self._zone) for line in self.lines]

    def only(self, *kinds: str) -> "Transcript":
        """Returns the lines of some kinds."""
        return Transcript((line for line in self.lines if line.kind in kinds), self._zone.key)

    def without(self, *kinds: str) -> "Transcript":
        """Returns the lines of all other kinds."""
        return Transcript((line for line in self.lines if line.kind not in kinds), self._zone.key)

    def difference(self, expected: Sequence[str]) -> list[str]:
        """Returns how it differs from what was expected, as a diff."""
        return list(difflib.unified_diff(list(expected), self.texts, "expected", "played", lineterm="", n=2))

    def matches(self, kept: Path, *, write: bool = False) -> bool:
        """Tells whether a file holds this transcript; with `write`, makes it so.

        Raises:
            AssertionError: It does not; the message is the difference.
        """
        if write:
            kept.write_text(f"{self}\n", encoding="utf-8")
        expected = kept.read_text("utf-8").splitlines() if kept.is_file() else []
        if differs := self.difference(expected):
            raise AssertionError("\n".join([f"{kept.name} says otherwise:", *differs]))
        return True


def as_texts(other: object) -> list[str] | None:
    """Returns what a transcript is compared with as lines of text, None where it is nothing of the kind."""
    match other:
        case Transcript():
            return other.texts
        case str():
            return [line.rstrip() for line in other.strip().splitlines()]
        case list() | tuple() if all(isinstance(line, str) for line in other):
            return [str(line) for line in other]
        case _:
            return None


def _text(line: Line, zone: ZoneInfo) -> str:
    until = f"until {_shown(line.until, zone)}" if line.until else ""
    return " ".join(part for part in (_shown(line.at, zone), line.kind, line.step, until, line.told) if part)


def _shown(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S" if local.second else "%Y-%m-%d %H:%M")
