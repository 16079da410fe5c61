"""The health of accounts: what the last minutes say, and what was concluded from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db.care_tables import account_health, circuit
from db.tables import account
from domain import keys
from domain.circuits import CircuitState
from domain.health import LATE_AFTER, Health, Level, Window

SPAN = timedelta(minutes=10)
"""How far back a measurement looks."""

MOST = 500
"""How many attempts of an account a measurement looks at, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHealth:
    """The health of an account as it is known.

    Attributes:
        since: Since when it has its level.
        measured_at: When it was measured the last time.
    """

    account_id: UUID
    health: Health
    window: Window
    since: datetime
    measured_at: datetime


# For each account two short walks back along the index of (tenant, account, claimed_at): what became of its attempts,
# and when the first receipt came for those that were accepted long enough ago to have one.
_MEASURE = text("""
SELECT a.id AS account_id, tried.attempts, tried.troubled, told.receiptable, told.late, told.delay
FROM account AS a
CROSS JOIN LATERAL (
    SELECT count(*) AS attempts,
           count(*) FILTER (WHERE state = 'unknown' OR (state = 'not_sent' AND error_code = 'unavailable')) AS troubled
    FROM (
        SELECT state, error_code FROM attempt
        WHERE tenant_id = :tenant AND account_id = a.id AND claimed_at > :since AND state <> 'sending'
        ORDER BY claimed_at DESC LIMIT :most
    ) AS recent
) AS tried
CROSS JOIN LATERAL (
    SELECT count(*) AS receiptable, count(*) FILTER (WHERE wait IS NULL OR wait > :late_after) AS late,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY wait) AS delay
    FROM (
        -- A receipt may come before the answer; without any there is nothing to measure.
        SELECT CASE WHEN first.at IS NOT NULL THEN greatest(0, extract(epoch FROM first.at - finished_at)) END AS wait
        FROM (
            SELECT message_id, finished_at FROM attempt
            WHERE tenant_id = :tenant AND account_id = a.id AND claimed_at > :since AND state = 'accepted'
              AND finished_at < :settled_before AND a.provider = ANY(CAST(:confirming AS text[]))
            ORDER BY claimed_at DESC LIMIT :most
        ) AS recent
        CROSS JOIN LATERAL (
            SELECT min(received_at) AS at FROM receipt WHERE tenant_id = :tenant AND message_id = recent.message_id
        ) AS first
    ) AS waited
) AS told
WHERE a.tenant_id = :tenant AND a.state = 'active'
""")


async def tenants(connection: AsyncConnection, *, after: UUID | None, limit: int) -> list[UUID]:
    """Returns tenants that have an active account, in order of their ids."""
    query = select(account.c.tenant_id).distinct().where(account.c.state == "active")
    if after is not None:
        query = query.where(account.c.tenant_id > after)
    return list((await connection.execute(query.order_by(account.c.tenant_id).limit(limit))).scalars())


async def measure(
    connection: AsyncConnection, tenant_id: UUID, now: datetime, *, confirming: Sequence[str]
) -> dict[UUID, Window]:
    """Returns what the last minutes say about each active account; `confirming` names providers that give receipts."""
    asked = {
        "tenant": tenant_id,
        "since": now - SPAN,
        "most": MOST,
        "late_after": LATE_AFTER,
        "settled_before": now - timedelta(seconds=LATE_AFTER),
        "confirming": list(confirming),
    }
    rows = (await connection.execute(_MEASURE, asked)).mappings()
    return {row["account_id"]: _window(row) for row in rows}


async def read(connection: AsyncConnection, tenant_id: UUID, account_ids: Sequence[UUID]) -> dict[UUID, AccountHealth]:
    """Returns the health of accounts that were ever measured."""
    query = select(account_health).where(
        account_health.c.tenant_id == tenant_id, account_health.c.account_id.in_(account_ids)
    )
    rows = (await connection.execute(query)).mappings()
    return {row["account_id"]: _health(row) for row in rows}


async def write(connection: AsyncConnection, tenant_id: UUID, measured: Sequence[AccountHealth]) -> None:
    """Keeps the health of accounts."""
    if not measured:
        return
    statement = insert(account_health)
    kept = ("level", "streak", "measured", "since", "updated_at")
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "account_id"], set_={name: statement.excluded[name] for name in kept}
        ),
        [_row(tenant_id, item) for item in sorted(measured, key=lambda item: item.account_id)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account stands, for gauges: its level, and how many circuits of it and its templates are not closed."""

    account_id: UUID
    channel: str
    provider: str
    level: Level
    account_open: int
    templates_open: int


async def standings(connection: AsyncConnection, *, most: int) -> list[Standing]:
    """Returns how the active accounts of all tenants stand, up to `most` of them."""
    on_health = (account_health.c.tenant_id == account.c.tenant_id) & (account_health.c.account_id == account.c.id)
    on_circuit = (
        (circuit.c.tenant_id == account.c.tenant_id)
        & (circuit.c.account_id == account.c.id)
        & (circuit.c.state != CircuitState.CLOSED.value)
    )
    is_own = circuit.c.subject.startswith(keys.account_subject(""))
    query = (
        select(
            account.c.id.label("account_id"),
            account.c.channel,
            account.c.provider,
            func.coalesce(account_health.c.level, Level.HEALTHY.value).label("level"),
            func.count(circuit.c.id).filter(is_own).label("account_open"),
            func.count(circuit.c.id).filter(~is_own).label("templates_open"),
        )
        .outerjoin(account_health, on_health)
        .outerjoin(circuit, on_circuit)
        .where(account.c.state == "active")
        .group_by(account.c.tenant_id, account.c.id, account_health.c.level)
        .order_by(account.c.id)
        .limit(most)
    )
    rows = (await connection.execute(query)).mappings()
    return [Standing(**{**row, "level": Level(row["level"])}) for row in rows]


def _window(row: RowMapping | Mapping[str, Any]) -> Window:
    return Window(
        attempts=row["attempts"],
        troubled=row["troubled"],
        receiptable=row["receiptable"],
        late=row["late"],
        delay=None if row["delay"] is None else float(row["delay"]),
    )


def _health(row: RowMapping) -> AccountHealth:
    measured = row["measured"]
    health = Health(
        level=Level(row["level"]),
        streak=row["streak"],
        towards=Level(measured["towards"]) if measured.get("towards") else None,
        reasons=tuple(measured.get("reasons", ())),
        usual=None if measured.get("usual") is None else float(measured["usual"]),
    )
    return AccountHealth(
        account_id=row["account_id"],
        health=health,
        window=_window(measured),
        since=row["since"],
        measured_at=row["updated_at"],
    )


def _row(tenant_id: UUID, item: AccountHealth) -> dict[str, Any]:
    health, window = item.health, item.window
    measured = {
        "attempts": window.attempts,
        "troubled": window.troubled,
        "receiptable": window.receiptable,
        "late": window.late,
        "delay": window.delay,
        "towards": health.towards.value if health.towards else None,
        "reasons": list(health.reasons),
        "usual": health.usual,
    }
    return {
        "tenant_id": tenant_id,
        "id": uuid_utils.compat.uuid7(),
        "account_id": item.account_id,
        "level": health.level.value,
        "streak": health.streak,
        "measured": measured,
        "since": item.since,
        "updated_at": item.measured_at,
    }
