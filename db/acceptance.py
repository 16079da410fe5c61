"""Accepting: one look at everything that a notification refers to, one insert, both for one or for a thousand."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.json import encode

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
        existing_id: The notification that was accepted under this key before.
        buried: A cancellation under this key came before any notification.
        holders: Recipients who have the address that was given directly.
    """

    existing_id: UUID | None
    existing_hash: bytes | None
    existing_at: datetime | None
    buried: bool
    template_known: bool
    channels: Sequence[str] | None
    defaults: Mapping[str, Any] | None
    version_id: UUID | None
    recipient_id: UUID | None
    holders: Sequence[UUID]
    sender_id: UUID | None
    sender_channel: str | None


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


# The shared locks let requests pass each other; a cancellation that finds no notification takes one of them alone, so
# that it never passes a request with its key unseen. What this statement sees was read before it waited for a lock: the
# insert looks again.
_LOOK_UP = text("""
WITH held AS MATERIALIZED (
    SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock_shared(bucket)
    FROM unnest(CAST(:buckets AS bigint[])) AS bucket
)
SELECT n.id AS existing_id, n.request_hash AS existing_hash, n.created_at AS existing_at,
       b.id IS NOT NULL AS buried, t.id IS NOT NULL AS template_known, t.channels, t.defaults, v.id AS version_id,
       r.id AS recipient_id, coalesce(h.holders, '{}') AS holders, s.id AS sender_id, s.channel AS sender_channel
FROM (SELECT count(*) FROM held) AS ready
CROSS JOIN unnest(CAST(:keys AS text[]), CAST(:templates AS text[]), CAST(:versions AS integer[]),
                  CAST(:recipients AS text[]), CAST(:kinds AS text[]), CAST(:values AS text[]),
                  CAST(:senders AS text[]))
     WITH ORDINALITY AS asked(key, template, version, recipient, kind, value, sender, place)
LEFT JOIN notification AS n ON n.tenant_id = :tenant AND n.idempotency_key = asked.key
LEFT JOIN tombstone AS b ON b.tenant_id = :tenant AND b.idempotency_key = asked.key
LEFT JOIN template AS t ON t.tenant_id = :tenant AND t.name = asked.template
LEFT JOIN template_version AS v
     ON v.tenant_id = :tenant AND v.template_id = t.id AND v.number = coalesce(asked.version, t.published_number)
LEFT JOIN recipient AS r ON r.tenant_id = :tenant AND r.external_id = asked.recipient
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT d.recipient_id) AS holders FROM address AS d
    WHERE d.tenant_id = :tenant AND d.kind = asked.kind AND d.value = asked.value
) AS h ON true
LEFT JOIN LATERAL (
    SELECT a.id, a.channel FROM account AS a
    WHERE asked.sender IS NOT NULL AND a.tenant_id = :tenant AND a.state <> 'retired'
      AND (a.name = asked.sender OR a.id::text = asked.sender)
    ORDER BY a.id::text = asked.sender DESC LIMIT 1
) AS s ON true
ORDER BY asked.place
""")

_INSERT = text("""
INSERT INTO notification (
    tenant_id, id, idempotency_key, request_hash, "to", to_kind, receiver_id, channels, template, template_version_id,
    data, locale, trigger_type, resource_type, resource_id, metadata, attachments, sender, critical, lane, fallback,
    on_unknown, send_at, expires_at, original_notification_id
)
SELECT :tenant, id, idempotency_key, request_hash, "to", to_kind, receiver_id, channels, template, template_version_id,
       data, locale, trigger_type, resource_type, resource_id, metadata, attachments, sender, critical, lane, fallback,
       on_unknown, send_at, expires_at, original_notification_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS t(
    place integer, id uuid, idempotency_key text, request_hash bytea, "to" text, to_kind text, receiver_id uuid,
    channels text[],
    template text, template_version_id uuid, data jsonb, locale text, trigger_type text, resource_type text,
    resource_id text, metadata jsonb, attachments jsonb, sender uuid, critical boolean, lane smallint, fallback jsonb,
    on_unknown text, send_at timestamptz, expires_at timestamptz, original_notification_id uuid
)
WHERE NOT EXISTS (
    SELECT FROM tombstone AS b WHERE b.tenant_id = :tenant AND b.idempotency_key = t.idempotency_key
)
ORDER BY t.place
ON CONFLICT (tenant_id, idempotency_key) DO NOTHING
RETURNING id, created_at
""")


async def look_up(
    connection: AsyncConnection, tenant_id: UUID, references: Sequence[Reference], *, patience: float
) -> list[Found]:
    """Returns what there is of what requests refer to, in their order; waits `patience` seconds for a lock at most."""
    asked = {
        "tenant": tenant_id,
        "patience": f"{int(patience * 1000)}ms",
        "buckets": sorted({bucket(tenant_id, item.key) for item in references}),
        "keys": [item.key for item in references],
        "templates": [item.template for item in references],
        "versions": [item.version for item in references],
        "recipients": [item.recipient for item in references],
        "kinds": [item.kind for item in references],
        "values": [item.value for item in references],
        "senders": [item.sender for item in references],
    }
    return [Found(**row) for row in (await connection.execute(_LOOK_UP, asked)).mappings()]


async def insert(connection: AsyncConnection, tenant_id: UUID, new: Sequence[NewNotification]) -> dict[UUID, datetime]:
    """Stores notifications and returns when each was; one whose key is in use, or buried, is left out.

    The order of the keys is the same in every transaction, so that two of them never wait for each other.
    """
    rows = [_row(place, item) for place, item in enumerate(sorted(new, key=lambda item: item.idempotency_key))]
    stored = await connection.execute(_INSERT, {"tenant": tenant_id, "rows": encode(rows)})
    return {row.id: row.created_at for row in stored}


def bucket(tenant_id: UUID, key: str) -> int:
    """Returns the advisory lock that a key shares with some others of its tenant."""
    number = hashlib.sha256(key.encode()).digest()[0] % _BUCKETS
    return int.from_bytes(hashlib.sha256(f"accept|{tenant_id}|{number}".encode()).digest()[:8], signed=True)


def _row(place: int, new: NewNotification) -> dict[str, Any]:
    fields = {name: getattr(new, name) for name in NewNotification.__dataclass_fields__}
    return {"place": place, **fields, "request_hash": f"\\x{new.request_hash.hex()}"}
