"""Operations over many parked notifications: decided once, carried out in steps, each step once.

An operation takes up what was parked when it was created, in the order of acceptance. Its row is locked by every step,
and by whoever stops it: what was stopped takes up nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import ARRAY, Text, bindparam, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db import outbox, parked, parking, series_lists
from db.care_tables import circuit, operation
from db.delivery_tables import notification
from db.outbox import Signal
from db.series_lists import SeriesFilter
from domain import keys
from domain.circuits import CircuitState
from domain.notifications import LANES, Lane
from domain.operations import (
    BY_ITSELF,
    REOPENED,
    REPLACED,
    OperationKind,
    OperationState,
    OperationSubject,
    ParkedFilter,
    Stepped,
)
from domain.reasons import Reason

CIRCUIT = "circuit"
"""Who resumes, in the eyes of people: the circuit that closed. Its reason begins with the outage that is over."""

_LANE = 1
_OF_NOTIFICATIONS = operation.c.subject == OperationSubject.NOTIFICATION.value
_UNFINISHED = operation.c.state.in_([state.value for state in OperationState if not state.is_over])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """What is to be done, to which notifications, how many of them in a second, and who wants it why."""

    kind: OperationKind
    filter: ParkedFilter
    rate: int
    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation as it stands.

    Attributes:
        total: How many notifications it meant when it was created.
        done: How many it took up so far; those that went on or ended by themselves meanwhile are none of them.
        refused: Of series, how many it could do nothing with; `operation_series` says why.
        order: What was asked besides the kind, as JSON holds it.
    """

    id: UUID
    subject: OperationSubject
    kind: OperationKind
    filter: ParkedFilter | SeriesFilter
    rate: int
    state: OperationState
    total: int
    done: int
    refused: int
    order: Mapping[str, Any]
    cursor: UUID | None
    until: UUID | None
    actor: str
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


async def create(connection: AsyncConnection, tenant_id: UUID, new: NewOperation) -> UUID:
    """Leaves an operation over what is parked now, together with the start of its workflow, and returns its id."""
    new_id = uuid_utils.compat.uuid7()
    meant = parked.conditions(tenant_id, new.filter)
    total = select(func.count()).select_from(notification).where(meant).scalar_subquery()
    last = select(notification.c.id).where(meant).order_by(notification.c.id.desc()).limit(1).scalar_subquery()
    counted = (await connection.execute(select(total.label("total"), last.label("until")))).one()
    values = {
        "tenant_id": tenant_id,
        "id": new_id,
        "kind": new.kind.value,
        "filter": new.filter.as_document(),
        "rate": new.rate,
        "total": counted.total,
        "until": counted.until,
        "actor": new.actor,
        "reason": new.reason,
    }
    await connection.execute(operation.insert().values(values))
    said = f"{new.kind.value} {counted.total} parked"
    await outbox.add_starts(connection, tenant_id, [start(tenant_id, new_id, said)])
    return new_id


def start(tenant_id: UUID, new_id: UUID, summary: str) -> tuple[str, int, Mapping[str, Any]]:
    """Returns the start of an operation's workflow, as the outbox takes it."""
    payload = {
        "workflow": "operation",
        "input": {"tenant_id": str(tenant_id), "operation_id": str(new_id)},
        "summary": summary,
    }
    return keys.operation_workflow(str(new_id)), _LANE, payload


async def get(connection: AsyncConnection, tenant_id: UUID, operation_id: UUID) -> Operation | None:
    """Returns an operation."""
    query = _SELECTED.where(operation.c.tenant_id == tenant_id, operation.c.id == operation_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return _operation(row) if row else None


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    limit: int,
    before: UUID | None,
    **restricted: Sequence[str],
) -> list[Operation]:
    """Returns operations, the newest first; `restricted` names columns and the values that fit, if any are given."""
    query = _SELECTED.where(operation.c.tenant_id == tenant_id)
    for name, values in restricted.items():
        if values:
            query = query.where(operation.c[name].in_(values))
    if before is not None:
        query = query.where(operation.c.id < before)
    rows = await connection.execute(query.order_by(operation.c.id.desc()).limit(limit))
    return [_operation(row) for row in rows.mappings()]


async def exists(connection: AsyncConnection, tenant_id: UUID, *, actor: str, reason: str) -> bool:
    """Tells whether somebody created an operation for a reason already."""
    columns = operation.c
    query = select(columns.id).where(columns.tenant_id == tenant_id, columns.actor == actor, columns.reason == reason)
    return (await connection.execute(query.limit(1))).first() is not None


async def stop(connection: AsyncConnection, tenant_id: UUID, operation_id: UUID) -> Operation | None:
    """Stops an operation, unless it is over, and returns it; it takes up nothing more once this is committed."""
    found = await lock(connection, tenant_id, operation_id)
    if found is None or found.state.is_over:
        return found
    await change(connection, tenant_id, found, state=OperationState.STOPPED.value, finished_at=func.now())
    return await get(connection, tenant_id, operation_id)


