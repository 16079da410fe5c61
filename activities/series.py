"""A look at a series: what is due is decided and done in one transaction, so it is done once, whatever breaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity

from activities.links import Links
from activities.persistence import persist
from activities.programs import Programs
from activities.series_facts import facts_with_outcomes, state_of_series
from activities.series_messages import ENDINGS, take_back
from activities.series_questions import ask, message_of
from activities.series_sends import NotPossible, Sending, Sends
from activities.series_starting import wakes_at, wakes_of
from activities.series_updates import updated
from crashpoints import crash_here
from db import calendars, flows, series, series_steps
from db.flow_json import state_document
from db.series import Entry, Series
from db.session import Database
from domain.conditions import ConditionError, holds
from domain.flow_needs import calendars_of
from domain.flow_program import Program
from domain.flow_state import SeriesState
from domain.flow_steps import Awaited, Call, Confirm, Send, Throttle, Update
from domain.flows import Decision, Do, Done, Stuck, Wait, decide, taken
from domain.series import Pause, SeriesInput, SeriesStatus

_SOON = timedelta(seconds=1)
_MOST_AT_ONCE = 10
"""Steps of one look; after them the workflow is told, so that it stays the one who acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    """What steps are taken with, beside the transaction."""

    sends: Sends
    links: Links


class SeriesSteps:
    """Decides what a series does next, and does it."""

    def __init__(self, database: Database, links: Links) -> None:
        self._database = database
        self._programs = Programs()
        self._means = _Means(sends=Sends(), links=links)

    @activity.defn(name="series.advance")
    async def advance(self, order: SeriesInput, now: datetime) -> Pause:
        """Does what is due at `now`, the workflow's own time, and returns until when there is nothing to do."""
        pause = Pause(again=True)
        for _ in range(_MOST_AT_ONCE):
            pause = await persist(lambda: self._look(order, now))
            if not pause.again:
                break
        if pause.ended in ENDINGS:
            await take_back(self._database, UUID(order.tenant_id), UUID(order.series_id))
        return pause

    async def _look(self, order: SeriesInput, now: datetime) -> Pause:
        tenant_id, series_id = UUID(order.tenant_id), UUID(order.series_id)
        async with self._database.tenant(tenant_id) as connection:
            # First the flow, then the series, as those who publish lock them; so pausing a flow waits for its sends.
            await flows.hold(connection, tenant_id, series_id)
            row = await series.get(connection, tenant_id, series_id, lock=True)
            if row is None:
                return Pause(ended="gone")
            if SeriesStatus(row.status).is_over:
                return Pause(ended=row.reason or row.status)
            if row.status == SeriesStatus.PAUSED:
                return Pause(shown="paused")
            pause = await _Look(connection, tenant_id, row, now).take(self._programs, self._means)
            crash_here("before_series_commit")
        crash_here("after_series_commit")
        return pause


