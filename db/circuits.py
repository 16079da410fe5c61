"""Circuits as the database keeps them: shared by all workers, changed under their lock, told to their workflow.

Locks are taken in one order: notification, account, circuits by subject. So no two transactions wait for each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import RowMapping, Select, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox
from db.care_tables import circuit
from domain import keys
from domain.circuits import Circuit, CircuitState, News, after, after_success, probing
from domain.notifications import LANES, Lane
from domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A circuit with what it is about."""

    id: UUID
    subject: str
    account_id: UUID
    circuit: Circuit


_FIELDS = ("state", "cause", "failures", "probes", "episode", "opened_at", "probe_at")
# These two are asked for every plan and every attempt: plain text spares building them anew each time.
_READ = text("""
SELECT id, subject, account_id, state, cause, failures, probes, episode, opened_at, probe_at FROM circuit
WHERE tenant_id = :tenant AND subject = ANY(CAST(:subjects AS text[]))
""")
_NOT_CLOSED = text("""
SELECT id, subject, account_id, state, cause, failures, probes, episode, opened_at, probe_at FROM circuit
WHERE tenant_id = :tenant AND state <> 'closed'
""")
_COLUMNS = (circuit.c.id, circuit.c.subject, circuit.c.account_id, *(circuit.c[name] for name in _FIELDS))


async def read(connection: AsyncConnection, tenant_id: UUID, subjects: Iterable[str]) -> dict[str, Circuit]:
    """Returns the circuits of subjects that ever had trouble, by subject."""
    return {row.subject: row.circuit for row in await _read(connection, tenant_id, subjects)}


async def of_accounts(connection: AsyncConnection, tenant_id: UUID, account_ids: Iterable[UUID]) -> dict[UUID, Circuit]:
    """Returns the circuits of accounts themselves, not of templates there, by account."""
    subjects = {keys.account_subject(account_id) for account_id in account_ids}
    return {row.account_id: row.circuit for row in await _read(connection, tenant_id, subjects)}


async def not_closed(connection: AsyncConnection, tenant_id: UUID) -> dict[str, Circuit]:
    """Returns a tenant's circuits that are open or have a probe on its way, by subject."""
    rows = await connection.execute(_NOT_CLOSED, {"tenant": tenant_id})
    return {row["subject"]: _stored(row).circuit for row in rows.mappings()}


async def get(connection: AsyncConnection, tenant_id: UUID, circuit_id: UUID) -> Stored | None:
    """Returns a circuit by its id."""
    found = await _fetch(connection, _query(tenant_id).where(circuit.c.id == circuit_id))
    return found[0] if found else None


async def take_probe(connection: AsyncConnection, tenant_id: UUID, subject: str, now: datetime) -> bool:
    """Takes the permit of the next probe and tells whether it was there to take; only one message gets it."""
    on_its_way = probing(Circuit(), now)
    statement = (
        update(circuit)
        .where(circuit.c.tenant_id == tenant_id, circuit.c.subject == subject)
        .where(circuit.c.state != CircuitState.CLOSED.value)
        .where(or_(circuit.c.probe_at.is_(None), circuit.c.probe_at <= now))
        .values(state=on_its_way.state.value, probe_at=on_its_way.probe_at, updated_at=func.now())
        .returning(circuit.c.id)
    )
    return (await connection.execute(statement)).first() is not None


async def note(connection: AsyncConnection, tenant_id: UUID, news: Sequence[News]) -> None:
    """Applies what attempts told; a circuit that opens gets its workflow, one that closes tells it so.

    A success about what has no trouble reads once and writes nothing; leave it out where that is known already.
    """
    if not news:
        return
    known = await read(connection, tenant_id, {item.subject for item in news})
    changing = {item.subject for item in news if _changes(known.get(item.subject, Circuit()), item)}
    if not changing:
        return
    # What follows a change within the same news must be seen too: all news of such a subject count.
    matters = sorted((item for item in news if item.subject in changing), key=lambda item: item.at)
    await _make(connection, tenant_id, [item for item in matters if item.subject not in known])
    rows = await _fetch(connection, _locked(_query(tenant_id).where(circuit.c.subject.in_(sorted(changing)))))
    changed = {row.id: _apply(row.circuit, [item for item in matters if item.subject == row.subject]) for row in rows}
    await _write(connection, tenant_id, rows, changed)


