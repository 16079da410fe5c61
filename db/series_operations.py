"""Operations over many series: counted, created with the series that they mean, and the steps they take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import operation_series, operations, outbox, series_lists
from db.care_tables import operation
from db.json import encode
from db.operations import Operation
from db.series import COLUMNS, JOINED, Series
from db.series_lists import SeriesFilter
from db.series_tables import series
from db.tables import recipient
from domain.notifications import LANES, Lane
from domain.operations import OperationKind, OperationSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """What is to be done, with which series, how many of them in a second, and who wants it why.

    Attributes:
        order: What was asked besides the kind, as JSON holds it.
    """

    kind: OperationKind
    filter: SeriesFilter
    order: Mapping[str, Any]
    rate: int
    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A locked series whose turn it is.

    Attributes:
        fits: Whether it is still one of those that the operation means.
        zone: Whose clock counts.
    """

    series: Series
    fits: bool
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A series as it is to stand, and the line of its timeline that says why.

    Attributes:
        rests: Whether it waits for no instant until it looked again, and is woken by its `wakes`.
    """

    id: UUID
    kind: str
    detail: Mapping[str, Any]
    at: str | None
    status: str
    reason: str | None
    told: str | None = field(repr=False)
    step: str | None
    place: int
    state: Mapping[str, Any] = field(repr=False)
    anchors: Mapping[str, str]
    rests: bool
    wakes: Sequence[Mapping[str, str | None]] = ()


# Before the series, and in the order of their names, as everybody locks them.
_HOLD = text("""
SELECT f.id FROM flow AS f WHERE f.tenant_id = :tenant AND f.id IN (
    SELECT s.flow_id FROM series AS s WHERE s.tenant_id = :tenant AND s.id = ANY(CAST(:ids AS uuid[])))
ORDER BY f.name FOR SHARE
""")
# Each change is noted, and wakes its series, in the one statement that makes it.
_CHANGE = text("""
WITH told AS (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:details AS text[]), CAST(:ats AS text[]),
        CAST(:statuses AS text[]), CAST(:reasons AS text[]), CAST(:tolds AS text[]), CAST(:steps AS text[]),
        CAST(:places AS integer[]), CAST(:states AS text[]), CAST(:anchors AS text[]), CAST(:rests AS boolean[]),
        CAST(:wakes AS text[])
    ) AS told(id, kind, detail, at, status, reason, told, step, place, state, anchors, rests, wakes)
), changed AS (
    UPDATE series AS s SET status = told.status, reason = told.reason, detail = told.told, step = told.step,
           place = told.place, state = CAST(told.state AS jsonb), anchors = CAST(told.anchors AS jsonb),
           next_at = CASE WHEN told.rests THEN NULL ELSE s.next_at END,
           wakes = CASE WHEN told.rests THEN CAST(told.wakes AS jsonb) ELSE s.wakes END,
           ended_at = CASE WHEN told.status = 'stopped' THEN now() ELSE s.ended_at END,
           updated_at = now(), entries = s.entries + 1
    FROM told WHERE s.tenant_id = :tenant AND s.id = told.id
    RETURNING s.id, s.entries, told.kind, told.at, told.detail
), noted AS (
    INSERT INTO series_entry (tenant_id, id, series_id, number, kind, step, detail, at)
    SELECT :tenant, gen_random_uuid(), id, entries, kind, at, CAST(detail AS jsonb), now() FROM changed
)
INSERT INTO outbox (tenant_id, id, lane, kind, workflow_id, dedup_key, payload)
SELECT :tenant, gen_random_uuid(), :lane, 'signal', 'series/' || id,
       'signal/series/' || id || '/operation/' || :operation, '{"signal": "woken", "arguments": []}'
