"""What happens in a play, and when: `reply@3d`, `tap:accept@1d2h`, `event:invoice.paid@5d`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.calendar import shift, zone_of
from domain.durations import parse

KINDS = ("reply", "tap", "delivered", "read", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happens once: to the series of a play, or at the caller's where it is an event."""

    at: datetime
    kind: str
    name: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def read(text: str, start: datetime, zone: str, data: Mapping[str, Any] | None = None) -> Happening:
    """Returns what a line of a script says; its length of time counts from the beginning, in the play's zone.

    Raises:
        ValueError: It says nothing that can happen.
    """
    what, at, after = text.rpartition("@")
    kind, _, name = what.partition(":")
    if not at or kind not in KINDS or (kind == "event" and not name):
        raise ValueError(f"{text!r} is nothing that happens; write it like reply@2h, tap:accept@1d, event:paid@3d")
    return Happening(at=shift(start, parse(after), zone_of(zone)), kind=kind, name=name or None, data=data or {})
