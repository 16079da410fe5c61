"""A step of an operation over series: each whose turn it is is steered as it would be alone, or left with a reason."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.programs import Programs
from activities.series_starting import missing_anchors, wakes_at
from db import operation_series, operations, series_operations
from db.flow_json import state_document, state_of
from db.json import plain
from db.operations import Operation
from db.series_operations import Changed, Turn
from domain.flow_program import Program
from domain.flow_state import SeriesState
from domain.operations import OperationState, Stepped
from domain.series import SeriesStatus
from domain.series_operations import Refusal, SeriesOrder, Standing, Steered, order_of, steered


class SeriesTurns:
    """Takes up the next series of operations."""

    def __init__(self) -> None:
        self._programs = Programs()

    async def step(self, connection: AsyncConnection, tenant_id: UUID, found: Operation, now: datetime) -> Stepped:
        """Takes up the next series of a locked operation, as many as it may in a second, and returns its state."""
        if found.state.is_over:
            return Stepped(state=found.state, done=found.done)
        ids = await operation_series.following(connection, tenant_id, found.id, after=found.cursor, limit=found.rate)
        became = await self._take(connection, tenant_id, found, ids, now) if ids else {}
        done = found.done + sum(reason is None for reason in became.values())
        finished = len(ids) < found.rate
        state = OperationState.DONE if finished else OperationState.RUNNING
        values: dict[str, Any] = {"state": state.value, "done": done}
        values["refused"] = found.refused + sum(reason is not None for reason in became.values())
        values |= {"cursor": ids[-1]} if ids else {}
        values |= {"finished_at": func.now()} if finished else {}
        await operations.change(connection, tenant_id, found, **values)
        return Stepped(state=state, done=done)

    async def _take(
        self, connection: AsyncConnection, tenant_id: UUID, found: Operation, ids: list[UUID], now: datetime
    ) -> dict[UUID, str | None]:
        """Does what is to be done with locked series, and returns why not, where it could not be done."""
        order = order_of(found.kind, found.order, found.reason)
        turns = await series_operations.turns(connection, tenant_id, found, ids)
        became: dict[UUID, str | None] = dict.fromkeys(ids, Refusal.OVER.value)
        changes = []
        for turn in turns:
            program = await self._programs.get(connection, tenant_id, turn.series.flow_version_id)
            judged = steered(order, _standing(turn, program), program, now)
            if isinstance(judged, Steered):
                changes.append(_changed(turn, judged, order, program))
            became[turn.series.id] = None if isinstance(judged, Steered) else judged.value
        await series_operations.change(connection, tenant_id, found, changes)
        await operation_series.take(connection, tenant_id, found.id, became, now)
        return became


def _standing(turn: Turn, program: Program) -> Standing:
    row = turn.series
    return Standing(
        status=SeriesStatus(row.status),
        fits=turn.fits,
        at=row.step,
        state=_state(turn),
        heard=row.heard,
        missing=frozenset(missing_anchors(program.flow, row.anchors)),
    )


def _state(turn: Turn) -> SeriesState:
    row = turn.series
    return state_of(
        {"entered_at": row.started_at.isoformat(), **plain(dict(row.state))},
        started_at=row.started_at,
        zone=turn.zone,
        place=row.place,
        anchors={name: datetime.fromisoformat(text) for name, text in row.anchors.items()},
    )


def _changed(turn: Turn, judged: Steered, order: SeriesOrder, program: Program) -> Changed:
    row = turn.series
    stays = judged.status == row.status
    stopped = judged.status is SeriesStatus.STOPPED
    dates = {name: instant.isoformat() for name, instant in judged.dates.items()}
    return Changed(
        id=row.id,
        kind=judged.kind,
        detail=judged.told,
        at=row.step,
        status=judged.status.value,
        reason=row.reason if stays else "stopped" if stopped else None,
        told=row.detail if stays else order.reason if stopped else None,
        step=judged.step,
        place=row.place if judged.state is None else judged.state.place,
        state=row.state if judged.state is None else state_document(judged.state),
        anchors={**row.anchors, **dates},
        rests=stopped or judged.state is not None,
        wakes=[] if stopped or judged.state is None else wakes_at(program, judged.state.place),
    )
