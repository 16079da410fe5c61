"""What a series learns of its recipient, written into their profile."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.series_sends import NotPossible
from db import consents, series_steps, topics
from db.consents import NewConsent, Subject
from db.series import Series
from domain.calendar import zone_of
from domain.conditions import value_of
from domain.consent import Source, State
from domain.flow_steps import Update
from domain.locales import parse as parse_locale

_LONGEST_NAME = 200


async def updated(
    connection: AsyncConnection, tenant_id: UUID, row: Series, step: Update, facts: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Changes the recipient of a series; without one, only what an address may choose.

    Raises:
        NotPossible: What an expression gives is no locale, no zone, or no name, or a topic is not there.
    """
    subject = Subject(row.to_kind, row.to) if row.receiver_id is None else Subject.recipient(row.receiver_id)
    await _choose(connection, tenant_id, row, subject, step, now)
    if row.receiver_id is None:  # an address has no profile
        return {"skipped": "no_recipient", **({"consents": dict(step.consents)} if step.consents else {})}
    attributes = {name: value_of(expression, facts) for name, expression in step.attributes.items()}
    profile = {name: _checked(name, value_of(expression, facts)) for name, expression in step.profile.items()}
    await series_steps.change_receiver(connection, tenant_id, row.receiver_id, attributes, profile)
    told: dict[str, Any] = {"attributes": sorted(attributes)}
    more = {"profile": sorted(profile), "consents": dict(step.consents)}
    return {**told, **{name: value for name, value in more.items() if value}}


async def _choose(
    connection: AsyncConnection, tenant_id: UUID, row: Series, subject: Subject, step: Update, now: datetime
) -> None:
    """Keeps what the recipient chose about topics, with the series as where they said so."""
    for name in step.consents:
        if await topics.get(connection, tenant_id, name) is None:
            raise NotPossible("topic_missing", f"there is no topic {name!r}")
    evidence = {"series": str(row.id), "flow": row.flow, "step": step.id}
    chosen = [
        NewConsent(
            subject=subject,
            channel=None,
            topic=name,
            state=State(state),
            source=Source.FLOW,
            at=now,
            evidence=evidence,
        )
        for name, state in step.consents.items()
    ]
    await consents.keep(connection, tenant_id, chosen)


def _checked(name: str, value: Any) -> str:
    try:
        return _MEMBERS[name](value if isinstance(value, str) else "")
    except ValueError as error:
        raise NotPossible("data_refused", f"profile.{name}: {error}") from error


def _name(value: str) -> str:
    if not value or len(value) > _LONGEST_NAME:
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} characters")
    return value


_MEMBERS: Mapping[str, Callable[[str], str]] = {
    "name": _name,
    "locale": lambda value: str(parse_locale(value)),
    "zone": lambda value: zone_of(value).key,
}
