"""What the runs of schedules do: start a series, start one for each of what a query selects, or take an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain import durations
from domain.calendar import shift, zone_of
from domain.durations import Span

MOST = 10_000
"""What one run of a query takes up, unless it says less."""
OF_ONE = frozenset({"schedule"})
"""What the key of a single start sees."""
OF_EACH = frozenset({"schedule", "item", "recipient"})
"""What the expressions of a query and of its starts see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorRule:
    """Which dates of a series are meant: that have passed or not, come within a time, or passed so long ago."""

    name: str
    passed: bool | None = None
    within: Span | None = None
    older_than: Span | None = None

    def bounds(self, at: datetime, zone: str) -> tuple[datetime | None, datetime | None]:
        """Returns after which instant a date lies, and until which, as it is at `at`."""
        if self.within is not None:
            return at, shift(at, self.within, zone_of(zone))
        if self.older_than is not None:
            return None, shift(at, -self.older_than, zone_of(zone))
        if self.passed is None:
            return None, None
        return (None, at) if self.passed else (at, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which series or recipients are meant; what is None does not matter."""

    over: str = "series"  # series | recipients
    flow: str | None = None
    status: str | None = None
    step: str | None = None
    resource_type: str | None = None
    anchor: AnchorRule | None = None
    where: str | None = None
    most: int = MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOne:
    """One series for each run.

    Attributes:
        to: The kind of whom it is for, and the recipient's id or the address.
        key: An expression; without one each run has a key of its own.
    """

    flow: str
    to: tuple[str, str] = field(repr=False)
    key: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    anchors: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    resource: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEach:
    """One series for each of what a query selects; `to`, `key`, `data` and `anchors` are expressions.

    Attributes:
        to: The kind of whom it is for, and the expression; without it whom the selected one is for.
    """

    query: Query
    flow: str
    key: str
    to: tuple[str, str] | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    anchors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeEvent:
    """An event, as if somebody had sent it."""

    type: str
    data: Any = field(default=None, repr=False)
    subject: str | None = None


Action = StartOne | StartEach | TakeEvent


def action_of(document: Mapping[str, Any]) -> Action:
    """Returns an action as it is stored; what was parsed at the edge is not checked again."""
    if "event" in document:
        return TakeEvent(**document["event"])
    start = document["start"]
    kind_and_value = next(iter(start["to"].items())) if start.get("to") else None
    if "query" in document:
        named = {name: start[name] for name in ("flow", "key", "data", "anchors") if name in start}
        return StartEach(query=_query(document["query"]), to=kind_and_value, **named)
    assert kind_and_value is not None  # noqa: S101 - the edge takes no single start without it
    resource = (start["resource"]["type"], start["resource"]["id"]) if "resource" in start else None
    named = {name: start[name] for name in ("flow", "key", "data", "anchors", "zone") if name in start}
    return StartOne(to=kind_and_value, resource=resource, **named)


def expressions(action: StartEach) -> Mapping[str, str]:
    """Returns the expressions of an action, by their places in its document."""
    found = {f"/start/{group}/{name}": text for group in ("data", "anchors") for name, text in _of(action, group)}
    found["/start/key"] = action.key
    if action.to is not None:
        found[f"/start/to/{action.to[0]}"] = action.to[1]
    if action.query.where is not None:
        found["/query/where"] = action.query.where
    return found


def _of(action: StartEach, group: str) -> list[tuple[str, str]]:
    named: Mapping[str, str] = getattr(action, group)
    return list(named.items())


def _query(document: Mapping[str, Any]) -> Query:
    rule = document.get("anchor")
    named = {name: value for name, value in document.items() if name != "anchor"}
    return Query(anchor=_anchor_rule(rule) if rule else None, **named)


def _anchor_rule(document: Mapping[str, Any]) -> AnchorRule:
    spans = {name: durations.parse(document[name]) for name in ("within", "older_than") if name in document}
    return AnchorRule(name=document["name"], passed=document.get("passed"), **spans)
