"""Reads the evidence of a campaign: from the recorder's file, from the provider's journal, and from our database."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from tests.chaos import fates
from tests.chaos.evidence import Acceptance, Asked, AttemptRow, NotificationRow, Pried, Seen, Told
from tests.chaos.recorder import Entry
from tests.chaos.schedule import Ask
from tests.chaos.tenants import Tenant

_ORDER = re.compile(r"Order (\S+) of (\S+)")
_BOUNCE_PATH = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")

_NOTIFICATIONS = """
SELECT tenant_id::text AS tenant, id::text, idempotency_key AS key, status, reason, on_unknown,
       ended_at IS NOT NULL AS ended, CASE WHEN parked_at IS NOT NULL THEN coalesce(parked_cause, '') END AS parked,
       expires_at, cancel_requested_at IS NOT NULL AS cancel_requested,
       page_id IS NOT NULL AS paged
FROM notification ORDER BY id
"""
_ATTEMPTS = """
SELECT a.tenant_id::text AS tenant, m.notification_id::text AS notification, m.id::text AS message, m.hop, m.part,
       m.channel, a.number, a.reference, a.state, a.possible_duplicate AS flagged, m.status AS message_status,
       a.settled_by, a.claimed_at
FROM attempt AS a JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
ORDER BY m.notification_id, m.hop, m.part, a.number
"""
_UNHANDED = "SELECT kind || ' of ' || workflow_id FROM outbox"
# Whatever a receipt of one tenant says of another's attempt must not have found anything.
_STRAYED = """
SELECT r.event_key FROM receipt AS r JOIN attempt AS a ON a.reference = r.reference
WHERE a.tenant_id <> r.tenant_id AND r.message_id IS NOT NULL
"""
_REPEATED = "SELECT event_key FROM receipt GROUP BY tenant_id, provider, event_key HAVING count(*) > 1"


def asked_of(asks: Sequence[Ask], tenants: Sequence[Tenant], calls: Iterable[Entry]) -> tuple[Asked, ...]:
    """Returns what was asked for, with everything that was answered about it."""
    found = {(tenants[ask.tenant].id, ask.key): _asked(ask, tenants[ask.tenant]) for ask in asks}
    for call in calls:
        if call["what"] in {"send", "cancel"} and not call.get("other"):
            place = call["tenant"], call["key"]
            found[place] = _answered(found[place], call)
        elif call["what"] == "bulk" and call.get("status") == 200:
            for key, result in zip(call["keys"], call["answer"]["results"], strict=True):
                place = call["tenant"], key
                found[place] = _resulted(found[place], result, call)
    return tuple(found.values())


def _asked(ask: Ask, tenant: Tenant) -> Asked:
    return Asked(
        tenant=tenant.id,
        key=ask.key,
        channels=ask.channels,
        phone=ask.phone.lstrip("+"),
        mailbox=ask.mailbox,
        on_unknown=ask.on_unknown,
        fallback=ask.fallback,
        may_expire=ask.expires_in is not None,
        delayed=ask.send_in is not None,
        cancels=ask.cancel_after is not None,
    )


def _answered(asked: Asked, call: Entry) -> Asked:
    status, answer = call.get("status"), call.get("answer") or {}
    if call["what"] == "cancel":
        return replace(asked, stopped=True) if status == 200 and answer["result"] == "stopped" else asked
    if status == 202:
        return _promised(asked, answer["id"], call)
    return _declined(asked, status, answer)


def _resulted(asked: Asked, result: Mapping[str, Any], call: Entry) -> Asked:
    if result["id"] is not None:
        return _promised(asked, result["id"], call)
    problem = result["problem"] or {}
    return _declined(asked, problem.get("status"), problem)


def _promised(asked: Asked, name: str, call: Entry) -> Asked:
    at = asked.promised_at or datetime.fromisoformat(call["noted_at"])
    return replace(asked, ids=asked.ids | {name}, promised_at=at)


def _declined(asked: Asked, status: int | None, answer: Any) -> Asked:
    kind = str(answer.get("type") if isinstance(answer, dict) else "").rpartition(":")[2]
    if kind == "cancelled-before-start":
        return replace(asked, buried=True)
    if status is not None and 400 <= status < 500 and kind not in {"idempotency-in-flight", "line-full"}:
        return replace(asked, refused=f"{status} {kind}")
    return asked


def journal_of(path: Path) -> tuple[list[Entry], list[str]]:
    """Returns the provider's journal, and why it cannot be trusted where that is so."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as problem:
        return [], [f"the provider's journal cannot be read ({problem})"]
    entries, torn = [], 0
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            torn += 1  # its writer died over it, and answered nobody
    numbers = [entry["seq"] for entry in entries]
    if numbers != list(range(1, len(numbers) + 1)):
        return entries, [f"the provider's journal has gaps ({len(numbers)} entries, {torn} torn lines)"]
    return entries, []


