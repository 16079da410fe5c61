"""Claims: what is written before a provider is called.

The notification's row is locked first, as it is by records, receipts and cancelling: who comes second sees the first.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.chosen import KnownChoice, choices_of, topic_of
from db.flow_json import rest_of
from domain.consent import Topic
from domain.notifications import DeliveryOrder
from domain.quiet_hours import Rest
from domain.recipients import Address, AddressKind
from domain.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim to make: the ids and the reference of an attempt that does not exist yet."""

    order: DeliveryOrder
    message_id: UUID
    attempt_id: UUID
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything that one delivery needs to know, read under the notification's lock."""

    notification_id: UUID
    status: Status
    ended: bool
    page_id: UUID | None
    cancel_requested: bool
    expires_at: datetime | None
    to: Address | None
    address_status: str | None
    data: Mapping[str, Any] = field(repr=False)
    attachments: Sequence[Mapping[str, Any]] = field(repr=False)
    template_version_id: UUID
    parts: Sequence[Mapping[str, Any]] = field(repr=False)
    zone: str | None
    account_id: UUID
    account_state: str
    account_updated_at: datetime
    provider: str
    sealed_config: bytes = field(repr=False)
    account_limits: Mapping[str, Any] = field(default_factory=dict)
    tenant_settings: Mapping[str, Any] = field(default_factory=dict)
    receiver_id: UUID | None = None
    critical: bool = False
    topic: Topic | None = None
    topic_caps: Sequence[Mapping[str, Any]] | None = None
    choices: tuple[KnownChoice, ...] = ()
    rest: Rest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What became of a claim: taken, or already there in some state from a former execution."""

    notification_id: UUID
    message_id: UUID
    attempt_id: UUID
    reference: str
    state: str
    taken: bool
    message_status: Status
    error_code: str | None
    retry_after: int | None


_WORK = text("""
SELECT n.id AS notification_id, n.status, n.ended_at IS NOT NULL AS ended, n.page_id,
       n.cancel_requested_at IS NOT NULL AS cancel_requested, n.expires_at,
       CASE WHEN n.to_kind = 'recipient' THEN d.kind ELSE n.to_kind END AS kind,
       CASE WHEN n.to_kind = 'recipient' THEN d.value ELSE n."to" END AS value,
       CASE WHEN s.reply_id = n.id THEN 'active' ELSE coalesce(s.status, d.status, direct.status) END
           AS address_status, n.receiver_id, n.critical, n.quiet,
       p.name AS topic, p.default_state, p.channels AS topic_channels, p.transactional,
       p.caps AS topic_caps, c.choices,
       n.data, n.attachments, n.template_version_id, v.parts, r.zone,
       a.id AS account_id, a.state AS account_state, a.updated_at AS account_updated_at, a.provider, a.sealed_config,
       a.limits AS account_limits, (SELECT settings FROM tenant WHERE id = :tenant) AS tenant_settings
FROM unnest(CAST(:notifications AS uuid[]), CAST(:accounts AS uuid[]), CAST(:addresses AS uuid[]))
     AS asked(notification_id, account_id, address_id)
