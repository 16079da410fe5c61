"""What a plan is made from: the notification with its template, the recipient's addresses, the tenant's accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.chosen import KnownChoice, choices_of, topic_of
from domain.consent import Choice, Topic
from domain.health import Level
from domain.notifications import OnUnknown
from domain.recipients import Address, AddressKind, Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRow:
    """An address of a recipient; `id` is None for one that was given directly, `reply_id` is let through to it."""

    id: UUID | None
    address: Address
    status: str
    last_inbound_at: datetime | None
    reply_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account that may carry a message, and what decides which of several does."""

    id: UUID
    channel: Channel
    provider: str
    state: str
    quarantine: float | None
    priority: int = 0
    weight: int = 1
    level: Level = Level.HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A notification as its plan is made: what was asked for, and what the template says where nothing was."""

    id: UUID
    template_version_id: UUID
    to_kind: str
    critical: bool
    channels: tuple[Channel, ...]
    sender: UUID | None
    locale: str | None
    fallback: Mapping[str, Mapping[str, Any]]
    on_unknown: OnUnknown
    parts: Sequence[Mapping[str, Any]] = field(repr=False)
    sms_countries: Sequence[str] = ()
    addresses: tuple[AddressRow, ...] = ()
    topic: Topic | None = None
    choices: tuple[KnownChoice, ...] = ()

    def choices_for(self, address: Address) -> tuple[Choice, ...]:
        """Returns what the person and whoever has the address chose."""
        return tuple(known.choice for known in self.choices if known.concerns(address))


# What stands behind LIMIT is looked up by its whole key, also by a plan that was kept from nearly empty tables.
_WANTED = text("""
SELECT n.id, n.template_version_id, n.to_kind, n."to", n.critical, coalesce(n.channels, t.channels) AS channels,
       n.sender, coalesce(n.locale, r.locale) AS locale, n.on_unknown, v.parts,
       coalesce(t.defaults -> 'fallback', '{}'::jsonb) || n.fallback AS fallback, n.receiver_id,
       coalesce(tenant.settings -> 'sms_countries', '[]'::jsonb) AS sms_countries,
       p.name AS topic, p.default_state, p.channels AS topic_channels, p.transactional, c.choices
FROM notification AS n
JOIN tenant ON tenant.id = n.tenant_id
JOIN template_version AS v ON v.tenant_id = :tenant AND v.id = n.template_version_id
JOIN template AS t ON t.tenant_id = :tenant AND t.id = v.template_id
LEFT JOIN recipient AS r ON r.tenant_id = :tenant AND r.id = n.receiver_id
LEFT JOIN LATERAL (SELECT * FROM topic WHERE tenant_id = :tenant AND name = t.topic LIMIT 1) AS p ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(k.subject_kind, k.subject, k.channel, k.topic, k.state, k.at)) AS choices
    FROM (
        SELECT 'recipient' AS kind, CAST(n.receiver_id AS text) AS value
        UNION ALL SELECT n.to_kind, n."to" WHERE n.to_kind <> 'recipient'
        UNION ALL SELECT d.kind, d.value FROM address AS d
                  WHERE n.to_kind = 'recipient' AND d.tenant_id = :tenant AND d.recipient_id = n.receiver_id
    ) AS who
    CROSS JOIN LATERAL (
        SELECT * FROM consent AS k WHERE k.tenant_id = :tenant AND k.subject_kind = who.kind AND k.subject = who.value
        LIMIT 1000
    ) AS k
    WHERE p.id IS NOT NULL AND k.topic IN ('*', p.name)
) AS c ON true
WHERE n.tenant_id = :tenant AND n.id = ANY(CAST(:ids AS uuid[]))
""")

# Addresses of the recipients asked for, and those that were given directly as far as anybody holds them.
_ADDRESSES = text("""
SELECT d.id, d.recipient_id, d.kind, d.value, coalesce(s.status, d.status) AS status,
       (SELECT max(i.occurred_at) FROM inbound_message AS i
        WHERE i.tenant_id = :tenant AND i.author_kind = d.kind AND i.author = d.value) AS last_inbound_at
