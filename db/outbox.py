"""The outbox: rows that a transaction leaves for the dispatcher, who starts or signals workflows from them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.tables import outbox
from domain import keys
from domain.notifications import LANES, Lane

CHANNEL = "carillon_outbox"
"""The NOTIFY channel that wakes dispatchers; it carries nothing, the rows are the truth."""

SIGNALS = -1
"""The lane of signals, before all others: what they wake is under way already. Many at once have another one."""
LAST_LANE = 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row on its way to Temporal."""

    tenant_id: UUID
    id: UUID
    lane: int
    kind: str  # start | signal | schedule
    workflow_id: str
    payload: Mapping[str, Any]
    leases: int


async def add_starts(connection: AsyncConnection, tenant_id: UUID, starts: Sequence[tuple[str, int, Any]]) -> None:
    """Leaves the starts of workflows, as `(workflow id, lane, payload)`; a workflow that was started stays so."""
    rows = [_row(tenant_id, lane, "start", name, keys.start_of(name), payload) for name, lane, payload in starts]
    await connection.execute(insert(outbox).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A signal to leave; the same `cause` wakes a workflow once."""

    workflow_id: str
    signal: str
    cause: str
    arguments: Sequence[Any]


async def add_signals(
    connection: AsyncConnection, tenant_id: UUID, signals: Sequence[Signal], *, lane: int = SIGNALS
) -> None:
    """Leaves signals, before everything else that waits unless a `lane` says otherwise."""
    if not signals:
        return
    rows = [
        _row(
            tenant_id,
            lane,
            "signal",
            one.workflow_id,
            keys.signal_of(one.workflow_id, one.cause),
            {"signal": one.signal, "arguments": list(one.arguments)},
        )
        for one in signals
    ]
    await connection.execute(insert(outbox).on_conflict_do_nothing(), rows)


async def add_signal(
    connection: AsyncConnection, tenant_id: UUID, workflow_id: str, *, signal: str, cause: str, arguments: Sequence[Any]
) -> None:
    """Leaves one signal."""
    one = Signal(workflow_id=workflow_id, signal=signal, cause=cause, arguments=arguments)
    await add_signals(connection, tenant_id, [one])


async def add_word(connection: AsyncConnection, tenant_id: UUID, schedule_id: UUID, cause: str) -> None:
    """Leaves word to bring the clock of a schedule up to its row; each cause is a word of its own."""
    clock = keys.schedule_clock(str(tenant_id), str(schedule_id))
    row = _row(
        tenant_id, SIGNALS, "schedule", clock, keys.schedule_word(str(schedule_id), cause),
        {"schedule_id": str(schedule_id)},
    )  # fmt: skip
    await connection.execute(insert(outbox).on_conflict_do_nothing(), [row])


async def waits(connection: AsyncConnection, tenant_id: UUID, clock_id: str) -> bool:
    """Tells whether word to a clock waits to be handed over; it does so among the tenant's signals, which are few."""
    mine = (outbox.c.lane == SIGNALS, outbox.c.tenant_id == tenant_id)
    asked = select(outbox.c.id).where(*mine, outbox.c.kind == "schedule", outbox.c.workflow_id == clock_id)
    return (await connection.execute(asked.limit(1))).first() is not None


def _row(tenant_id: UUID, lane: int, kind: str, workflow_id: str, dedup_key: str, payload: Any) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "lane": lane,
        "kind": kind,
        "workflow_id": workflow_id,
        "dedup_key": dedup_key,
        "payload": payload,
    }


