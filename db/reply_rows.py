"""What inbound messages refer to, as the database knows it, and what is written down of them afterwards."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.callbacks import NewInbound
from db.delivery_tables import notification

REMEMBERED = timedelta(days=7)
"""For how long a message of ours counts as what somebody answers who quotes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A notification that is answered, with the series and the step that it is of."""

    id: UUID
    series_id: UUID | None
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """What a message refers to, and the series that its author has.

    Attributes:
        tapped: The notification whose button it was; `quoted` the one that it quotes.
        waiting: Series that wait for something of this kind.
    """

    tapped: Sent | None
    quoted: Sent | None
    waiting: tuple[UUID, ...]
    running: tuple[UUID, ...]


_REFERRED = text("""
SELECT asked.place, b.id AS tapped, b.series_id AS tapped_series, b.step AS tapped_step,
       q.id AS quoted, q.series_id AS quoted_series, q.step AS quoted_step, c.waiting, c.running
FROM unnest(CAST(:quotes AS text[]), CAST(:kinds AS text[]), CAST(:authors AS text[]), CAST(:tapped AS uuid[]),
            CAST(:heard AS text[]), CAST(:proven AS uuid[]))
     WITH ORDINALITY AS asked(quotes, kind, author, tapped, heard, proven, place)
LEFT JOIN LATERAL (
    SELECT n.id, n.series_id, n.series_step AS step
    FROM message AS m JOIN notification AS n ON n.tenant_id = m.tenant_id AND n.id = m.notification_id
    WHERE m.tenant_id = :tenant AND m.id = asked.tapped
) AS b ON asked.tapped IS NOT NULL
LEFT JOIN LATERAL (
    SELECT n.id, n.series_id, n.series_step AS step
    FROM message AS m JOIN notification AS n ON n.tenant_id = m.tenant_id AND n.id = m.notification_id
    WHERE m.tenant_id = :tenant AND m.id = coalesce(
        asked.proven,
        (SELECT a.message_id FROM attempt AS a
         WHERE a.tenant_id = :tenant AND a.provider_message_id = asked.quotes LIMIT 1),
        (SELECT s.id FROM message AS s WHERE s.tenant_id = :tenant AND s.provider_message_id = asked.quotes LIMIT 1))
) AS q ON asked.quotes IS NOT NULL
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(s.id ORDER BY s.id) FILTER (
               WHERE s.wakes @> jsonb_build_array(jsonb_build_object('kind', asked.heard))), '{}') AS waiting,
           coalesce(array_agg(s.id ORDER BY s.id), '{}') AS running
    FROM series AS s
    WHERE s.tenant_id = :tenant AND s.ended_at IS NULL AND b.id IS NULL AND q.id IS NULL AND s.id IN (
        -- each by an index of its own: people may have had many series, and tenants have very many
        SELECT t.id FROM series AS t
        WHERE t.tenant_id = :tenant AND t."to" = asked.author AND t.to_kind = asked.kind AND t.ended_at IS NULL
        UNION ALL
        SELECT t.id FROM address AS a JOIN series AS t ON t.tenant_id = :tenant AND t.receiver_id = a.recipient_id
        WHERE a.tenant_id = :tenant AND a.kind = asked.kind AND a.value = asked.author AND t.ended_at IS NULL
    )
) AS c
ORDER BY asked.place
""")

_LATEST_OF_SERIES = text("""
SELECT DISTINCT ON (n.series_id) n.id, n.series_id, n.series_step AS step FROM notification AS n
WHERE n.tenant_id = :tenant AND n.series_id = ANY(CAST(:series AS uuid[]))
  AND (n.accepted_at IS NOT NULL OR n.id = ANY(CAST(:taken AS uuid[])))
ORDER BY n.series_id, n.id DESC
""")

_LATEST_TO = text("""
SELECT asked.kind, asked.author, n.id, n.series_id, n.step
FROM unnest(CAST(:kinds AS text[]), CAST(:authors AS text[])) AS asked(kind, author)
CROSS JOIN LATERAL (
    SELECT m.notification_id AS id, o.series_id, o.series_step AS step
    FROM notification AS o JOIN message AS m ON m.tenant_id = :tenant AND m.notification_id = o.id
    WHERE o.tenant_id = :tenant AND m.address_kind = asked.kind AND m.address = asked.author
      AND (m.accepted_at > now() - CAST(:remembered AS interval) OR o.id = ANY(CAST(:taken AS uuid[])))
      AND o.id IN (
        (SELECT t.id FROM notification AS t
         WHERE t.tenant_id = :tenant AND t."to" = asked.author ORDER BY t.id DESC LIMIT 20)
        UNION ALL
        (SELECT t.id FROM address AS a
         JOIN notification AS t ON t.tenant_id = :tenant AND t.receiver_id = a.recipient_id
         WHERE a.tenant_id = :tenant AND a.kind = asked.kind AND a.value = asked.author ORDER BY t.id DESC LIMIT 20))
    ORDER BY m.accepted_at DESC NULLS FIRST LIMIT 1
) AS n
""")

_FOUND = text("""
UPDATE inbound_message AS i SET notification_id = told.notification, series_id = told.series, found_by = told.found_by
FROM unnest(CAST(:ids AS uuid[]), CAST(:notifications AS uuid[]), CAST(:series AS uuid[]), CAST(:found_by AS text[]))
     AS told(id, notification, series, found_by)