async def close(connection: AsyncConnection, tenant_id: UUID, account_id: UUID) -> int:
    """Closes the circuits of an account and its templates because a person saw to it; returns how many were open."""
    query = _query(tenant_id).where(circuit.c.account_id == account_id)
    rows = await _fetch(connection, _locked(query))
    await _write(connection, tenant_id, rows, {row.id: after_success(row.circuit) for row in rows})
    return sum(row.circuit.state is not CircuitState.CLOSED for row in rows)


def _changes(before: Circuit, item: News) -> bool:
    return after(before, item) != before


def _apply(before: Circuit, news: Sequence[News]) -> Circuit:
    for item in news:
        before = after(before, item)
    return before


async def _read(connection: AsyncConnection, tenant_id: UUID, subjects: Iterable[str]) -> list[Stored]:
    rows = await connection.execute(_READ, {"tenant": tenant_id, "subjects": sorted(subjects)})
    return [_stored(row) for row in rows.mappings()]


def _query(tenant_id: UUID) -> Select[Any]:
    return select(*_COLUMNS).where(circuit.c.tenant_id == tenant_id)


def _locked(query: Select[Any]) -> Select[Any]:
    return query.order_by(circuit.c.subject).with_for_update(key_share=True)


async def _fetch(connection: AsyncConnection, query: Select[Any]) -> list[Stored]:
    return [_stored(row) for row in (await connection.execute(query)).mappings()]


def _stored(row: RowMapping) -> Stored:
    fields: dict[str, Any] = {name: row[name] for name in _FIELDS}
    fields["state"] = CircuitState(fields["state"])
    fields["cause"] = Reason(fields["cause"]) if fields["cause"] else None
    return Stored(id=row["id"], subject=row["subject"], account_id=row["account_id"], circuit=Circuit(**fields))


async def _make(connection: AsyncConnection, tenant_id: UUID, news: Sequence[News]) -> None:
    """Makes the circuits that are missing, before any is locked: their accounts come first in the order of locks."""
    about = {item.subject: item.account_id for item in news}
    if not about:
        return
    rows = [
        {"tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "subject": subject, "account_id": about[subject]}
        for subject in sorted(about)
    ]
    await connection.execute(insert(circuit).values(rows).on_conflict_do_nothing())


async def _write(
    connection: AsyncConnection, tenant_id: UUID, rows: Sequence[Stored], changed: Mapping[UUID, Circuit]
) -> None:
    pairs = [(row, changed[row.id]) for row in rows if changed[row.id] != row.circuit]
    if not pairs:
        return
    statement = (
        update(circuit)
        .where(circuit.c.tenant_id == tenant_id, circuit.c.id == bindparam("circuit_id"))
        .values({name: bindparam(f"new_{name}") for name in _FIELDS} | {"updated_at": func.now()})
    )
    await connection.execute(statement, [_values(row.id, new) for row, new in pairs])
    await _tell(connection, tenant_id, pairs)


def _values(circuit_id: UUID, new: Circuit) -> dict[str, Any]:
    values: dict[str, Any] = {f"new_{name}": getattr(new, name) for name in _FIELDS}
    values["new_state"] = new.state.value
    values["new_cause"] = new.cause.value if new.cause else None
    return {"circuit_id": circuit_id, **values}


async def _tell(connection: AsyncConnection, tenant_id: UUID, changes: Sequence[tuple[Stored, Circuit]]) -> None:
    """Leaves the start of a workflow for each opening, and word of the closing for the workflow of the former one."""
    for row, now in changes:
        before, circuit_id, subject = row.circuit, str(row.id), row.subject
        is_new = now.episode != before.episode
        if before.state is not CircuitState.CLOSED and (is_new or now.state is CircuitState.CLOSED):
            former = keys.outage_workflow(circuit_id, before.episode)
            await outbox.add_signal(connection, tenant_id, former, signal="closed", cause="closed", arguments=())
        if is_new and now.state is not CircuitState.CLOSED:
            name = keys.outage_workflow(circuit_id, now.episode)
            order = {"tenant_id": str(tenant_id), "circuit_id": circuit_id, "episode": now.episode}
            start = {"workflow": "outage", "input": order, "summary": f"outage of {subject}"}
            await outbox.add_starts(connection, tenant_id, [(name, LANES[Lane.CRITICAL], start)])
