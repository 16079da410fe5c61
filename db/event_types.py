"""Types of events: what their data looks like, and how many came; what was never described is kept, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from prometheus_client import Counter
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.json import alike
from db.series_tables import event_type

MALFORMED, SCHEMA = "malformed", "schema"
# Counted where it is written: one that is rolled back afterwards is written again, and then counted twice.
REFUSED = Counter("carillon_events_refused", "Events that were refused, each alone.", ("reason",))
for _reason in (MALFORMED, SCHEMA):
    REFUSED.labels(_reason)  # so that the first one is seen as a change from nothing

_SETTLED = timedelta(minutes=10)
"""Events that are older are all committed, so those up to there are counted once for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeSettings:
    """What somebody says of a type."""

    description: str
    schema: Mapping[str, Any] | None = field(repr=False)
    mode: str
    examples: Sequence[Any] = field(repr=False)

    def is_alike(self, other: "TypeSettings") -> bool:
        """Tells whether the other ones say the same."""
        words = (self.description, self.mode) == (other.description, other.mode)
        return words and alike([self.schema, [*self.examples]], [other.schema, [*other.examples]])


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRule:
    """What taking an event must know of its type."""

    id: UUID
    version: int
    mode: str
    has_schema: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A type of events; one that nobody described is not `known`."""

    id: UUID
    type: str
    known: bool
    version: int
    mode: str
    description: str
    schema: Mapping[str, Any] | None = field(repr=False)
    examples: Sequence[Any] = field(repr=False)
    came: int
    warned: int
    refused: int
    last_at: datetime | None
    last_refused_at: datetime | None
    last_refusal: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime

    def settings(self) -> TypeSettings:
        """Returns what somebody said of it."""
        return TypeSettings(**{name: getattr(self, name) for name in TypeSettings.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeFilter:
    """Which types are meant; what is not set does not restrict."""

    known: bool | None = None
    prefix: str | None = None
    faulty: bool | None = None


# Whoever publishes or pauses a flow waits until the event is through.
_SHARE = text("""
WITH held AS (SELECT id FROM flow WHERE tenant_id = :tenant ORDER BY name FOR SHARE)
SELECT (SELECT count(*) FROM held) AS held, t.id, t.version, t.mode, t.schema IS NOT NULL AS has_schema
FROM (SELECT 1) AS one LEFT JOIN event_type AS t ON t.tenant_id = :tenant AND t.type = :type
""")

_SHOWN = """
SELECT t.id, t.type, t.known, t.version, t.mode, t.description, t.schema, t.examples, t.came + fresh.came AS came,
       t.warned + fresh.warned AS warned, t.refused, last.created_at AS last_at, t.last_refused_at, t.last_refusal,
       t.created_at, t.updated_at
FROM event_type AS t
CROSS JOIN LATERAL (
    SELECT count(*) AS came, count(e.faults) AS warned FROM event AS e
    WHERE e.tenant_id = t.tenant_id AND e.type = t.type AND e.id > t.counted_to
) AS fresh
LEFT JOIN LATERAL (
    SELECT e.created_at FROM event AS e WHERE e.tenant_id = t.tenant_id AND e.type = t.type ORDER BY e.id DESC LIMIT 1
) AS last ON true
WHERE t.tenant_id = :tenant AND {conditions}
  AND (t.known OR t.refused > 0 OR t.came > 0 OR last.created_at IS NOT NULL)
