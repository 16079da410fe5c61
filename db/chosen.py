"""What people chose about a topic, as statements bring it along beside a notification."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from db.consents import choice_of
from db.topics import rules_of
from domain.consent import Choice, Topic
from domain.recipients import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChoice:
    """A choice with whose it is: a recipient's, or that of whoever has an address."""

    kind: str
    value: str = field(repr=False)
    choice: Choice

    def concerns(self, address: Address) -> bool:
        """Tells whether the choice holds for messages to an address of the recipient."""
        return self.kind == "recipient" or (self.kind, self.value) == (address.kind.value, address.value)


def topic_of(row: dict[str, Any]) -> Topic | None:
    """Takes the columns of a topic out of a row and returns it, if the template has one."""
    name, default, channels, transactional = (
        row.pop(column) for column in ("topic", "default_state", "topic_channels", "transactional")
    )
    return None if name is None else rules_of(name, default, channels, transactional=transactional)


def choices_of(row: Mapping[str, Any]) -> tuple[KnownChoice, ...]:
    """Returns the choices that a row brings along as arrays."""
    return tuple(
        KnownChoice(kind=kind, value=value, choice=choice_of(channel, topic, state, datetime.fromisoformat(at)))
        for kind, value, channel, topic, state, at in row["choices"] or ()
    )
