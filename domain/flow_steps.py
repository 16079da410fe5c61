"""What a flow says: its steps and the moments they wait for, as they were read and checked at the edge.

    Flow
    └─ steps ── Send · Wait · WaitFor · Confirm · Branch · Repeat · Digest · Throttle · Call · Update · Stop
                          (Branch, Repeat, Confirm and WaitFor hold further steps)

Every step has an id of its own in the flow: what happened is told by it, and a series finds its place by it after a new
version was published.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

from domain.durations import Span
from domain.quiet_hours import Quiet
from domain.recipients import Channel

INTERPRETER = 1
"""Which rules a definition is read by; a series keeps those that it began with."""

SHORTEST_ROUND = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class For:
    """So long after the step is reached."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """An instant, or a date that the series carries, moved by an offset on the recipient's calendar.

    Attributes:
        instant: The instant itself, where it is fixed.
        anchor: The name of one of the series' dates, such as `due_at`, where it is not.
        at: The time of day in the recipient's zone; None keeps the anchor's.
    """

    instant: datetime | None = None
    anchor: str | None = None
    offset: Span = field(default_factory=Span)
    at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLocal:
    """The next time that the recipient's clock shows `at`, on one of the weekdays, from Monday, which is 0.

    Attributes:
        holidays: The calendar whose days are left out.
    """

    at: time
    weekdays: frozenset[int] = frozenset(range(7))
    holidays: str | None = None


Moment = For | Until | NextLocal


class Past(StrEnum):
    """What to do with a moment that is over when its step is reached."""

    NOW = "now"
    SKIP = "skip"


class Since(StrEnum):
    """From when on something counts that a step waits for."""

    SERIES_START = "series_start"
    PREVIOUS_SEND = "previous_send"
    NOW = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Something that may be heard: a reply, a tap on a button, a receipt, an event.

    Attributes:
        kind: `reply`, `tap`, `reaction`, `delivered`, `read` or `event`.
        name: Which button, emoji or event; `*` at the end stands for anything; None for every one.
    """

    kind: str
    name: str | None = None


class Taps(StrEnum):
    """How often the buttons of a message may be tapped."""

    ANY = "any"
    ONCE = "once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Sends one message, and goes on when it is handed over to its notification.

    Attributes:
        to: The expression that gives another recipient's id than the series' own.
        expires: How long after the step the message is worth sending.
        taps: Whether its buttons are good for one tap only.
    """

    id: str
    template: str
    channels: tuple[Channel, ...] = ()
    fallback: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    to: str | None = None
    expires: Span | None = None
    critical: bool = False
    taps: Taps = Taps.ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Waits for a moment; a `past` one that is over skips as many of the following steps as `Past` says."""

    id: str
    moment: Moment
    past: Past = Past.NOW


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """Waits until something is heard; what came early counts from `since` on."""

    id: str
    awaited: tuple[Awaited, ...]
    timeout: Span | None = None
    since: Since = Since.PREVIOUS_SEND
    then: "tuple[FlowStep, ...]" = ()
    on_timeout: "tuple[FlowStep, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Asks for consent by a message, unless it stands already, and waits for the answer.

    Attributes:
        topic: What the consent is about.
        channel: For which channel it is, None for all; the question goes over `channels`.
        timeout: How long the link in it can be used, and the series waits.
    """

    id: str
    template: str
    topic: str
    timeout: Span
    channel: Channel | None = None
    channels: tuple[Channel, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    then: "tuple[FlowStep, ...]" = ()
    on_denied: "tuple[FlowStep, ...]" = ()
    on_timeout: "tuple[FlowStep, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Steps with the condition under which they are taken."""

    when: str
    steps: "tuple[FlowStep, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Takes the first case whose condition holds."""

    id: str
    cases: tuple[Case, ...]
    otherwise: "tuple[FlowStep, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Takes its steps again and again, until a condition holds or it is enough.

    Attributes:
        every: At once, then every so often.
        rule: At the days of a calendar rule, instead.
        at: The time of day, in the recipient's zone; with `every`, of all rounds but the first.
        until: A condition that is looked at before each round.
        most: How many rounds there are at most.
    """

    id: str
    steps: "tuple[FlowStep, ...]"
    most: int
    every: Span | None = None
    rule: str | None = None
    at: time | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        if self.every is not None and self.every.is_exact and self.every.exact < SHORTEST_ROUND:
            raise ValueError("a round takes at least a minute")
        if self.every is None and self.rule is None and not isinstance(next(iter(self.steps), None), WaitFor):
            raise ValueError("rounds that no time parts begin with something that is waited for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Collects events for a while, so that the message after it tells of all of them."""

    id: str
    events: tuple[str, ...]
    window: Span
    most: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """Ends the series where the recipient got `most` of this flow's messages within `per` already."""

    id: str
    most: int
    per: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Asks a web service of the tenant; its answer is known to later conditions as `outcomes.<id>`."""

    id: str
    url: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Changes the recipient, by what the series learned of them.

    Attributes:
        attributes: The tenant's own, each an expression.
        profile: `name`, `locale`, `zone`, each an expression.
        consents: What they chose about topics: `granted` or `denied`.
    """

    id: str
    attributes: Mapping[str, str]
    profile: Mapping[str, str] = field(default_factory=dict)
    consents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Ends the series."""

    id: str
    reason: str | None = None


FlowStep = Send | Wait | WaitFor | Confirm | Branch | Repeat | Digest | Throttle | Call | Update | Stop


class Again(StrEnum):
    """What a second start with the key of a series does."""

    REUSE = "reuse"
    REPLACE = "replace"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A definition, as one version of it says.

    Attributes:
        name: What the tenant calls it.
        title: What people read of it.
        on: Patterns of events that start it.
        match: A condition over the event, the recipient and the series, for starting.
        key: The expression that makes a series unique among those of the flow.
        to: Whom a series that an event starts is for: the kind of what is given, and the expression that gives it.
        again: What a start does whose key is in use: `reuse` leaves the running series alone, `replace` stops it and
            begins anew, `ignore` takes a key only once, also after its series is over.
        stop_when: What ends a series wherever it is: something that is heard, or a condition.
        quiet: When its recipient is left alone; critical messages do not ask.
    """

    name: str
    steps: tuple[FlowStep, ...]
    title: str = ""
    on: tuple[str, ...] = ()
    match: str | None = None
    key: str | None = None
    to: tuple[str, str] | None = None
    again: Again = Again.REUSE
    stop_when: tuple[Awaited, ...] = ()
    stop_if: str | None = None
    quiet: Quiet | None = None
    interpreter: int = INTERPRETER
