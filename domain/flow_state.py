"""Where a series stands and what it knows: small, and all that its next decision needs beside the flow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from domain.flow_events import fits
from domain.flow_steps import Awaited
from domain.holidays import Holidays


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Something that happened outside: a reply, a tap, a receipt, an event."""

    kind: str
    at: datetime
    name: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, awaited: Awaited) -> bool:
        """Tells whether it is what somebody waits for; `*` at the end of a name stands for anything."""
        return self.kind == awaited.kind and (awaited.name is None or fits(awaited.name, self.name or ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How far a repetition is: `count` rounds begun, the first at `first_at`; `number` counts missed ones too."""

    first_at: datetime
    count: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesState:
    """A series at one moment.

    Attributes:
        place: The instruction that comes next.
        entered_at: When it came there.
        entered_mark: How much was heard when it came there; what is heard later is behind it.
        send_mark: How much was heard when the last message was about to be sent.
        answered: Which of what was heard, by its number, has answered a question; it answers no other one.
        digested: Up to where each digest has taken what was heard.
        zone: The recipient's IANA time zone.
        calendars: The calendars that the flow asks, as they are now.
        consents: What stands of each consent that the flow asks for, by its step, as it is now.
        anchors: The dates that waits count from; moving one moves every wait that is still to come.
        facts: What conditions and texts see: `event`, `recipient`, `series`, `data`.
        outcomes: What came of each step, by its id.
        asked_as: The id of the step at which it stands, as that was called by the version by which it came there; None
            where it is called so still. What a service is asked keeps its id.
        stopped: Why somebody stopped it.
    """

    started_at: datetime
    entered_at: datetime
    zone: str = "UTC"
    calendars: Mapping[str, Holidays] = field(default_factory=dict)
    consents: Mapping[str, str] = field(default_factory=dict)
    place: int = 0
    entered_mark: int = 0
    send_mark: int = 0
    anchors: Mapping[str, datetime] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    heard: tuple[Heard, ...] = ()
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rounds: Mapping[str, Rounds] = field(default_factory=dict)
    answered: tuple[int, ...] = ()
    digested: Mapping[str, int] = field(default_factory=dict)
    asked_as: str | None = None
    stopped: str | None = None

    def at(self, place: int, now: datetime) -> "SeriesState":
        """Returns the series at another instruction."""
        return replace(self, place=place, entered_at=now, entered_mark=len(self.heard), asked_as=None)

    def after(self, step_id: str, outcome: Mapping[str, Any]) -> "SeriesState":
        """Returns the series with what came of a step."""
        return replace(self, outcomes={**self.outcomes, step_id: outcome})

    def hear(self, heard: Heard) -> "SeriesState":
        """Returns the series with something more that it heard."""
        return replace(self, heard=(*self.heard, heard))