FROM changed ON CONFLICT DO NOTHING
""")


async def count(connection: AsyncConnection, tenant_id: UUID, wanted: SeriesFilter) -> int:
    """Returns how many series that are not over are meant."""
    found: int = (await connection.execute(_meant(select(func.count()), tenant_id, wanted))).scalar_one()
    return found


async def first(connection: AsyncConnection, tenant_id: UUID, wanted: SeriesFilter, *, limit: int) -> list[Series]:
    """Returns some of the series that are meant, the newest first."""
    asked = _meant(select(*COLUMNS), tenant_id, wanted).order_by(series.c.id.desc()).limit(limit)
    return [Series(**row) for row in (await connection.execute(asked)).mappings()]


async def create(connection: AsyncConnection, tenant_id: UUID, new: NewOperation) -> UUID:
    """Leaves an operation with the series that are meant now, together with the start of its workflow."""
    new_id = uuid_utils.compat.uuid7()
    values = {
        "tenant_id": tenant_id, "id": new_id, "subject": OperationSubject.SERIES.value, "kind": new.kind.value,
        "filter": series_lists.as_document(new.filter), "order": dict(new.order), "rate": new.rate, "total": 0,
        "actor": new.actor, "reason": new.reason,
    }  # fmt: skip
    await connection.execute(operation.insert().values(values))
    meant = _meant(select(series.c.id), tenant_id, new.filter)
    total = await operation_series.keep(connection, tenant_id, new_id, meant)
    mine = (operation.c.tenant_id == tenant_id, operation.c.id == new_id)
    # Workers of the version before find the series by the filter, up to the last one.
    last = await operation_series.last_of(connection, tenant_id, new_id)
    await connection.execute(update(operation).where(*mine).values(total=total, until=last))
    said = f"{new.kind.value} {total} series"
    await outbox.add_starts(connection, tenant_id, [operations.start(tenant_id, new_id, said)])
    return new_id


async def turns(connection: AsyncConnection, tenant_id: UUID, found: Operation, ids: Sequence[UUID]) -> list[Turn]:
    """Locks series whose turn it is, and returns them as they stand, in the order of their ids."""
    assert isinstance(found.filter, SeriesFilter)  # noqa: S101 - whoever calls knows the subject
    await connection.execute(_HOLD, {"tenant": tenant_id, "ids": list(ids)})
    mine = (series.c.tenant_id == tenant_id, series.c.id.in_(ids))
    locked = select(series.c.id).where(*mine).order_by(series.c.id).with_for_update(key_share=True)
    await connection.execute(locked)
    # Only now, and not with the lock: a join would be judged by what the rows referred to before the wait.
    fitting = series_lists.filtered(select(series.c.id).select_from(JOINED).where(*mine), found.filter)
    fits = set((await connection.execute(fitting)).scalars())
    holder = (recipient.c.tenant_id == series.c.tenant_id) & (recipient.c.id == series.c.receiver_id)
    asked = select(*COLUMNS, recipient.c.zone.label("theirs")).select_from(JOINED.outerjoin(recipient, holder))
    rows = (await connection.execute(asked.where(*mine).order_by(series.c.id))).mappings()
    standing = [({**row}, row["theirs"]) for row in rows]
    return [
        Turn(
            series=Series(**{name: row[name] for name in Series.__dataclass_fields__}),
            fits=row["id"] in fits,
            zone=row["zone"] or theirs or "UTC",
        )
        for row, theirs in standing
    ]


async def change(connection: AsyncConnection, tenant_id: UUID, found: Operation, changes: Sequence[Changed]) -> None:
    """Lets locked series stand as they are to, notes on each who wanted it and why, and wakes them."""
    if not changes:
        return
    by = {"by": found.actor, "reason": found.reason, "operation": str(found.id)}
    asked: dict[str, Any] = {
        "tenant": tenant_id, "lane": LANES[Lane.BULK], "operation": str(found.id),
        "ids": [one.id for one in changes],
        "kinds": [one.kind for one in changes],
        "details": [encode({**one.detail, **by}) for one in changes],
        "ats": [one.at for one in changes],
        "statuses": [one.status for one in changes],
        "reasons": [one.reason for one in changes],
        "tolds": [one.told for one in changes],
        "steps": [one.step for one in changes],
        "places": [one.place for one in changes],
        "states": [encode(dict(one.state)) for one in changes],
        "anchors": [encode(dict(one.anchors)) for one in changes],
        "rests": [one.rests for one in changes],
        "wakes": [encode(list(one.wakes)) for one in changes],
    }  # fmt: skip
    await connection.execute(_CHANGE, asked)


def _meant(query: Any, tenant_id: UUID, wanted: SeriesFilter) -> Any:
    asked = query.select_from(JOINED).where(series.c.tenant_id == tenant_id, series.c.ended_at.is_(None))
    return series_lists.filtered(asked, wanted)
