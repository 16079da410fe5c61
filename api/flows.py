"""Flow definitions over HTTP: what is wrong with one, and what a series of it would do; nothing is stored or sent."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from api.auth import Principal, needs
from api.flow_days import MOST_DAYS, Day
from api.flow_files import LARGEST, Misprint, read, read_text
from api.flow_warnings import FlowWarning, warnings_of
from api.flow_words import Anchor, CalendarName
from api.models import Body, Json, JsonObject, Moment, Shown, Text
from api.problems import invalid
from api.recipient_models import Zone
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from api.template_models import NamedTopic
from domain.conditions import ConditionError, holds
from domain.faults import Fault
from domain.flow_needs import standing_by_topic
from domain.flow_preview import Entry, simulate
from domain.flow_program import compiled
from domain.flow_state import Heard, SeriesState
from domain.flow_steps import Flow
from domain.holidays import read as read_days

router = noun_router("/v1/flows", "Flows")

Reader = Annotated[Principal, needs(Scope.FLOWS_READ)]
MOST_HEARD = 500
MOST_JUDGED = 5_000
"""Conditions that one preview judges: a definition must not keep the process busy for long."""


def _bounded(definition: str | dict[str, Any]) -> str:
    text = definition if isinstance(definition, str) else json.dumps(definition, ensure_ascii=False, default=float)
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise ValueError("a definition has at most 256 KiB")
    return text


Definition = Annotated[
    str | dict[str, Any],
    AfterValidator(_bounded),
    Field(
        description="A flow as YAML or JSON text, or as a JSON object.", examples=["name: hello\nsteps:\n- send: hello"]
    ),
]


class FlowCheck(Body):
    """A definition to look at."""

    definition: Definition


class FlowFault(Shown):
    """Something that is wrong with a definition; line and column count from 1."""

    line: int
    column: int
    pointer: str
    message: str


class FlowChecked(Shown):
    """What is wrong with a definition, in the order of its lines; a warning makes it no less valid."""

    valid: bool
    faults: list[FlowFault]
    warnings: list[FlowWarning] = Field(
        default_factory=list, description="What its expressions name and no event has that starts it."
    )


class ScriptedHearing(Body):
    """Something that happens during a preview."""

    at: Moment
    kind: Literal["reply", "tap", "reaction", "delivered", "read", "event"]
    name: Annotated[str, StringConstraints(max_length=200)] | None = None
    data: JsonObject = Field(default_factory=dict)


PreviewDays = Annotated[list[Day], Field(max_length=MOST_DAYS)]


class FlowPreview(Body):
    """A definition, and the series to play."""

    definition: Definition
    start: Moment | None = Field(default=None, description="When the series begins; now by default.")
    zone: Zone = Field(default="UTC", description="The recipient's IANA time zone.")
    anchors: dict[Anchor, Moment] = Field(default_factory=dict, max_length=50)
    event: JsonObject = Field(default_factory=dict, description="The event that starts it.")
    recipient: JsonObject = Field(default_factory=dict)
    data: JsonObject = Field(default_factory=dict)
    calendars: dict[CalendarName, PreviewDays] = Field(
        default_factory=dict, max_length=50, description="The days of calendars, by name."
    )
    consents: dict[NamedTopic, Literal["granted", "denied"]] = Field(
        default_factory=dict, max_length=50, description="What the recipient chose already, by topic."
    )
    heard: list[ScriptedHearing] = Field(default_factory=list, max_length=MOST_HEARD, description="What happens.")


class PreviewEntry(Shown):
    """One line of what a series would do."""

    at: datetime
    kind: Text = Field(description="do, wait, heard, done, stuck, cut, or what was decided on the way.")
    step: str | None = Field(description="The step's id.")
    detail: Json


class FlowPreviewed(Shown):
    """What a series would do, from its beginning."""

    entries: list[PreviewEntry]


@router.post("/check", summary="Check a flow")
async def check_flow(body: FlowCheck, principal: Reader, services: ServicesOf) -> FlowChecked:
    """Tells everything that is wrong with a definition; a wrong one is an answer, too, not an error."""
    text = await asyncio.to_thread(read_text, str(body.definition))
    faults = [FlowFault.model_validate(one) for one in text.misprints]
    warnings = await warnings_of(services.database, principal.tenant_id, text)
    return FlowChecked(valid=text.flow is not None, faults=faults, warnings=warnings)


@router.post("/preview", summary="Preview a flow")
async def preview_flow(body: FlowPreview, principal: Reader) -> FlowPreviewed:  # noqa: ARG001 - asks for the scope
    """Says what a series would do, when and why, with scripted replies and events; nothing is sent."""
    entries = await asyncio.to_thread(_played, body)
    return FlowPreviewed(entries=[shown_entry(entry) for entry in entries])


def _played(body: FlowPreview) -> Sequence[Entry]:
    flow, misprints = read(str(body.definition))
    if flow is None:
        raise invalid(*map(under_definition, misprints))
    return _simulated(flow, body)


def _simulated(flow: Flow, body: FlowPreview) -> Sequence[Entry]:
    start = body.start or datetime.now(UTC).replace(microsecond=0)
    plain = body.model_dump(mode="json")
    facts = {"event": plain["event"], "recipient": plain["recipient"], "series": {}, "data": plain["data"]}
    script = [
        Heard(kind=one.kind, at=one.at, name=one.name, data=said["data"])
        for one, said in zip(body.heard, plain["heard"], strict=True)
    ]
    state = SeriesState(
        started_at=start,
        entered_at=start,
        zone=body.zone,
        anchors=body.anchors,
        facts=facts,
        calendars={name: read_days(days) for name, days in body.calendars.items()},
        consents=standing_by_topic(flow, body.consents),
    )
    return simulate(compiled(flow), state, bounded_judge(), script)


def bounded_judge() -> Callable[[str, Mapping[str, Any]], bool]:
    """Returns a judge of conditions that gives up when there are too many."""
    left = MOST_JUDGED

    def judge(condition: str, facts: Mapping[str, Any]) -> bool:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConditionError(f"a preview judges at most {MOST_JUDGED:,} conditions")
        return holds(condition, facts)

    return judge


def under_definition(one: Misprint) -> Fault:
    """Returns a misprint as a fault of the request that brought the definition."""
    message = f"{one.message} (line {one.line}, column {one.column})"
    return Fault(pointer=f"/definition{one.pointer}", message=message)


def shown_entry(entry: Entry) -> PreviewEntry:
    """Returns a line of a transcript as it is shown."""
    return PreviewEntry(at=entry.at, kind=entry.kind, step=entry.step_id, detail=dict(entry.detail or {}))