JOIN notification AS n ON n.tenant_id = :tenant AND n.id = asked.notification_id
JOIN template_version AS v ON v.tenant_id = :tenant AND v.id = n.template_version_id
JOIN template AS t ON t.tenant_id = :tenant AND t.id = v.template_id
JOIN account AS a ON a.tenant_id = :tenant AND a.id = asked.account_id
LEFT JOIN address AS d ON d.tenant_id = :tenant AND d.id = asked.address_id
LEFT JOIN LATERAL (
    SELECT status FROM address WHERE tenant_id = :tenant AND kind = n.to_kind AND value = n."to" AND status <> 'active'
    LIMIT 1
) AS direct ON true
LEFT JOIN LATERAL (
    SELECT status, reply_id FROM suppression
    WHERE tenant_id = :tenant AND kind = CASE WHEN n.to_kind = 'recipient' THEN d.kind ELSE n.to_kind END
      AND value = CASE WHEN n.to_kind = 'recipient' THEN d.value ELSE n."to" END
    LIMIT 1
) AS s ON true
LEFT JOIN LATERAL (SELECT * FROM topic WHERE tenant_id = :tenant AND name = t.topic LIMIT 1) AS p ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(k.subject_kind, k.subject, k.channel, k.topic, k.state, k.at)) AS choices
    FROM (
        SELECT 'recipient' AS kind, CAST(n.receiver_id AS text) AS value
        UNION ALL SELECT n.to_kind, n."to" WHERE n.to_kind <> 'recipient'
        UNION ALL SELECT d.kind, d.value WHERE n.to_kind = 'recipient'
    ) AS who
    CROSS JOIN LATERAL (
        SELECT * FROM consent AS k WHERE k.tenant_id = :tenant AND k.subject_kind = who.kind AND k.subject = who.value
        LIMIT 1000
    ) AS k
    WHERE p.id IS NOT NULL AND k.topic IN ('*', p.name)
) AS c ON true
LEFT JOIN recipient AS r ON r.tenant_id = :tenant AND r.id = n.receiver_id
ORDER BY n.id FOR NO KEY UPDATE OF n
""")

# Runs under the lock that `read_work` took, with a snapshot of its own: what another execution left is seen. Where an
# attempt of this number stands already it is returned as it is; one that is blocked, or whose message was taken by
# another attempt meanwhile, is not made.
_CLAIM = text("""
WITH asked AS (
    SELECT * FROM unnest(
        CAST(:notifications AS uuid[]), CAST(:messages AS uuid[]), CAST(:attempts AS uuid[]), CAST(:refs AS text[]),
        CAST(:hops AS smallint[]), CAST(:parts AS smallint[]), CAST(:numbers AS smallint[]),
        CAST(:channels AS text[]), CAST(:providers AS text[]), CAST(:accounts AS uuid[]),
        CAST(:kinds AS text[]), CAST(:addresses AS text[]), CAST(:versions AS uuid[]), CAST(:locales AS text[]),
        CAST(:successes AS text[]), CAST(:awaited AS boolean[]), CAST(:duplicates AS boolean[]),
        CAST(:blocked AS boolean[])
    ) AS t(notification_id, message_id, attempt_id, reference, hop, part, number, channel, provider, account_id,
           address_kind, address, template_version_id, locale, success, awaited, possible_duplicate, blocked)
), former AS (
    SELECT asked.notification_id, m.id AS message_id, m.status AS message_status, a.id AS attempt_id, a.reference,
           a.state, a.error_code, a.retry_after
    FROM asked
    JOIN message AS m ON m.tenant_id = :tenant AND m.notification_id = asked.notification_id
                     AND m.hop = asked.hop AND m.part = asked.part
    JOIN attempt AS a ON a.tenant_id = :tenant AND a.message_id = m.id AND a.number = asked.number
), held AS (
    INSERT INTO message (tenant_id, id, notification_id, hop, part, channel, provider, account_id, address_kind,
                         address, template_version_id, locale, success, awaited)
    SELECT :tenant, message_id, notification_id, hop, part, channel, provider, account_id, address_kind, address,
           template_version_id, locale, success, awaited
    FROM asked WHERE NOT blocked AND notification_id NOT IN (SELECT notification_id FROM former)
    ON CONFLICT (tenant_id, notification_id, hop, part) DO UPDATE
    SET awaited = excluded.awaited, provider = excluded.provider, account_id = excluded.account_id
    RETURNING id, notification_id, hop, part, status
), taken AS (
    INSERT INTO attempt (tenant_id, id, message_id, number, reference, possible_duplicate, account_id)
    SELECT :tenant, asked.attempt_id, held.id, asked.number, asked.reference, asked.possible_duplicate, asked.account_id
    FROM asked JOIN held USING (notification_id, hop, part)
    WHERE held.status NOT IN ('accepted', 'sent', 'delivered', 'read')
    ON CONFLICT (tenant_id, message_id, number) DO NOTHING
    RETURNING id, message_id
)
SELECT asked.notification_id,
       coalesce(former.message_id, held.id) AS message_id,
       coalesce(former.message_status, held.status) AS message_status,
       coalesce(former.attempt_id, asked.attempt_id) AS attempt_id,
       coalesce(former.reference, asked.reference) AS reference,
       coalesce(former.state, CASE WHEN taken.id IS NULL THEN 'accepted' ELSE 'sending' END) AS state,
       former.error_code, former.retry_after,
       -- The same reference means that this very claim was committed and only the answer to it got lost.
       taken.id IS NOT NULL OR (former.reference = asked.reference AND former.state = 'sending') AS taken
