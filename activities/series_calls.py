"""Asks a service for a series: outside of any transaction, and the answer counts only where the series still asks."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.persistence import persist
from activities.programs import Programs
from activities.series_facts import facts_with_outcomes, state_of_series
from activities.series_starting import wakes_at
from db import flows, series
from db.flow_json import state_document
from db.series import Entry, Series
from db.session import Database
from domain.conditions import ConditionError, holds, value_of
from domain.errors import DeliveryError
from domain.flow_program import Program
from domain.flow_state import SeriesState
from domain.flow_steps import Call
from domain.flows import Do, decide, taken
from domain.series import GivenUp, SeriesInput, SeriesStatus
from providers.web_calls import Answer, WebCalls
from sealing import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """A series that stands at a call."""

    row: Series
    program: Program
    state: SeriesState
    step: Call

    @property
    def call_id(self) -> str:
        """Returns what the service knows a repetition by: the same while the series stands there, in any version."""
        since = int(self.state.entered_at.timestamp() * 1000)
        return f"series/{self.row.id}/{self.state.asked_as or self.step.id}/{since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """What a service is asked."""

    call_id: str
    url: str
    body: bytes = field(repr=False)


class SeriesCalls:
    """Asks services of tenants; what cannot be asked parks the series."""

    def __init__(self, database: Database, calls: WebCalls, key_ring: KeyRing) -> None:
        self._database, self._calls, self._key_ring = database, calls, key_ring
        self._programs = Programs()

    @activity.defn(name="series.call")
    async def call(self, order: SeriesInput, now: datetime) -> None:
        """Asks the service of the step at which a series stands, and takes the step with its answer.

        Raises:
            ApplicationError: It did not answer, and is to be asked again, unless it refused.
        """
        asked = await persist(lambda: self._document(order, now))
        if asked is None:
            return
        secrets = self._key_ring.digests(order.tenant_id, purpose="webhook")
        try:
            answer = await self._calls.post(
                asked.url, asked.body, call_id=asked.call_id, at=int(time.time()), secrets=secrets
            )
        except DeliveryError as error:
            raise ApplicationError(
                error.detail, asked.call_id, type=error.code, non_retryable=not error.retryable
            ) from error
        await persist(lambda: self._answered(order, now, asked.call_id, answer))

    @activity.defn(name="series.call_failed")
    async def give_up(self, order: SeriesInput, now: datetime, given_up: GivenUp) -> None:
        """Parks a series whose service refused, or did not answer for long, if it still asks this one."""
        await persist(lambda: self._park(order, now, given_up))

    async def _document(self, order: SeriesInput, now: datetime) -> _Document | None:
        async with self._database.tenant(UUID(order.tenant_id)) as connection:
            asking = await self._asking(connection, order, now)
            if asking is None:
                return None
            facts = facts_with_outcomes(asking.state)
            try:
                data = {name: value_of(expression, facts) for name, expression in asking.step.data.items()}
            except ConditionError as error:
                raise ApplicationError(str(error), type="condition_failed", non_retryable=True) from error
        row = asking.row
        document = {
            "series": str(row.id), "flow": row.flow, "key": row.key, "step": asking.step.id, "data": data,
        }  # fmt: skip
        return _Document(call_id=asking.call_id, url=asking.step.url, body=orjson.dumps(document, default=str))

    async def _answered(self, order: SeriesInput, now: datetime, call_id: str, answer: Answer) -> None:
        async with self._database.tenant(UUID(order.tenant_id)) as connection:
            asking = await self._asking(connection, order, now)
            if asking is None or asking.call_id != call_id:
                return
            outcome = {"status": answer.status, "body": answer.body}
            following = taken(asking.program, asking.state, outcome, now)
            entry = Entry(kind="called", step=asking.step.id, at=now, detail=outcome)
            step = asking.program.next_step(following.place)
            stands = {"state": state_document(following), "place": following.place, "step": step}
            await _save(connection, asking, entry, **stands, wakes=wakes_at(asking.program, following.place))

    async def _park(self, order: SeriesInput, now: datetime, given_up: GivenUp) -> None:
        async with self._database.tenant(UUID(order.tenant_id)) as connection:
            asking = await self._asking(connection, order, now)
            if asking is None or given_up.call_id not in {None, asking.call_id}:
                return
            told = {"reason": given_up.reason, "detail": given_up.detail}
            entry = Entry(kind="parked", step=asking.step.id, at=now, detail=told)
            await _save(connection, asking, entry, status=SeriesStatus.PARKED.value, **told)

    async def _asking(self, connection: AsyncConnection, order: SeriesInput, now: datetime) -> _Asking | None:
        """Returns the series under its lock, or None where it does not stand at a call any more."""
        tenant_id = UUID(order.tenant_id)
        await flows.hold(connection, tenant_id, UUID(order.series_id))
        row = await series.get(connection, tenant_id, UUID(order.series_id), lock=True)
        if row is None or row.status != SeriesStatus.RUNNING or row.flow_status != "active":
            return None
        program = await self._programs.get(connection, tenant_id, row.flow_version_id)
        state = await state_of_series(connection, tenant_id, row, program.flow)
        decision = decide(program, state, now, holds)
        if not isinstance(decision.next, Do) or not isinstance(decision.next.step, Call):
            return None
        return _Asking(row=row, program=program, state=decision.state, step=decision.next.step)


async def _save(connection: AsyncConnection, asking: _Asking, entry: Entry, **values: Any) -> None:
    row, tenant_id = asking.row, asking.row.tenant_id
    entries = await series.note(connection, tenant_id, row.id, row.entries, [entry])
    await series.change(connection, tenant_id, row.id, entries=entries, **values)
