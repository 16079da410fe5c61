"""Frequency caps: how many messages somebody may get within some time, over all flows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.durations import parse
from domain.recipients import Channel

LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCap:
    """At most `most` messages within `per`, over the named channels together; without any, over all.

    Attributes:
        topic: The topic that it is about; without one it counts messages about anything.
    """

    most: int
    per: timedelta
    channels: frozenset[Channel] = frozenset()
    topic: str | None = None

    def concerns(self, channel: Channel, topic: str | None) -> bool:
        """Tells whether a message counts for it."""
        return (not self.channels or channel in self.channels) and self.topic in (None, topic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that somebody got, or is about to get."""

    channel: Channel
    topic: str | None
    at: datetime


def is_used_up(caps: Iterable[FrequencyCap], wanted: Sent, former: Sequence[Sent]) -> bool:
    """Tells whether one more message would be more than one of the caps allows, after those that went before."""
    return any(
        sum(cap.concerns(one.channel, one.topic) and one.at > wanted.at - cap.per for one in former) >= cap.most
        for cap in caps
        if cap.concerns(wanted.channel, wanted.topic)
    )


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
        )
        for cap in stored
    )
