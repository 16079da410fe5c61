"""Pages: rows of a long line that start together, and what becomes of members that need more than one attempt."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox
from db.delivery_tables import notification
from db.tables import outbox as outbox_table
from domain import keys
from domain.starts import STARTING, notification_start

# Lines of urgent lanes are left alone. A row that waits for its time, was in a page before, or is no notification's,
# keeps its own place.
_PICK = text(f"""
WITH RECURSIVE line AS (
    (SELECT lane, tenant_id FROM outbox WHERE lane >= :lane ORDER BY lane, tenant_id LIMIT 1)
    UNION ALL
    SELECT following.lane, following.tenant_id FROM line CROSS JOIN LATERAL (
        SELECT lane, tenant_id FROM outbox WHERE (outbox.lane, outbox.tenant_id) > (line.lane, line.tenant_id)
        ORDER BY lane, tenant_id LIMIT 1
    ) AS following
)
SELECT picked.tenant_id, line.lane, picked.id, picked.notification_id
FROM line CROSS JOIN LATERAL (
    SELECT o.tenant_id, o.id, CAST(o.payload -> 'input' ->> 'notification_id' AS uuid) AS notification_id
    FROM outbox AS o
    WHERE o.lane = line.lane AND o.tenant_id = line.tenant_id AND o.kind = 'start'
      AND (o.leased_until IS NULL OR o.leased_until < now())
      AND {outbox.FITS_A_PAGE.format(row="o")}
    ORDER BY o.id LIMIT :size FOR UPDATE OF o SKIP LOCKED
) AS picked
ORDER BY line.lane, picked.tenant_id, picked.id
LIMIT :most
""")  # noqa: S608  # nosec B608 - the only text put in is a constant of the outbox


async def form(connection: AsyncConnection, *, lane: int, size: int, least: int, most: int) -> frozenset[UUID]:
    """Turns the fronts of long lines into pages, one row of the outbox each, and returns whose lines they were.

    Members, page and start change in one transaction: a notification is started alone or by one page, never by two.
    """
    asked = {"lane": lane, "size": size, "most": size * most}
    rows = (await connection.execute(_PICK, asked)).all()
    lines = [list(line) for _, line in groupby(rows, key=lambda row: (row.lane, row.tenant_id))]
    long = [line for line in lines if len(line) >= least]
    if not long:
        return frozenset()
    members = [row for line in long for row in line]
    await outbox.remove(connection, [(row.tenant_id, row.id) for row in members])
    pages = [(uuid_utils.compat.uuid7(), line) for line in long]
    await connection.execute(insert(outbox_table), [_start(page_id, line) for page_id, line in pages])
    for page_id, line in pages:
        ids = [row.notification_id for row in line]
        mine = (notification.c.tenant_id == line[0].tenant_id, notification.c.id.in_(ids))
        await connection.execute(update(notification).where(*mine).values(page_id=page_id))
    return frozenset(row.tenant_id for row in members)


def _start(page_id: UUID, line: Sequence[Any]) -> dict[str, Any]:
    """Returns the row of a page; it keeps the place of its first member."""
    workflow_id = keys.page_workflow(str(page_id))
    ids = [str(row.notification_id) for row in line]
    return {
        "tenant_id": line[0].tenant_id,
        "id": line[0].id,
        "lane": line[0].lane,
        "kind": "start",
        "workflow_id": workflow_id,
        "dedup_key": keys.start_of(workflow_id),
        "payload": {
            "workflow": "page",
            "input": {"tenant_id": str(line[0].tenant_id), "page_id": str(page_id), "notification_ids": ids},
        },
    }


async def members(connection: AsyncConnection, tenant_id: UUID, page_id: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Returns the notifications that are still a page's to attempt: not ended, not handed over."""
    mine = _mine(tenant_id, page_id, ids)
    return set((await connection.execute(select(notification.c.id).where(*mine))).scalars())


async def hand_over(connection: AsyncConnection, tenant_id: UUID, page_id: UUID, ids: Sequence[UUID]) -> None:
    """Gives members of a page workflows of their own, which go on from what the ledger says; ended ones need none."""
    if not ids:
        return
    mine = _mine(tenant_id, page_id, ids)
    columns = [notification.c[name] for name in ("id", "lane", *STARTING)]
    rows = (await connection.execute(select(*columns).where(*mine).order_by(notification.c.id))).mappings().all()
    if not rows:
        return
    starts = [outbox.own_start(tenant_id, row["id"], row["lane"], _payload(tenant_id, dict(row))) for row in rows]
    await connection.execute(insert(outbox_table).on_conflict_do_nothing(), starts)
    await connection.execute(update(notification).where(*mine).values(page_id=None))


def _mine(tenant_id: UUID, page_id: UUID, ids: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
    columns = notification.c
    return (
        columns.tenant_id == tenant_id,
        columns.id.in_(ids),
        columns.ended_at.is_(None),
        columns.page_id == page_id,
    )


def _payload(tenant_id: UUID, row: Mapping[str, Any]) -> dict[str, Any]:
    return notification_start(tenant_id, row["id"], **{name: row[name] for name in STARTING})