"""

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:place AS text), 0))")
_DOCUMENTS = {"schema": JSONB, "examples": JSONB, "last_refusal": JSONB}

_COUNT = text("""
WITH due AS (
    SELECT tenant_id, id, type, counted_to FROM event_type WHERE id > :after ORDER BY id LIMIT :types
), counted AS (
    SELECT due.*, found.came, found.warned, found.last
    FROM due CROSS JOIN LATERAL (
        SELECT count(*) AS came, count(e.faults) AS warned, (array_agg(e.id ORDER BY e.id DESC))[1] AS last
        FROM (
            SELECT id, faults FROM event
            WHERE tenant_id = due.tenant_id AND type = due.type AND id > due.counted_to AND id < :until
            ORDER BY id LIMIT :events
        ) AS e
    ) AS found
), noted AS (
    UPDATE event_type AS t
    SET came = t.came + counted.came, warned = t.warned + counted.warned, counted_to = counted.last
    FROM counted
    WHERE t.tenant_id = counted.tenant_id AND t.id = counted.id AND t.counted_to = counted.counted_to
      AND counted.came > 0
    RETURNING counted.came
)
SELECT (SELECT coalesce(max(came), 0) FROM noted) AS most, (SELECT coalesce(sum(came), 0) FROM noted) AS seen,
       (SELECT id FROM due ORDER BY id OFFSET :types - 1) AS last
