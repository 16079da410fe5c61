"""What the query of a schedule selects, and the series that is to be started for each of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.event_taking import NotMeant, text_of
from activities.scheduled_starts import Wanted
from activities.series_facts import person
from db import schedule_queries, series_steps
from db.json import plain
from db.recipients import Recipient
from db.series import Series
from domain.calendar import is_in_reach
from domain.conditions import ConditionError, holds, value_of
from domain.schedule_actions import StartEach, expressions

_RECIPIENT = re.compile(r"\brecipient\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """One row that was looked at: meant by the query with its facts, not meant, or impossible to judge."""

    id: UUID
    name: str
    row: Series | Recipient
    is_meant: bool
    facts: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selecting:
    """A query as one run sees it.

    Attributes:
        about: What expressions see as `schedule`.
        until: When the run began; what came later is left to the next one.
    """

    action: StartEach
    at: datetime
    zone: str
    about: Mapping[str, Any]
    until: datetime

    async def rows(
        self, connection: AsyncConnection, tenant_id: UUID, *, after: UUID | None, limit: int
    ) -> Sequence[Picked]:
        """Returns the next rows, each with whether `where` takes it."""
        query = self.action.query
        if query.over == "recipients":
            people = await schedule_queries.select_recipients(
                connection, tenant_id, until=self.until, after=after, limit=limit
            )
            return [self._picked(row.id, row.external_id, row, _person(row), _person(row)) for row in people]
        found = await schedule_queries.select_series(
            connection, tenant_id, query, at=self.at, zone=self.zone, until=self.until, after=after, limit=limit
        )
        asks = any(_RECIPIENT.search(one) for one in expressions(self.action).values())
        picked = []
        for one in found:
            receiver = await series_steps.receiver(connection, tenant_id, one.receiver_id) if asks else None
            picked.append(self._picked(one.id, str(one.id), one, _item(one), person(one.to, receiver)))
        return picked

    def wanted(self, picked: Picked) -> Wanted:
        """Returns the series that is to be started for a row.

        Raises:
            NotMeant: An expression cannot be judged, or does not give what is needed.
        """
        action, facts = self.action, picked.facts
        data = {name: _value(text, facts, f"data.{name}") for name, text in action.data.items()}
        anchors = {name: _instant(text, facts, name) for name, text in action.anchors.items()}
        kind, to, receiver_id = self._receiver(picked)
        of = picked.row if isinstance(picked.row, Series) else None
        return Wanted(
            item=picked.name,
            key=text_of(action.key, facts, "key"),
            to_kind=kind,
            to=to,
            receiver_id=receiver_id,
            data=data,
            anchors=anchors,
            zone=of.zone if of else None,
            resource=(of.resource_type, of.resource_id) if of and of.resource_type and of.resource_id else None,
        )

    def _receiver(self, picked: Picked) -> tuple[str, str, UUID | None]:
        if self.action.to is not None:
            kind, expression = self.action.to
            return kind, text_of(expression, picked.facts, "to"), None
        if isinstance(picked.row, Recipient):
            return "recipient", picked.row.external_id, picked.row.id
        return picked.row.to_kind, picked.row.to, picked.row.receiver_id

    def _picked(self, row_id: UUID, name: str, row: Series | Recipient, item: Any, receiver: Any) -> Picked:
        facts = {"schedule": self.about, "item": item, "recipient": receiver}
        where, is_meant, error = self.action.query.where, True, None
        try:
            is_meant = where is None or holds(where, facts)
        except ConditionError as found:
            error = f"`where` ({where}): {found}"
        return Picked(id=row_id, name=name, row=row, is_meant=is_meant, facts=facts, error=error)


def _item(row: Series) -> Mapping[str, Any]:
    names = ("key", "flow", "to", "to_kind", "status", "step", "resource_type", "resource_id")
    told = {name: getattr(row, name) for name in names}
    return {**told, "id": str(row.id), "anchors": dict(row.anchors), "data": plain(dict(row.data))}


def _person(row: Recipient) -> Mapping[str, Any]:
    told = {"id": row.external_id, "name": row.name, "locale": row.locale, "zone": row.zone}
    return {**told, "attributes": plain(dict(row.attributes))}


def _value(expression: str, facts: Mapping[str, Any], what: str) -> Any:
    try:
        return value_of(expression, facts)
    except ConditionError as error:
        raise NotMeant(f"`{what}` ({expression}): {error}") from error


def _instant(expression: str, facts: Mapping[str, Any], name: str) -> str:
    text = text_of(expression, facts, f"anchors.{name}")
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotMeant(f"`anchors.{name}` ({expression}) gives no instant") from error
    if found.tzinfo is None or not is_in_reach(found):
        raise NotMeant(f"`anchors.{name}` ({expression}) gives an instant without its offset, or out of reach")
    return found.isoformat()