def acceptances_of(journal: Iterable[Entry], tenants: Sequence[Tenant]) -> tuple[Acceptance, ...]:
    """Returns what the providers took."""
    by_number = {tenant.number: tenant.id for tenant in tenants}
    by_domain = {tenant.domain: tenant.id for tenant in tenants}
    found = []
    for entry in journal:
        if entry["kind"] != "accepted":
            continue
        is_mail = entry["provider"] == "smtp"
        owner = by_domain.get(entry["from"].rpartition("@")[2]) if is_mail else by_number.get(entry["from"])
        channel = fates.EMAIL if is_mail else fates.WHATSAPP
        order, named = _content(entry)
        fate = fates.fate_of(channel, entry["to"])
        found.append(
            Acceptance(
                sequence=entry["seq"],
                at=datetime.fromisoformat(entry["at"]),
                tenant=owner or "",
                channel=channel,
                to=entry["to"],
                reference=entry["reference"] or "",
                provider_id=entry["id"],
                order=order,
                named=named,
                fails=fate is not None and fate.fails,
            )
        )
    return tuple(found)


def _content(entry: Entry) -> tuple[str, str]:
    if entry["provider"] == "smtp":
        found = _ORDER.search(entry["subject"])
        return (found[1], found[2]) if found else ("", "")
    components = entry["body"].get("template", {}).get("components", [])
    texts = [one.get("text", "") for part in components if part["type"].lower() == "body" for one in part["parameters"]]
    return (texts[0], texts[1]) if len(texts) > 1 else ("", "")


def told_of(journal: Iterable[Entry], calls: Iterable[Entry], tenants: Sequence[Tenant]) -> tuple[Told, ...]:
    """Returns the receipts that we took, by the provider's journal; for mail by what the relay was answered."""
    by_number = {tenant.number: tenant.id for tenant in tenants}
    found: dict[tuple[str, str, str], Told] = {}
    for entry in journal:
        if entry["kind"] == "callback" and entry.get("outcome") == "taken" and entry.get("update") != "inbound":
            astray = entry["update"] == "misdirected"
            told = Told(
                tenant=by_number.get(entry["astray"] if astray else entry["from"], ""),
                reference=entry["reference"] or "",
                provider_id=entry["id"],
                status=entry["status"],
                astray=astray,
                names_us=_names_us(entry),
            )
            found[told.tenant, told.provider_id, told.status] = told
    for call in calls:
        path = _BOUNCE_PATH.search(call["to"]) if call["what"] == "bounce" and call.get("status") == 200 else None
        if path is not None:
            found[call["tenant"], path[0], "bounced"] = Told(
                tenant=call["tenant"], reference=path[0], provider_id="", status="bounced"
            )
    return tuple(found.values())


def seen_of(calls: Iterable[Entry]) -> tuple[tuple[Seen, ...], tuple[Pried, ...]]:
    """Returns the statuses that were shown, and what prying was answered."""
    seen, pried = [], []
    for call in calls:
        if call["what"] == "read":
            seen.append(Seen(notification=call["id"], status=call["seen"]))
        elif call["what"] == "pry" and call["status"] is not None:
            pried.append(
                Pried(tenant=call["tenant"], owner=call["owner"], notification=call["id"], status=call["status"])
            )
    return tuple(seen), tuple(pried)


def _names_us(callback: Entry) -> bool:
    fate = fates.fate_of(fates.WHATSAPP, callback["to"])
    return fate is None or callback["status"] != "failed" or fate.effect.get("reference_on_failed", True)


async def rows_of(dsn: str) -> dict[str, Any]:
    """Returns the rows that matter, as the fields of the evidence that they fill."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {
                "notifications": tuple(NotificationRow(**row) for row in await connection.fetch(_NOTIFICATIONS)),
                "attempts": tuple(AttemptRow(**row) for row in await connection.fetch(_ATTEMPTS)),
                "unhanded": tuple(row[0] for row in await connection.fetch(_UNHANDED)),
                "strayed": tuple(row[0] for row in await connection.fetch(_STRAYED)),
                "repeated": tuple(row[0] for row in await connection.fetch(_REPEATED)),
            }
    finally:
        await connection.close()


def fates_met(journal: Iterable[Entry]) -> dict[str, int]:
    """Returns how often each fate met a message, by the provider's journal."""
    channels = {"meta": fates.WHATSAPP, "smtp": fates.EMAIL}
    counts: dict[str, int] = defaultdict(int)
    for entry in journal:
        fate = fates.fate_of(channels[entry["provider"]], str(entry.get("to")))
        treated = entry["kind"] in {"refused", "dropped"} or (entry["kind"] == "accepted" and entry["effects"])
        if fate is not None and treated:
            counts[fate.fault] += 1
    return dict(counts)