""")


async def share(connection: AsyncConnection, tenant_id: UUID, type_: str) -> TypeRule | None:
    """Keeps all flows from being published or paused in this transaction, and returns the rule of a type, if any."""
    row = (await connection.execute(_SHARE, {"tenant": tenant_id, "type": type_})).one()
    return rule_of(row) if row.id is not None else None


async def rule(connection: AsyncConnection, tenant_id: UUID, type_: str) -> TypeRule | None:
    """Returns the rule of a type, if any."""
    asked = select(
        event_type.c.id, event_type.c.version, event_type.c.mode, event_type.c.schema.is_not(None).label("has_schema")
    ).where(event_type.c.tenant_id == tenant_id, event_type.c.type == type_)
    row = (await connection.execute(asked)).one_or_none()
    return rule_of(row) if row is not None else None


def rule_of(row: Any) -> TypeRule:
    """Returns the rule that a row holds."""
    return TypeRule(id=row.id, version=row.version, mode=row.mode, has_schema=row.has_schema)


async def meet(connection: AsyncConnection, tenant_id: UUID, type_: str) -> None:
    """Keeps that events of a type come, which nobody described."""
    statement = insert(event_type).values(tenant_id=tenant_id, id=uuid_utils.compat.uuid7(), type=type_)
    await connection.execute(statement.on_conflict_do_nothing())


async def schema(connection: AsyncConnection, tenant_id: UUID, type_id: UUID) -> tuple[int, Mapping[str, Any] | None]:
    """Returns the schema of a type, with its version."""
    asked = select(event_type.c.version, event_type.c.schema).where(
        event_type.c.tenant_id == tenant_id, event_type.c.id == type_id
    )
    row = (await connection.execute(asked)).one_or_none()
    return (row.version, row.schema) if row is not None else (0, None)


async def described(
    connection: AsyncConnection, tenant_id: UUID, patterns: Sequence[str], *, limit: int
) -> Mapping[str, Mapping[str, Any] | None]:
    """Returns the types that patterns mean and that are known or were met, each with its schema, if it has one."""
    exact = [one for one in patterns if not one.endswith("*")]
    beginnings = [event_type.c.type.startswith(one[:-1], autoescape=True) for one in patterns if one.endswith("*")]
    asked = select(event_type.c.type, event_type.c.schema).where(
        event_type.c.tenant_id == tenant_id, or_(event_type.c.type.in_(exact), *beginnings)
    )
    return {row.type: row.schema for row in await connection.execute(asked.order_by(event_type.c.type).limit(limit))}


async def refuse(connection: AsyncConnection, tenant_id: UUID, type_: str, refusal: Mapping[str, Any]) -> None:
    """Counts an event that was refused, and keeps what was wrong with the last one."""
    statement = update(event_type).where(event_type.c.tenant_id == tenant_id, event_type.c.type == type_)
    values = {"refused": event_type.c.refused + 1, "last_refused_at": func.now(), "last_refusal": dict(refusal)}
    await connection.execute(statement.values(values))
    REFUSED.labels(SCHEMA).inc()


async def lock(connection: AsyncConnection, tenant_id: UUID, type_: str) -> None:
    """Keeps others from changing a type in this transaction."""
    # By its name, since it may not be there yet.
    await connection.execute(_LOCK, {"place": f"event-type/{tenant_id}/{type_}"})
    asked = select(event_type.c.id).where(event_type.c.tenant_id == tenant_id, event_type.c.type == type_)
    await connection.execute(asked.with_for_update())


async def put(connection: AsyncConnection, tenant_id: UUID, type_: str, said: TypeSettings) -> int:
    """Describes a type, or describes it anew as its next version, which is returned."""
    values = {
        "description": said.description,
        "schema": dict(said.schema) if said.schema is not None else None,
        "mode": said.mode,
        "examples": list(said.examples),
        "known": True,
    }
    new = {"tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "type": type_, "version": 1}
    statement = insert(event_type).values(**new, **values)
    changed = {**values, "version": event_type.c.version + 1, "updated_at": func.now()}
    known = [event_type.c.tenant_id, event_type.c.type]
    described = statement.on_conflict_do_update(index_elements=known, set_=changed).returning(event_type.c.version)
    version: int = (await connection.execute(described)).scalar_one()
    return version


async def forget(connection: AsyncConnection, tenant_id: UUID, found: EventType) -> None:
    """Takes back what was said of a type; where events of it came, it is shown as one that nobody described.

    The row stays: an event that is just being taken has seen it, and is not met as the first one of its type.
    """
    own = (event_type.c.tenant_id == tenant_id) & (event_type.c.id == found.id)
    values: dict[str, Any] = {"known": False, "schema": None, "mode": "enforce", "description": "", "examples": []}
    changed = {**values, "version": event_type.c.version + 1, "updated_at": func.now()}
    await connection.execute(update(event_type).where(own).values(changed))


async def get(connection: AsyncConnection, tenant_id: UUID, type_: str) -> EventType | None:
    """Returns a type that was described or of which events came."""
    statement = text(_SHOWN.format(conditions="t.type = :type")).columns(**_DOCUMENTS)
    row = (await connection.execute(statement, {"tenant": tenant_id, "type": type_})).mappings().one_or_none()
    return EventType(**row) if row else None


async def page(
    connection: AsyncConnection, tenant_id: UUID, *, wanted: TypeFilter, limit: int, before: UUID | None
) -> list[EventType]:
    """Returns types, those that were met or described last first."""
    asked = {"tenant": tenant_id, "limit": limit, "before": before, "known": wanted.known, "prefix": wanted.prefix}
    conditions = [
        "true" if before is None else "t.id < :before",
        "true" if wanted.known is None else "t.known = :known",
        "true" if wanted.prefix is None else "starts_with(t.type, :prefix)",
    ]
    if wanted.faulty is not None:
        conditions.append(f"(t.refused + t.warned + fresh.warned > 0) = {'true' if wanted.faulty else 'false'}")
    used = {name: value for name, value in asked.items() if value is not None}
    ordered = _SHOWN.format(conditions=" AND ".join(conditions)) + " ORDER BY t.id DESC LIMIT :limit"
    statement = text(ordered).columns(**_DOCUMENTS)
    return [EventType(**row) for row in (await connection.execute(statement, used)).mappings()]


async def count_settled(
    connection: AsyncConnection, *, after: UUID, now: datetime, types: int, events: int
) -> tuple[int, bool, UUID | None]:
    """Counts once for all what came up to ten minutes ago, of the next types after an id.

    Returns:
        How many events were counted, whether a type has more of them, and the last type where more types follow.
    """
    until = UUID(int=int((now - _SETTLED).timestamp() * 1000) << 80)
    asked = {"after": after, "types": types, "events": events, "until": until}
    row = (await connection.execute(_COUNT, asked)).one()
    return int(row.seen), row.most >= events, row.last
