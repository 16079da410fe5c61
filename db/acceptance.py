"""Accepting: one look at everything that a notification refers to, one insert, both for one or for a thousand."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.json import encode
from domain import keys
from domain.starts import STARTING, notification_start

_BUCKETS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a request refers to: its key, and names of things that must exist.

    Attributes:
        version: Number of the template's version; None means the published one.
        recipient: The tenant's own id of a recipient.
        kind: Kind of an address that was given directly; `value` is the address.
        sender: Id or name of an account.
    """

    key: str
    template: str
    version: int | None = None
    recipient: str | None = None
    kind: str | None = None
    value: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of what a request refers to.

    Attributes:
        holders: Recipients who have the address that was given directly.
    """

    template_known: bool
    channels: Sequence[str] | None
    defaults: Mapping[str, Any] | None
    version_id: UUID | None
    recipient_id: UUID | None
    holders: Sequence[UUID]
    sender_id: UUID | None
    sender_channel: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """What a key stands for already: a notification, or, without an id, a cancellation that came before any."""

    id: UUID | None
    request_hash: bytes | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotification:
    """A notification to be stored."""

    id: UUID
    idempotency_key: str
    request_hash: bytes
    to: str
    to_kind: str
    receiver_id: UUID | None
    channels: Sequence[str] | None
    template: str
    template_version_id: UUID
    data: Mapping[str, Any] = field(repr=False)
    locale: str | None
    trigger_type: str | None
    resource_type: str | None
    resource_id: str | None
    metadata: Mapping[str, Any]
    attachments: Sequence[Mapping[str, Any]] = field(repr=False)
    sender: UUID | None
    critical: bool
    lane: int
    fallback: Mapping[str, Any]
    on_unknown: str
    send_at: datetime | None
    expires_at: datetime | None
    original_notification_id: UUID | None
    series_id: UUID | None = None
    series_step: str | None = None
    taps: str = "any"
    quiet: Mapping[str, Any] | None = None


# The shared locks let requests pass each other; a cancellation that finds no notification takes one of them alone, so
# that it never passes a request with its key unseen. Whether the key is in use is not asked here but by the insert,
# which knows its index: a plan made while the table was empty would go through all of a tenant's notifications.
_LOOK_UP = text("""
WITH held AS MATERIALIZED (
    SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock_shared(bucket)
    FROM unnest(CAST(:buckets AS bigint[])) AS bucket
)
SELECT t.id IS NOT NULL AS template_known, t.channels, t.defaults, v.id AS version_id, r.id AS recipient_id,
       coalesce(h.holders, '{}') AS holders, s.id AS sender_id, s.channel AS sender_channel
FROM (SELECT count(*) FROM held) AS ready
CROSS JOIN unnest(CAST(:templates AS text[]), CAST(:versions AS integer[]),
                  CAST(:recipients AS text[]), CAST(:kinds AS text[]), CAST(:values AS text[]),
                  CAST(:senders AS text[]))
     WITH ORDINALITY AS asked(template, version, recipient, kind, value, sender, place)
