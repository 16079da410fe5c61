"""What a flow's expressions name although no event that starts it has it: told beside the answer, never refused."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from pydantic import Field

from api.flow_files import FlowText
from api.models import Shown
from db import event_types
from db.session import Database
from domain.flow_members import doubts

MOST_TYPES = 100
"""A flow that begins by more types than these is not looked at."""
_MOST_TOLD = 50


class FlowWarning(Shown):
    """Something that is probably not meant; line and column count from 1."""

    line: int
    column: int
    pointer: str
    message: str
    path: str = Field(description="The member that no event has which starts the flow, as `event.data.amuont`.")
    near: str | None = Field(description="The member that may be meant.")


async def warnings_of(database: Database, tenant_id: UUID, text: FlowText) -> list[FlowWarning]:
    """Returns what the schemas of the events that start a flow say against its expressions, in their order."""
    patterns = text.flow.on if text.flow is not None else ()
    if not patterns or not any("data" in one.expression for one in text.expressions):
        return []
    async with database.tenant(tenant_id) as connection:
        known = await event_types.described(connection, tenant_id, patterns, limit=MOST_TYPES + 1)
    return await asyncio.to_thread(_warnings, text, patterns, known)


def _warnings(
    text: FlowText, patterns: Sequence[str], known: Mapping[str, Mapping[str, Any] | None]
) -> list[FlowWarning]:
    schemas = {type_: schema for type_, schema in known.items() if schema is not None}
    named = all(pattern.endswith("*") or pattern in known for pattern in patterns)
    if not named or len(schemas) < len(known) or len(known) > MOST_TYPES:
        return []  # of a type that nobody described anything may come
    found = []
    for doubt in islice(doubts(text.expressions, schemas), _MOST_TOLD):
        place = text.at(doubt.pointer, doubt.message)
        shown = {name: getattr(place, name) for name in ("line", "column", "pointer", "message")}
        found.append(FlowWarning(**shown, path=doubt.path, near=doubt.near))
    return sorted(found, key=lambda one: (one.line, one.column))
