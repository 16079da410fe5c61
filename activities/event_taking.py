"""What an event does: it starts series of the flows that are on for it, and feeds those that run with its key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.event_schemas import EventSchemas, Judgement
from activities.programs import Programs
from activities.series_facts import person
from activities.series_starting import Begun, begin, catch_up, missing_anchors
from channels.addresses import parse_address
from db import event_types, events, flows, series, series_steps
from db.events import NewEvent
from db.flows import Listening
from db.json import plain
from db.series import NewSeries
from db.series_hearing import NewHearing, hear
from domain.calendar import is_in_reach
from domain.conditions import ConditionError, holds, value_of
from domain.flow_events import fits, most_exact
from domain.flow_program import Program
from domain.recipients import AddressKind
from domain.series import MOST_HEARD, MOST_HEARD_BYTES

_LONGEST_KEY = 255
_SCHEMAS = EventSchemas()
_FULL = f"the series heard {MOST_HEARD:,} things or {MOST_HEARD_BYTES // 2**20} MiB already and keeps no more"


class NotMeant(Exception):  # noqa: N818 - no error: the event is kept, this flow has nothing to do with it
    """An event does not start a series, and why."""


class DoesNotFit(NotMeant):
    """The data of an event does not fit the schema of its type, which is enforced; nothing was changed."""

    def __init__(self, judgement: Judgement) -> None:
        first = judgement.faults[0]
        super().__init__(f"the event's data does not fit the schema of its type: /data{first.pointer}: {first.message}")
        self.judgement = judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What a flow makes of an event.

    Attributes:
        pattern: The pattern of its `on` that fits best, if one does.
        hears: Whether its series listen to such events.
        key: Whose series is meant.
        refusal: Why it does not start one although a pattern fits.
    """

    flow: Listening
    program: Program
    pattern: str | None
    hears: bool
    key: str | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What an event did with one flow."""

    flow: str
    result: str
    series_id: UUID | None = None
    detail: str | None = None
    replaced: UUID | None = None


class Taking:
    """Takes events in, each in a transaction of its own."""

    def __init__(self, connection: AsyncConnection, tenant_id: UUID, programs: Programs, now: datetime) -> None:
        self._connection, self._tenant_id, self._programs, self._now = connection, tenant_id, programs, now
        self.judgement = Judgement(type=None, faults=())
        """What the schema of its type says of the event that was judged last."""

    async def take(self, new: NewEvent, *, enforce: bool = True) -> list[Effect] | None:
        """Keeps an event and lets it do what it does, or returns None where it came before.

        Raises:
            DoesNotFit: Its type's schema is enforced, and the event breaks it; nothing was changed.
        """
        judgement = await self.judged(new)
        if judgement.refuses and enforce:
            if await events.is_kept(self._connection, self._tenant_id, new.source, new.event_id):
                return None
            raise DoesNotFit(judgement)
        if judgement.type is None:
            await event_types.meet(self._connection, self._tenant_id, new.type)
        new = replace(new, faults=judgement.told() or None)
        kept = await events.keep(self._connection, self._tenant_id, new)
        if kept is None:
            return None
        met = await self.meetings(new)
        await self._claim(met)
        effects = [effect for one in met for effect in await self._effects(one, new, kept)]
        started = sum(effect.result == "started" for effect in effects)
        fed = sum(effect.result == "fed" for effect in effects)
        await events.count(self._connection, self._tenant_id, kept, started=started, fed=fed)
        return effects

    async def judged(self, new: NewEvent) -> Judgement:
        """Returns what the schema of its type says of an event; no flow is published or paused from here on."""
        rule = await event_types.share(self._connection, self._tenant_id, new.type)
        self.judgement = await _SCHEMAS.judged(self._connection, self._tenant_id, rule, new.data)
        return self.judgement

    async def meetings(self, new: NewEvent) -> list[Meeting]:
        """Returns what every flow that has to do with an event makes of it; nothing is changed."""
        found = []
        for flow in await flows.listening(self._connection, self._tenant_id):
            pattern = most_exact(flow.starts_on, new.type) if flow.status == "active" else None
            hears = any(fits(one, new.type) for one in flow.hears)
            if pattern is not None or hears:
                program = await self._programs.get(self._connection, self._tenant_id, flow.version_id)
                starting = pattern is not None and program.flow.match is not None
                facts = await self._facts_of_start(program, new) if starting else _facts(new)
                found.append(_meeting(flow, program, facts, pattern=pattern, hears=hears))
        return found

    async def _facts_of_start(self, program: Program, new: NewEvent) -> Mapping[str, Any]:
        """Returns what a condition for starting sees: the event, and whom the series would be for, as far as known."""
        facts = _facts(new)
        if program.flow.to is None:
            return facts
        kind, expression = program.flow.to
        try:
            to, receiver = await self._receiver(kind, text_of(expression, facts, "to"))
        except NotMeant:  # what keeps it from starting is told when it would
            return facts
        return {**facts, "recipient": person(to, receiver[1] if receiver else None)}

    async def _claim(self, met: Sequence[Meeting]) -> None:
        """Takes all locks before anything is done, in one order, so that no two events wait for each other."""
        connection, tenant_id = self._connection, self._tenant_id
        pairs = [(one.flow.flow_id, one.key) for one in met if one.key is not None]
        for flow_id, key in pairs:
            await series.lock_key(connection, tenant_id, flow_id, key, patience=_PATIENCE)
        found = [await events.running(connection, tenant_id, flow_id, key) for flow_id, key in pairs]
        await series.lock_many(connection, tenant_id, [one for one in found if one is not None])

    async def _effects(self, meeting: Meeting, new: NewEvent, kept: UUID) -> list[Effect]:
        effects = []
        if meeting.pattern is not None and meeting.refusal is None:
            effects.append(await self._start(meeting, new))
        elif meeting.pattern is not None:
            effects.append(Effect(flow=meeting.flow.name, result="not_meant", detail=meeting.refusal))
        if meeting.hears and meeting.key is not None:
            effects.append(await self._feed(meeting, meeting.key, new, kept))
        return effects

    async def _start(self, meeting: Meeting, new: NewEvent) -> Effect:
        name = meeting.flow.name
        try:
            asked = await self._new_series(meeting, new)
        except NotMeant as error:
            return Effect(flow=name, result="refused", detail=str(error))
        flow = meeting.program.flow
        begun: Begun = await begin(self._connection, self._tenant_id, asked, flow=flow, again=flow.again, now=self._now)
        if begun.result == "started" and begun.series_id is not None and asked.key is not None:
            await catch_up(self._connection, self._tenant_id, begun.series_id, asked.flow_id, asked.key)
        return Effect(flow=name, result=begun.result, series_id=begun.series_id, replaced=begun.replaced)

    async def _feed(self, meeting: Meeting, key: str, new: NewEvent, kept: UUID) -> Effect:
        """Lets the series of the key hear the event, or the event wait for a series that has not begun yet."""
        name, flow_id = meeting.flow.name, meeting.flow.flow_id  # the key is locked since `_claim`
        running = await events.running(self._connection, self._tenant_id, flow_id, key)
        if running is None:
            await events.wait(self._connection, self._tenant_id, flow_id, key, kept)
            return Effect(flow=name, result="waits")
        news = NewHearing(
            series_id=running, cause=f"event/{kept}", kind="event", name=new.type, at=new.occurred_at, data=_object(new)
        )
        told = await hear(self._connection, self._tenant_id, [news])
        if told.heard:
            return Effect(flow=name, result="fed", series_id=running)
        return Effect(flow=name, result="not_heard", series_id=running, detail=_FULL if told.full else None)

    async def _new_series(self, meeting: Meeting, new: NewEvent) -> NewSeries:
        flow, facts = meeting.program.flow, _facts(new)
        if flow.to is None:
            raise NotMeant("the flow does not say whom it is for")
        kind, expression = flow.to
        to = text_of(expression, facts, "to")
        to, receiver = await self._receiver(kind, to)
        data = _object(new)
        anchors = dict(_anchors(meeting.program, data))
        return NewSeries(
            flow_id=meeting.flow.flow_id,
            flow_version_id=meeting.flow.version_id,
            key=meeting.key,
            to=to,
            to_kind=kind,
            receiver_id=receiver[0] if receiver else None,
            zone=None,
            anchors=anchors,
            data=data,
            event=events.facts(new),
            resource_type=new.type.partition(".")[0][:128] if new.subject else None,
            resource_id=new.subject[:256] if new.subject else None,
        )

    async def _receiver(self, kind: str, to: str) -> tuple[str, tuple[UUID, series_steps.Receiver] | None]:
        if kind == "recipient":
            known = await series_steps.by_external_id(self._connection, self._tenant_id, to)
            if known is None:
                raise NotMeant("there is no recipient with the id that `to` gives; create it first")
            return to, known
        try:
            address = parse_address(AddressKind(kind), to)
        except ValueError as error:
            raise NotMeant(f"`to` gives no {kind}: {error}") from error
        return address.value, await series_steps.holder(self._connection, self._tenant_id, address)


_PATIENCE = 2.0


def _meeting(
    flow: Listening, program: Program, facts: Mapping[str, Any], *, pattern: str | None, hears: bool
) -> Meeting:
    key, refusal = None, None
    facts = {**facts, "series": {"flow": flow.name}}
    try:
        if program.flow.key is not None:
            key = text_of(program.flow.key, facts, "key")[:_LONGEST_KEY]
        if pattern is not None and program.flow.match is not None and not holds(program.flow.match, facts):
            refusal = f"`match` does not hold: {program.flow.match}"
    except (ConditionError, NotMeant) as error:
        refusal = str(error)
    return Meeting(flow=flow, program=program, pattern=pattern, hears=hears, key=key, refusal=refusal)


def _facts(new: NewEvent) -> Mapping[str, Any]:
    event = plain(dict(events.facts(new)))
    return {
        "event": event, "data": plain(_object(new)), "recipient": person("", None), "series": {}, "outcomes": {},
        "heard": [],
    }  # fmt: skip


def text_of(expression: str, facts: Mapping[str, Any], what: str) -> str:
    """Returns the text that an expression of a flow gives, without spaces around it.

    Raises:
        NotMeant: It gives none.
    """
    try:
        value = value_of(expression, facts)
    except ConditionError as error:
        raise NotMeant(f"`{what}` ({expression}): {error}") from error
    told = "" if isinstance(value, bool) or not isinstance(value, str | int) else str(value).strip()
    if not told:
        raise NotMeant(f"`{what}` ({expression}) gives no text")
    return told


def _object(new: NewEvent) -> Mapping[str, Any]:
    return events.as_object(new.data)


def _anchors(program: Program, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the dates that the flow counts from: members of the event's data with their names."""
    for name in missing_anchors(program.flow, {}):
        try:
            instant = datetime.fromisoformat(str(data[name]))
        except (KeyError, ValueError) as error:
            raise NotMeant(f"the flow counts from `{name}`, and the event's data has no such instant") from error
        if instant.tzinfo is None or not is_in_reach(instant):
            raise NotMeant(f"`{name}` lacks its offset, or lies out of reach; write it like 2026-06-01T09:00+05:30")
        yield name, instant.isoformat()