LEFT JOIN LATERAL (
    SELECT id, channels, defaults, published_number FROM template
    WHERE tenant_id = :tenant AND name = asked.template LIMIT 1
) AS t ON true
LEFT JOIN LATERAL (
    SELECT id FROM template_version
    WHERE tenant_id = :tenant AND template_id = t.id AND number = coalesce(asked.version, t.published_number) LIMIT 1
) AS v ON true
LEFT JOIN LATERAL (
    SELECT id FROM recipient WHERE tenant_id = :tenant AND external_id = asked.recipient LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT recipient_id) AS holders FROM address
    WHERE tenant_id = :tenant AND kind = asked.kind AND value = asked.value
) AS h ON true
LEFT JOIN LATERAL (
    SELECT id, channel FROM account
    WHERE asked.sender IS NOT NULL AND tenant_id = :tenant AND state <> 'retired'
      AND (name = asked.sender OR id::text = asked.sender)
    ORDER BY id::text = asked.sender DESC LIMIT 1
) AS s ON true
ORDER BY asked.place
""")

_FORMER = text("""
SELECT asked.key, n.id, n.request_hash, n.created_at
FROM unnest(CAST(:keys AS text[])) AS asked(key)
LEFT JOIN notification AS n ON n.tenant_id = :tenant AND n.idempotency_key = asked.key
LEFT JOIN tombstone AS b ON b.tenant_id = :tenant AND b.idempotency_key = asked.key
WHERE n.id IS NOT NULL OR b.id IS NOT NULL
""")

# The start of its workflow is stored with each notification in the same statement: one journey less for every request.
_INSERT = text("""
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS t(
        place integer, id uuid, idempotency_key text, request_hash bytea, "to" text, to_kind text, receiver_id uuid,
        channels text[], template text, template_version_id uuid, data jsonb, locale text, trigger_type text,
        resource_type text, resource_id text, metadata jsonb, attachments jsonb, sender uuid, critical boolean,
        lane smallint, fallback jsonb, on_unknown text, send_at timestamptz, expires_at timestamptz,
        original_notification_id uuid, series_id uuid, series_step text, taps text,
        quiet jsonb,
        start_id uuid, workflow_id text, dedup_key text, payload jsonb
    )
), stored AS (
    INSERT INTO notification (
        tenant_id, id, idempotency_key, request_hash, "to", to_kind, receiver_id, channels, template,
        template_version_id, data, locale, trigger_type, resource_type, resource_id, metadata, attachments, sender,
        critical, lane, fallback, on_unknown, send_at, expires_at, original_notification_id, series_id, series_step,
        taps, quiet
    )
    SELECT :tenant, id, idempotency_key, request_hash, "to", to_kind, receiver_id, channels, template,
           template_version_id, data, locale, trigger_type, resource_type, resource_id, metadata, attachments, sender,
           critical, lane, fallback, on_unknown, send_at, expires_at, original_notification_id, series_id,
           series_step, taps, quiet
    FROM asked WHERE (
        SELECT b.id FROM tombstone AS b
        WHERE b.tenant_id = :tenant AND b.idempotency_key = asked.idempotency_key LIMIT 1
    ) IS NULL
    ORDER BY place
    ON CONFLICT (tenant_id, idempotency_key) DO NOTHING
    RETURNING id, created_at
), started AS (
    INSERT INTO outbox (tenant_id, id, lane, kind, workflow_id, dedup_key, payload)
    SELECT :tenant, start_id, lane, 'start', workflow_id, dedup_key, payload
    FROM asked JOIN stored USING (id) ORDER BY place
)
SELECT id, created_at FROM stored
""")


async def look_up(
    connection: AsyncConnection, tenant_id: UUID, references: Sequence[Reference], *, patience: float
) -> list[Found]:
    """Returns what there is of what requests refer to, in their order; waits `patience` seconds for a lock at most."""
    asked = {
        "tenant": tenant_id,
        "patience": f"{int(patience * 1000)}ms",
        "buckets": sorted({bucket(tenant_id, item.key) for item in references}),
        "templates": [item.template for item in references],
        "versions": [item.version for item in references],
        "recipients": [item.recipient for item in references],
        "kinds": [item.kind for item in references],
        "values": [item.value for item in references],
        "senders": [item.sender for item in references],
    }
    return [Found(**row) for row in (await connection.execute(_LOOK_UP, asked)).mappings()]


async def formers(connection: AsyncConnection, tenant_id: UUID, names: Sequence[str]) -> dict[str, Former]:
    """Returns what keys stand for already; those that are free are left out."""
    rows = await connection.execute(_FORMER, {"tenant": tenant_id, "keys": list(names)})
    return {row.key: Former(id=row.id, request_hash=row.request_hash, created_at=row.created_at) for row in rows}


async def insert(connection: AsyncConnection, tenant_id: UUID, new: Sequence[NewNotification]) -> dict[UUID, datetime]:
    """Stores notifications, each with the start of its workflow, and returns when each was stored.

    One whose key is in use, or buried, is left out. The order of the keys is the same in every transaction, so that
    two of them never wait for each other.
    """
    ordered = sorted(new, key=lambda item: item.idempotency_key)
    rows = [_row(tenant_id, place, item) for place, item in enumerate(ordered)]
    stored = await connection.execute(_INSERT, {"tenant": tenant_id, "rows": encode(rows)})
    return {row.id: row.created_at for row in stored}


def bucket(tenant_id: UUID, key: str) -> int:
    """Returns the advisory lock that a key shares with some others of its tenant."""
    number = hashlib.sha256(key.encode()).digest()[0] % _BUCKETS
    return int.from_bytes(hashlib.sha256(f"accept|{tenant_id}|{number}".encode()).digest()[:8], signed=True)


def _row(tenant_id: UUID, place: int, new: NewNotification) -> dict[str, Any]:
    workflow_id = keys.notification_workflow(str(new.id))
    return {
        "place": place,
        **{name: getattr(new, name) for name in NewNotification.__dataclass_fields__},
        "request_hash": f"\\x{new.request_hash.hex()}",
        "start_id": uuid_utils.compat.uuid7(),
        "workflow_id": workflow_id,
        "dedup_key": keys.start_of(workflow_id),
        "payload": notification_start(tenant_id, new.id, **{name: getattr(new, name) for name in STARTING}),
    }
