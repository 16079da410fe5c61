"""What a series learns of its recipient, written into their profile."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.series_sends import NotPossible
from db import series_steps
from db.series import Series
from domain.calendar import zone_of
from domain.conditions import value_of
from domain.flow_steps import Update
from domain.locales import parse as parse_locale

_LONGEST_NAME = 200


async def updated(
    connection: AsyncConnection, tenant_id: UUID, row: Series, step: Update, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Changes the recipient of a series; without one there is nobody to change.

    Raises:
        NotPossible: What an expression gives is no locale, no zone, or no name.
    """
    if row.receiver_id is None:
        return {"skipped": "no_recipient"}
    attributes = {name: value_of(expression, facts) for name, expression in step.attributes.items()}
    profile = {name: _checked(name, value_of(expression, facts)) for name, expression in step.profile.items()}
    await series_steps.change_receiver(connection, tenant_id, row.receiver_id, attributes, profile)
    told = {"attributes": sorted(attributes)}
    return {**told, "profile": sorted(profile)} if profile else told


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
