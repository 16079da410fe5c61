"""Frequency caps: how many messages somebody may get within some time, over all flows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.durations import parse
from domain.recipients import Channel

LONGEST = timedelta(days=31)
_NEARLY, _A_LITTLE = timedelta(minutes=1), timedelta(seconds=5)


class Then(StrEnum):
    """What becomes of a message that is one too many."""

    SKIP = "skip"
    DELAY = "delay"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCap:
    """At most `most` messages within `per`, over the named channels together; without any, over all.

    Attributes:
        topic: The topic that it is about; without one it counts messages about anything.
        then: What becomes of one too many.
    """

    most: int
    per: timedelta
    channels: frozenset[Channel] = frozenset()
    topic: str | None = None
    then: Then = Then.SKIP

    def concerns(self, channel: Channel, topic: str | None) -> bool:
        """Tells whether a message counts for it."""
        return (not self.channels or channel in self.channels) and self.topic in (None, topic)

    def room_from(self, wanted: "Sent", former: Iterable["Sent"]) -> datetime | None:
        """Returns when it leaves room for a message after those that went before, or None where it does now."""
        counted = (one.at for one in former if self.concerns(one.channel, one.topic) and one.at > wanted.at - self.per)
        oldest_first = sorted(counted)
        if len(oldest_first) < self.most:
            return None
        return oldest_first[len(oldest_first) - self.most] + self.per


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that somebody got, or is about to get."""

    channel: Channel
    topic: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TooMany:
    """What the caps say of one too many: it waits until an instant, or is left out."""

    until: datetime | None = None


def judge(caps: Iterable[FrequencyCap], wanted: Sent, former: Sequence[Sent]) -> TooMany | None:
    """Returns what becomes of a message for which some cap has no room, or None where all have.

    One that leaves out counts before those that delay, and of those the last. What is nearly over is lengthened a
    little: who asks again by a clock that is ahead finds room then, and many who wait for one person do not spin.
    """
    concerned = (cap for cap in caps if cap.concerns(wanted.channel, wanted.topic))
    full = [(cap.then, room) for cap in concerned if (room := cap.room_from(wanted, former)) is not None]
    if not full:
        return None
    if any(then is Then.SKIP for then, _ in full):
        return TooMany()
    until = max(room for _, room in full)
    return TooMany(until=until if until - wanted.at > _NEARLY else until + _A_LITTLE)


def length(text: str) -> timedelta:
    """Returns the time of a cap; a day counts as 24 hours.

    Raises:
        ValueError: It is no length of time, has months, or is longer than a month.
    """
    span = parse(text)
    found = span.exact + timedelta(days=span.days)
    if span.months or not timedelta(0) < found <= LONGEST:
        raise ValueError(f"a cap counts within at most {LONGEST.days} days; write it like '1d' or '12h'")
    return found


def caps_of(stored: Iterable[Mapping[str, Any]], topic: str | None = None) -> tuple[FrequencyCap, ...]:
    """Returns caps as a tenant or a topic keeps them."""
    return tuple(
        FrequencyCap(
            most=int(cap["most"]),
            per=length(cap["per"]),
            channels=frozenset(Channel(name) for name in cap.get("channels") or ()),
            topic=topic,
            then=Then(cap.get("then", Then.SKIP)),
        )
        for cap in stored
    )