class _Look:
    """One transaction of one series."""

    def __init__(self, connection: AsyncConnection, tenant_id: UUID, row: Series, now: datetime) -> None:
        self._connection, self._tenant_id, self._row, self._now = connection, tenant_id, row, now
        self._entries: list[Entry] = []
        self._zone = "UTC"

    async def take(self, programs: Programs, means: _Means) -> Pause:
        """Decides, does one thing at most, and writes down what came of it."""
        if self._row.flow_status != "active":
            return Pause(shown=f"its flow is {self._row.flow_status}")
        program = await programs.get(self._connection, self._tenant_id, self._row.flow_version_id)
        state = await state_of_series(self._connection, self._tenant_id, self._row, program.flow)
        self._zone, self._quiet = state.zone, program.flow.quiet
        decision = decide(program, state, self._now, holds)
        if self._row.status == SeriesStatus.PARKED and not isinstance(decision.next, Done):
            return Pause(shown=f"parked: {self._row.reason}")
        for one in decision.notes:
            self._note(one.kind, one.step_id, **one.detail)
        try:
            return await self._carry_out(program, decision, means)
        except NotPossible as error:
            return await self._park(program, decision, error.reason, error.detail)
        except ConditionError as error:
            return await self._park(program, decision, "condition_failed", str(error))

    async def _carry_out(self, program: Program, decision: Decision, means: _Means) -> Pause:
        match decision.next:
            case Do():
                return await self._do(program, decision.state, decision.next, means)
            case Wait():
                return await self._wait(program, decision.state, decision.next)
            case Stuck():
                return await self._park(program, decision, decision.next.reason, decision.next.detail)
            case Done():
                return await self._end(decision.state, decision.next)

    async def _end(self, state: SeriesState, done: Done) -> Pause:
        status = (SeriesStatus.COMPLETED if done.reason == "completed" else SeriesStatus.STOPPED).value
        self._note("ended", None, status=status, reason=done.reason, detail=done.detail)
        await self._save(state, step=None)
        await series.end(
            self._connection, self._tenant_id, self._row.id, status=status, reason=done.reason, detail=done.detail
        )
        return Pause(ended=done.reason)

    async def _do(self, program: Program, state: SeriesState, do: Do, means: _Means) -> Pause:
        facts = facts_with_outcomes(state)
        if isinstance(do.step, Call):  # asked outside of any transaction, and taken when it has answered
            await self._save(state, step=do.step.id, next_at=None, wakes=wakes_of(program.flow))
            return Pause(call=True, shown=f"asks a service: {do.step.id}")
        outcome = await self._outcome(do, facts, means)
        self._note(_DONE[type(do.step)], do.step.id, **outcome)
        following = taken(program, state, outcome, self._now)
        step, wakes = program.next_step(following.place), wakes_at(program, following.place)
        await self._save(following, step=step, next_at=None, wakes=wakes)
        return Pause(again=True)

    async def _outcome(self, do: Do, facts: Mapping[str, Any], means: _Means) -> dict[str, Any]:
        """Takes a step, and returns what came of it."""
        row = self._row
        match do.step:
            case Send():
                sending = self._sending(do.step, facts, do.not_before)
                return await means.sends.send(self._connection, self._tenant_id, sending)
            case Confirm():
                asking = self._sending(message_of(do.step), facts, None)
                return await ask(self._connection, self._tenant_id, means.sends, means.links, do.step, asking)
            case Throttle():
                return await series_steps.throttled(self._connection, self._tenant_id, row, do.step, self._now)
            case Update():
                return await updated(self._connection, self._tenant_id, row, do.step, facts, self._now)
            case _:
                raise LookupError(f"{do.step!r} takes no time")

    def _sending(self, step: Send, facts: Mapping[str, Any], not_before: datetime | None) -> Sending:
        number = self._row.entries + len(self._entries) + 1
        return Sending(
            series=self._row, step=step, number=number, facts=facts, now=self._now, zone=self._zone,
            not_before=not_before, quiet=self._quiet,
        )  # fmt: skip

    async def _wait(self, program: Program, state: SeriesState, wait: Wait) -> Pause:
        if (wait.step_id, wait.until) != (self._row.step, self._row.next_at):
            self._note("waiting", wait.step_id, until=wait.until, awaited=[_spelt(one) for one in wait.awaited])
        await self._save(state, step=wait.step_id, next_at=wait.until, wakes=wakes_of(program.flow, wait.awaited))
        shown = f"{wait.step_id} until {wait.until.isoformat()}" if wait.until else f"{wait.step_id}"
        return Pause(until=wait.until, shown=shown)

    async def _park(self, program: Program, decision: Decision, reason: str, detail: str) -> Pause:
        """Lets the series stand where it is until somebody has mended what keeps it, or something ends it."""
        missing = calendars_of(program.flow) - decision.state.calendars.keys()
        if reason == "calendar_missing" and not await calendars.stay_missing(
            self._connection, self._tenant_id, missing
        ):
            # Whoever puts it resumes those that are parked by then: this one is not, and so looks again itself.
            return Pause(until=self._now + _SOON, shown="its calendar is just being put")
        stood = decision.next
        step = stood.step.id if isinstance(stood, Do) else self._row.step if isinstance(stood, Done) else stood.step_id
        self._note("parked", step, reason=reason, detail=detail)
        parked = {"status": SeriesStatus.PARKED.value, "reason": reason, "detail": detail, "next_at": None}
        await self._save(decision.state, step=step, wakes=wakes_of(program.flow), **parked)
        return Pause(shown=f"parked: {reason}")

    def _note(self, kind: str, step: str | None, **detail: Any) -> None:
        told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in detail.items()}
        self._entries.append(Entry(kind=kind, step=step, at=self._now, detail=told))

    async def _save(self, state: SeriesState, *, step: str | None, **values: Any) -> None:
        connection, tenant_id, row = self._connection, self._tenant_id, self._row
        entries = await series.note(connection, tenant_id, row.id, row.entries, self._entries)
        document = state_document(state)
        await series.change(
            connection, tenant_id, row.id, state=document, place=state.place, step=step, entries=entries, **values
        )


_DONE = {Send: "sent", Confirm: "sent", Throttle: "throttle", Update: "updated"}


def _spelt(awaited: Awaited) -> str:
    return f"{awaited.kind}:{awaited.name}" if awaited.name else awaited.kind