def own_start(tenant_id: UUID, notification_id: UUID, lane: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a notification that a page gave up: it goes on alone, where it would stand by its age.

    By the notification's own id, which was made when it was accepted, it stands before all that came later.
    """
    made = _row(tenant_id, lane, "start", keys.notification_workflow(str(notification_id)), "", {**payload, **_ALONE})
    return {**made, "id": notification_id, "dedup_key": keys.start_of(made["workflow_id"])}


_ALONE = {"alone": True}
# What may go out in a page: the start of one notification that is due and was in no page before.
FITS_A_PAGE = (
    "{row}.kind = 'start' AND {row}.payload ->> 'workflow' = 'notification' "
    "AND {row}.payload -> 'input' ->> 'send_at' IS NULL AND {row}.payload -> 'alone' IS NULL"
)

# Distinct (lane, tenant) pairs by skipping through the index, then the first free rows of each: the cost grows with the
# number of tenants that wait, not with the length of anybody's line. Tenants that come behind the one served last go
# first among equals, so that everybody gets a turn even when rows are taken one by one.
_LEASE = text(f"""
WITH RECURSIVE line AS (
    (SELECT lane, tenant_id FROM outbox WHERE lane <= :highest ORDER BY lane, tenant_id LIMIT 1)
    UNION ALL
    SELECT following.lane, following.tenant_id FROM line CROSS JOIN LATERAL (
        SELECT lane, tenant_id FROM outbox
        WHERE (outbox.lane, outbox.tenant_id) > (line.lane, line.tenant_id) AND outbox.lane <= :highest
        ORDER BY lane, tenant_id LIMIT 1
    ) AS following
), turn AS (
    SELECT picked.tenant_id, picked.id, line.lane, picked.fits_a_page,
           coalesce(line.tenant_id <= served.tenant_id, false) AS was_served,
           row_number() OVER (PARTITION BY line.lane, line.tenant_id ORDER BY picked.id) AS place
    FROM line
    LEFT JOIN unnest(CAST(:lanes AS smallint[]), CAST(:tenants AS uuid[])) AS served(lane, tenant_id)
           ON served.lane = line.lane
    CROSS JOIN LATERAL (
        SELECT outbox.tenant_id, outbox.id, {FITS_A_PAGE.format(row="outbox")} AS fits_a_page FROM outbox
        WHERE outbox.lane = line.lane AND outbox.tenant_id = line.tenant_id
          AND (outbox.leased_until IS NULL OR outbox.leased_until < now())
        ORDER BY outbox.id LIMIT :window
    ) AS picked
), chosen AS (
    -- Only as many rows are locked as are taken: what another dispatcher holds is passed over within the window.
    SELECT o.tenant_id, o.id
    FROM (SELECT * FROM turn
          WHERE lane <= :urgent OR NOT fits_a_page OR tenant_id != ALL(CAST(:paged AS uuid[]))
          ORDER BY lane, place, was_served, tenant_id LIMIT :window) AS next
    JOIN outbox AS o ON o.tenant_id = next.tenant_id AND o.id = next.id
    WHERE o.leased_until IS NULL OR o.leased_until < now()
    ORDER BY next.lane, next.place, next.was_served, next.tenant_id LIMIT :count FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox SET leased_until = now() + make_interval(secs => :seconds), leases = leases + 1
FROM chosen WHERE outbox.tenant_id = chosen.tenant_id AND outbox.id = chosen.id
RETURNING outbox.tenant_id, outbox.id, outbox.lane, outbox.kind, outbox.workflow_id, outbox.payload, outbox.leases
""")  # noqa: S608  # nosec B608 - the only text put in is the one above


_REMOVE = text("""
DELETE FROM outbox USING unnest(CAST(:tenants AS uuid[]), CAST(:ids AS uuid[])) AS gone(tenant_id, id)
WHERE outbox.tenant_id = gone.tenant_id AND outbox.id = gone.id
""")


async def lease(
    connection: AsyncConnection,
    *,
    count: int,
    seconds: float = 10.0,
    served: Mapping[int, UUID] | None = None,
    highest: int = LAST_LANE,
    paged: Collection[UUID] = (),
) -> list[Entry]:
    """Takes up to `count` free rows for `seconds`: urgent lanes first, tenants in turn within a lane.

    `served` holds, by lane, the tenant whose turn was last, as `turns` returns it. Lanes behind `highest` are left
    alone, and so is what fits a page in the lines of tenants that were `paged`.
    """
    asked = {
        "count": count,
        "window": 4 * count,
        "seconds": seconds,
        "lanes": list(served or {}),
        "tenants": list((served or {}).values()),
        "highest": highest,
        "paged": list(paged),
        "urgent": LANES[Lane.CRITICAL],
    }
    rows = await connection.execute(_LEASE, asked)
    entries = [Entry(**row) for row in rows.mappings()]
    return sorted(entries, key=lambda entry: (entry.lane, entry.id))


def turns(served: Mapping[int, UUID], entries: Sequence[Entry]) -> dict[int, UUID]:
    """Returns, by lane, the tenant whose turn was last once these rows were taken."""
    following = dict(served)
    for lane in {entry.lane for entry in entries}:
        former = served.get(lane)
        taken = Counter(entry.tenant_id for entry in entries if entry.lane == lane)
        round_ = [tenant_id for tenant_id, rows in taken.items() if rows == max(taken.values())]
        following[lane] = max(round_, key=lambda tenant_id: (former is not None and tenant_id <= former, tenant_id))
    return following


async def done(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Removes rows that were handed over."""
    await remove(connection, [(entry.tenant_id, entry.id) for entry in entries])


async def remove(connection: AsyncConnection, rows: Sequence[tuple[UUID, UUID]]) -> None:
    """Removes rows by tenant and id, all in one statement."""
    ordered = sorted(rows, key=lambda row: row[1])
    asked = {"tenants": [tenant_id for tenant_id, _ in ordered], "ids": [row_id for _, row_id in ordered]}
    await connection.execute(_REMOVE, asked)


async def release(connection: AsyncConnection, entries: Sequence[Entry], *, seconds: float) -> None:
    """Puts rows back that could not be handed over, to be taken again after `seconds`."""
    statement = text(
        "UPDATE outbox SET leased_until = now() + make_interval(secs => :seconds) WHERE tenant_id = :t AND id = :i"
    )
    rows = [{"t": entry.tenant_id, "i": entry.id, "seconds": seconds} for entry in entries]
    await connection.execute(statement, rows)


async def line_length(connection: AsyncConnection, tenant_id: UUID, *, bound: int) -> int:
    """Returns how many rows of a tenant wait, counted up to `bound`."""
    waiting = select(outbox.c.id).where(outbox.c.tenant_id == tenant_id).limit(bound).subquery()
    return int((await connection.execute(select(func.count()).select_from(waiting))).scalar_one())