FROM address AS d
LEFT JOIN LATERAL (
    SELECT status FROM suppression WHERE tenant_id = :tenant AND kind = d.kind AND value = d.value LIMIT 1
) AS s ON true
WHERE d.tenant_id = :tenant AND d.recipient_id = ANY(CAST(:recipients AS uuid[]))
ORDER BY d.position, d.verified DESC, d.id
""")

_DIRECT = text("""
SELECT asked.kind, asked.value, s.reply_id,
       coalesce(s.status,
                (SELECT d.status FROM address AS d
                 WHERE d.tenant_id = :tenant AND d.kind = asked.kind AND d.value = asked.value AND d.status <> 'active'
                 LIMIT 1), 'active') AS status,
       (SELECT max(i.occurred_at) FROM inbound_message AS i
        WHERE i.tenant_id = :tenant AND i.author_kind = asked.kind AND i.author = asked.value) AS last_inbound_at
FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS asked(kind, value)
LEFT JOIN LATERAL (
    SELECT status, reply_id FROM suppression
    WHERE tenant_id = :tenant AND kind = asked.kind AND value = asked.value LIMIT 1
) AS s ON true
""")

_ACCOUNTS = text("""
SELECT a.id, a.channel, a.provider, a.state, a.priority, a.weight, coalesce(h.level, 'healthy') AS level,
       CAST(a.public_config ->> 'quarantine_seconds' AS double precision) AS quarantine
FROM account AS a
LEFT JOIN account_health AS h ON h.tenant_id = :tenant AND h.account_id = a.id
WHERE a.tenant_id = :tenant AND (a.state <> 'retired' OR a.id = ANY(CAST(:senders AS uuid[])))
ORDER BY a.priority DESC, a.id
""")


async def read_wanted(connection: AsyncConnection, tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Wanted]:
    """Returns the notifications with everything about their recipients, by id."""
    rows = (await connection.execute(_WANTED, {"tenant": tenant_id, "ids": list(ids)})).mappings().all()
    known = await _addresses(connection, tenant_id, [row["receiver_id"] for row in rows if row["receiver_id"]])
    direct = await _direct(
        connection, tenant_id, [(r["to_kind"], r["to"]) for r in rows if r["to_kind"] != "recipient"]
    )
    return {row["id"]: _wanted(dict(row), known, direct) for row in rows}


async def read_accounts(
    connection: AsyncConnection, tenant_id: UUID, senders: Sequence[UUID] = ()
) -> tuple[AccountRow, ...]:
    """Returns the tenant's accounts, the preferred ones first; retired ones only if they are asked for as `senders`."""
    rows = (await connection.execute(_ACCOUNTS, {"tenant": tenant_id, "senders": list(senders)})).mappings()
    return tuple(
        AccountRow(**{**row, "channel": Channel(row["channel"]), "level": Level(row["level"])}) for row in rows
    )


async def _addresses(
    connection: AsyncConnection, tenant_id: UUID, recipients: list[UUID]
) -> dict[UUID, list[AddressRow]]:
    found: dict[UUID, list[AddressRow]] = {}
    if not recipients:
        return found
    asked = {"tenant": tenant_id, "recipients": recipients}
    for row in (await connection.execute(_ADDRESSES, asked)).mappings():
        address = Address(AddressKind(row["kind"]), row["value"])
        item = AddressRow(id=row["id"], address=address, status=row["status"], last_inbound_at=row["last_inbound_at"])
        found.setdefault(row["recipient_id"], []).append(item)
    return found


async def _direct(
    connection: AsyncConnection, tenant_id: UUID, pairs: list[tuple[str, str]]
) -> dict[tuple[str, str], AddressRow]:
    if not pairs:
        return {}
    asked = {"tenant": tenant_id, "kinds": [kind for kind, _ in pairs], "values": [value for _, value in pairs]}
    rows = (await connection.execute(_DIRECT, asked)).mappings()
    return {
        (row["kind"], row["value"]): AddressRow(
            id=None,
            address=Address(AddressKind(row["kind"]), row["value"]),
            status=row["status"],
            last_inbound_at=row["last_inbound_at"],
            reply_id=row["reply_id"],
        )
        for row in rows
    }


def _wanted(
    row: dict[str, Any], known: dict[UUID, list[AddressRow]], direct: dict[tuple[str, str], AddressRow]
) -> Wanted:
    receiver_id, to = row.pop("receiver_id"), row.pop("to")
    addresses = known.get(receiver_id, []) if row["to_kind"] == "recipient" else [direct[row["to_kind"], to]]
    addresses = [replace(one, status="active") if one.reply_id == row["id"] else one for one in addresses]
    row["channels"] = tuple(Channel(name) for name in row["channels"] or ())
    row["on_unknown"] = OnUnknown(row["on_unknown"])
    row["topic"], row["choices"] = topic_of(row), choices_of(row)
    return Wanted(**row, addresses=tuple(addresses))