WHERE i.tenant_id = :tenant AND i.id = told.id
""")

_ANSWERED = text("""
UPDATE notification AS n SET replied_at = coalesce(n.replied_at, told.replied_at),
       acted_at = coalesce(n.acted_at, told.acted_at),
       acted_on = CASE WHEN n.acted_at IS NULL THEN told.acted_on ELSE n.acted_on END, updated_at = now()
FROM unnest(CAST(:ids AS uuid[]), CAST(:replied AS timestamptz[]), CAST(:acted AS timestamptz[]), CAST(:on AS text[]))
     AS told(id, replied_at, acted_at, acted_on)
WHERE n.tenant_id = :tenant AND n.id = told.id
""")


async def referred(
    connection: AsyncConnection,
    tenant_id: UUID,
    messages: Sequence[NewInbound],
    heard: Sequence[str],
    proven: Mapping[str, UUID],
) -> list[Referred]:
    """Returns what messages refer to, in their order.

    `heard` says what series hear of each, `proven` which messages have provider ids that are just being written down.
    """
    asked = {
        "tenant": tenant_id,
        "quotes": [one.quotes for one in messages],
        "kinds": [one.author_kind for one in messages],
        "authors": [one.author for one in messages],
        "tapped": [one.tapped_message_id for one in messages],
        "heard": list(heard),
        "proven": [proven.get(one.quotes or "") for one in messages],
    }
    return [
        Referred(
            tapped=Sent(id=row.tapped, series_id=row.tapped_series, step=row.tapped_step) if row.tapped else None,
            quoted=Sent(id=row.quoted, series_id=row.quoted_series, step=row.quoted_step) if row.quoted else None,
            waiting=tuple(row.waiting),
            running=tuple(row.running),
        )
        for row in await connection.execute(_REFERRED, asked)
    ]


async def latest_of_series(
    connection: AsyncConnection, tenant_id: UUID, series: Sequence[UUID], taken: Collection[UUID] = ()
) -> dict[UUID, Sent]:
    """Returns what series sent last; `taken` are notifications that count as taken by a provider, too."""
    if not series:
        return {}
    rows = await connection.execute(
        _LATEST_OF_SERIES, {"tenant": tenant_id, "series": list(series), "taken": list(taken)}
    )
    return {row.series_id: Sent(id=row.id, series_id=row.series_id, step=row.step) for row in rows}


async def latest_to(
    connection: AsyncConnection, tenant_id: UUID, authors: Sequence[tuple[str, str]], taken: Collection[UUID] = ()
) -> dict[tuple[str, str], Sent]:
    """Returns what was sent last to addresses, by kind and value, as long as that is remembered."""
    if not authors:
        return {}
    asked = {
        "tenant": tenant_id,
        "kinds": [kind for kind, _ in authors],
        "authors": [author for _, author in authors],
        "remembered": REMEMBERED,
        "taken": list(taken),
    }
    rows = await connection.execute(_LATEST_TO, asked)
    return {(row.kind, row.author): Sent(id=row.id, series_id=row.series_id, step=row.step) for row in rows}


async def note_found(
    connection: AsyncConnection, tenant_id: UUID, found: Sequence[tuple[UUID, UUID | None, UUID | None, str]]
) -> None:
    """Writes down what messages were found to answer: each with its notification, its series, and how."""
    if not found:
        return
    names = ("ids", "notifications", "series", "found_by")
    columns = dict(zip(names, map(list, zip(*found, strict=True)), strict=True))
    await connection.execute(_FOUND, {"tenant": tenant_id, **columns})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply or a tap on a notification, when it came, and which button it was."""

    notification_id: UUID
    kind: str
    at: datetime
    button: str | None


async def note_answers(connection: AsyncConnection, tenant_id: UUID, answers: Sequence[Answer]) -> list[bool]:
    """Writes down the first reply and the first tap of notifications, and tells which of the answers count.

    Of a notification whose buttons are good for one tap, every further tap does not.
    """
    standing = await _locked(connection, tenant_id, sorted({one.notification_id for one in answers}))
    counts: list[bool] = []
    first: dict[UUID, dict[str, Any]] = {}
    for one in answers:
        row = standing.get(one.notification_id)
        is_tap = one.kind == "tap"
        counts.append(row is None or not (is_tap and row["taps"] == "once" and row["acted_at"] is not None))
        if row is None:
            continue
        if is_tap and row["acted_at"] is None:
            row["acted_at"] = one.at
            first.setdefault(one.notification_id, {}).update(acted=one.at, on=one.button)
        elif one.kind == "reply" and row["replied_at"] is None:
            row["replied_at"] = one.at
            first.setdefault(one.notification_id, {}).update(replied=one.at)
    await _note_first(connection, tenant_id, first)
    return counts


async def _locked(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    if not ids:
        return {}
    columns = (notification.c.id, notification.c.taps, notification.c.replied_at, notification.c.acted_at)
    asked = select(*columns).where(notification.c.tenant_id == tenant_id, notification.c.id.in_(ids))
    rows = await connection.execute(asked.order_by(notification.c.id).with_for_update(key_share=True))
    return {row["id"]: dict(row) for row in rows.mappings()}


async def _note_first(connection: AsyncConnection, tenant_id: UUID, first: Mapping[UUID, Mapping[str, Any]]) -> None:
    if not first:
        return
    columns = {name: [one.get(name) for one in first.values()] for name in ("replied", "acted", "on")}
    await connection.execute(_ANSWERED, {"tenant": tenant_id, "ids": list(first), **columns})