FROM asked LEFT JOIN former USING (notification_id) LEFT JOIN held USING (notification_id)
     LEFT JOIN taken ON taken.message_id = held.id
WHERE former.attempt_id IS NOT NULL OR held.id IS NOT NULL
""")


async def read_work(connection: AsyncConnection, tenant_id: UUID, orders: Sequence[DeliveryOrder]) -> dict[str, Work]:
    """Locks the notifications of `orders` and returns what their deliveries need, by notification id."""
    asked = {
        "tenant": tenant_id,
        "notifications": [UUID(order.notification_id) for order in orders],
        "accounts": [UUID(order.hop.account_id) for order in orders],
        "addresses": [UUID(order.hop.address_id) if order.hop.address_id else None for order in orders],
    }
    rows = (await connection.execute(_WORK, asked)).mappings()
    return {str(row["notification_id"]): _work(dict(row)) for row in rows}


def _work(row: dict[str, Any]) -> Work:
    kind, value, quiet = row.pop("kind"), row.pop("value"), row.pop("quiet")
    to = Address(AddressKind(kind), value) if kind is not None else None
    row["topic"], row["choices"] = topic_of(row), choices_of(row)
    rest = rest_of(quiet) if quiet is not None else None
    return Work(to=to, rest=rest, **{**row, "status": Status(row["status"])})


async def claim(
    connection: AsyncConnection,
    tenant_id: UUID,
    claims: Sequence[Claim],
    work: Mapping[str, Work],
    blocked: Collection[str] = (),
) -> list[Claimed]:
    """Creates the attempts in state `sending`; the unique (message, number) makes it a compare-and-set.

    Attempts of notifications that are `blocked` are not made, but what a former execution made of them is returned:
    whatever changed since, doubt about a message that may be on its way must not be forgotten. The rows must be locked
    by `read_work` in the same transaction.
    """
    asked = {**_asked(tenant_id, claims, work), "blocked": [claim.order.notification_id in blocked for claim in claims]}
    rows = (await connection.execute(_CLAIM, asked)).mappings()
    return [Claimed(**{**row, "message_status": Status(row["message_status"])}) for row in rows]


def _asked(tenant_id: UUID, claims: Sequence[Claim], work: Mapping[str, Work]) -> dict[str, Any]:
    found = [work[claim.order.notification_id] for claim in claims]
    orders = [claim.order for claim in claims]
    return {
        "tenant": tenant_id,
        "notifications": [item.notification_id for item in found],
        "messages": [claim.message_id for claim in claims],
        "attempts": [claim.attempt_id for claim in claims],
        "refs": [claim.reference for claim in claims],
        "hops": [order.hop.index for order in orders],
        "parts": [order.part for order in orders],
        "numbers": [order.number for order in orders],
        "channels": [order.hop.channel.value for order in orders],
        "providers": [item.provider for item in found],
        "accounts": [item.account_id for item in found],
        "kinds": [item.to.kind.value if item.to else "" for item in found],
        "addresses": [item.to.value if item.to else "" for item in found],
        "versions": [item.template_version_id for item in found],
        "locales": [order.hop.locale for order in orders],
        "successes": [order.hop.success.value for order in orders],
        "awaited": [not order.closes for order in orders],
        "duplicates": [order.possible_duplicate for order in orders],
    }