async def step(connection: AsyncConnection, tenant_id: UUID, found: Operation) -> Stepped:
    """Takes up the next notifications of a locked operation, as many as it may in a second, and returns its state."""
    if not found.state.is_over and await _runs_into_trouble(connection, tenant_id, found):
        await _end(connection, tenant_id, found, because=REOPENED)
        return Stepped(state=OperationState.STOPPED, done=found.done)
    if found.state.is_over or await _gives_way(connection, tenant_id, found):
        return Stepped(state=found.state, done=found.done)
    candidates = await _candidates(connection, tenant_id, found)
    taken = await parking.lock(connection, tenant_id, candidates)
    if found.kind is OperationKind.DROP:
        await parking.drop(connection, tenant_id, taken)
    # They are as many as starts, and wake as much: whoever is more urgent, in any tenant, goes before them.
    await outbox.add_signals(connection, tenant_id, [_signal(found, one) for one in taken], lane=LANES[Lane.BULK])
    done = found.done + len(taken)
    finished = len(candidates) < found.rate
    state = OperationState.DONE if finished else OperationState.RUNNING
    cursor = candidates[-1] if candidates else found.cursor
    values: dict[str, Any] = {"state": state.value, "done": done, "cursor": cursor}
    if finished:
        values["finished_at"] = func.now()
    await change(connection, tenant_id, found, **values)
    return Stepped(state=state, done=done)


async def replace(connection: AsyncConnection, tenant_id: UUID, meant: ParkedFilter, *, actor: str) -> None:
    """Ends what somebody has under way with a filter, because another operation will do it."""
    columns = operation.c
    query = _SELECTED.where(columns.tenant_id == tenant_id, columns.actor == actor, _UNFINISHED, _OF_NOTIFICATIONS)
    query = query.where(columns.filter == meant.as_document()).order_by(columns.id).with_for_update()
    for row in (await connection.execute(query)).mappings().all():
        await _end(connection, tenant_id, _operation(row), because=REPLACED)


async def _end(connection: AsyncConnection, tenant_id: UUID, found: Operation, *, because: str) -> None:
    reason = f"{because}{found.reason}"
    await change(
        connection, tenant_id, found, state=OperationState.STOPPED.value, reason=reason, finished_at=func.now()
    )


async def _runs_into_trouble(connection: AsyncConnection, tenant_id: UUID, found: Operation) -> bool:
    """Tells whether the circuit whose closing an operation follows is open again; the next closing means all of it."""
    if found.actor != CIRCUIT or found.reason is None:
        return False
    columns = circuit.c
    query = select(columns.id).where(columns.tenant_id == tenant_id, columns.state != CircuitState.CLOSED.value)
    open_ones = (await connection.execute(query)).scalars()
    return any(found.reason.startswith(keys.outages_of(str(one))) for one in open_ones)


async def _gives_way(connection: AsyncConnection, tenant_id: UUID, found: Operation) -> bool:
    """Tells whether a person's operation is under way: its rate and its choice count more than what goes by itself."""
    if found.actor not in BY_ITSELF:
        return False
    columns = operation.c
    unfinished = (columns.tenant_id == tenant_id, _UNFINISHED, _OF_NOTIFICATIONS)
    query = select(columns.id).where(*unfinished, columns.actor.not_in(BY_ITSELF))
    return (await connection.execute(query.limit(1))).first() is not None


def _signal(found: Operation, notification_id: UUID) -> Signal:
    workflow_id = keys.notification_workflow(str(notification_id))
    return Signal(workflow_id=workflow_id, signal=found.kind.value, cause=f"operation/{found.id}", arguments=[])


async def _candidates(connection: AsyncConnection, tenant_id: UUID, found: Operation) -> Sequence[UUID]:
    """Returns what comes next in the order of acceptance: for every cause the first few, and of those the first."""
    if found.until is None or not isinstance(found.filter, ParkedFilter):
        return []
    columns, wanted = notification.c, found.filter
    causes = [wanted.cause.value] if wanted.cause else [reason.value for reason in Reason]
    asked = func.unnest(bindparam("causes", causes, ARRAY(Text))).table_valued("cause", name="asked").render_derived()
    meant = (
        select(columns.id)
        .where(parked.conditions(tenant_id, wanted), columns.parked_cause == asked.c.cause)
        .where(columns.parked_at <= found.created_at, columns.id <= found.until)
        .order_by(columns.id)
        .limit(found.rate)
    )
    if found.cursor is not None:
        meant = meant.where(columns.id > found.cursor)
    following = meant.lateral("following")
    query = select(following.c.id).select_from(asked).join(following, true())
    return list((await connection.execute(query.order_by(following.c.id).limit(found.rate))).scalars())


_SELECTED = select(*(operation.c[name] for name in Operation.__dataclass_fields__))


def _operation(row: Mapping[Any, Any]) -> Operation:
    subject = OperationSubject(row["subject"])
    parse = series_lists.parse if subject is OperationSubject.SERIES else ParkedFilter.parse
    read = {"subject": subject, "kind": OperationKind(row["kind"]), "state": OperationState(row["state"])}
    return Operation(**{**row, **read, "filter": parse(row["filter"])})


async def lock(connection: AsyncConnection, tenant_id: UUID, operation_id: UUID) -> Operation | None:
    """Returns an operation that nobody else takes a step of, or stops, in this transaction."""
    query = _SELECTED.where(operation.c.tenant_id == tenant_id, operation.c.id == operation_id).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    return _operation(row) if row else None


async def change(connection: AsyncConnection, tenant_id: UUID, found: Operation, **values: Any) -> None:
    """Writes down how far an operation is."""
    where = (operation.c.tenant_id == tenant_id, operation.c.id == found.id)
    await connection.execute(update(operation).where(*where).values(values))
