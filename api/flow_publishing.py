"""Publishing a version: how many series wait at which step, and what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.series_starting import wakes_at
from api.audit import record
from api.auth import Principal
from api.models import Shown
from api.problem_types import Kind
from api.problems import Problem, invalid
from db import calendars, flows, series_fleet
from db.flow_json import flow_of
from db.flows import FlowVersion, StoredFlow
from db.series_fleet import Destination
from domain.faults import Fault
from domain.flow_needs import calendars_of
from domain.flow_program import Program, compiled
from domain.operations import agrees


class Waiting(Shown):
    """How many running series of one version stand at one step; null before their first and between steps."""

    version: int
    step: str | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """A version to publish, and what becomes of running series."""

    flow: StoredFlow
    version: FlowVersion
    mode: str
    steps: Mapping[str, str]
    expected: int | None


async def waiting_at(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID) -> list[Waiting]:
    """Returns how many series of a flow wait at which step, by version."""
    return [
        Waiting(version=row.version, step=row.step, count=row.count)
        for row in await series_fleet.waiting(connection, tenant_id, flow_id)
    ]


async def publish(
    connection: AsyncConnection,
    principal: Principal,
    asked: Publishing,
    waiting: Sequence[Waiting],
    *,
    dry_run: bool,
) -> int:
    """Publishes a version of a locked flow, and returns how many series went over or were stopped.

    Raises:
        Problem: A series stands at a step that the new version does not have, or others are meant than were agreed to;
            nothing was changed.
    """
    tenant_id, flow_id = principal.tenant_id, asked.flow.id
    program = compiled(flow_of(asked.version.definition))
    others = sum(one.count for one in waiting if one.version != asked.version.number)
    if not dry_run:
        _check_count(asked, others)
    places = _places(asked, program, waiting) if asked.mode == "migrate" else {}
    if dry_run:
        return 0 if asked.mode == "pin" else others
    if asked.mode == "migrate":
        first, behind = _destination(program, None, 0), _destination(program, None, len(program.instructions))
        renamed = {old: new for old, new in asked.steps.items() if old not in program.places}
        await series_fleet.migrate(
            connection, tenant_id, flow_id, asked.version.id, places, renamed=renamed, first=first, behind=behind
        )
    elif asked.mode == "stop":
        await series_fleet.stop_other_versions(connection, tenant_id, flow_id, asked.version.id)
    status = "active" if asked.flow.status == "draft" else asked.flow.status
    await flows.change(connection, tenant_id, flow_id, published_number=asked.version.number, status=status)
    changed = 0 if asked.mode == "pin" else others
    facts = {"name": asked.flow.name, "version": asked.version.number, "mode": asked.mode, "changed": changed}
    await record(connection, principal, "flow.published", flow_id, **facts)
    return changed


async def check_calendars(connection: AsyncConnection, tenant_id: UUID, version: FlowVersion, *, hold: bool) -> None:
    """Raises that a version asks calendars that are not there; with `hold` those that are there stay.

    They are held before the flow is locked: whoever puts one waits for schedules, and their runs wait for flows.
    """
    asked = calendars_of(flow_of(version.definition))
    missing = sorted(asked - (await calendars.days(connection, tenant_id, asked, hold=hold)).keys())
    if missing:
        told = ", ".join(map(repr, missing))
        message = f"version {version.number} asks the calendar {told}, which is not there; put it, or correct the name"
        raise invalid(Fault(pointer="/version", message=message))


def _check_count(asked: Publishing, found: int) -> None:
    """Raises that others are meant by now than somebody agreed to."""
    if asked.mode != "pin" and asked.expected is not None and not agrees(asked.expected, found):
        detail = f"Not {asked.expected} but {found} are meant now; look again, then repeat with this number."
        raise Problem(Kind.COUNT_CHANGED, detail, count=found)


def _places(asked: Publishing, program: Program, waiting: Sequence[Waiting]) -> dict[str, Destination]:
    """Returns, for each step at which series stand, where they go on."""
    found: dict[str, Destination] = {}
    faults = []
    for step in sorted({one.step for one in waiting if one.step and one.version != asked.version.number}):
        target = asked.steps.get(step, step)
        if target in program.places:
            found[step] = _destination(program, target, program.places[target])
        else:
            count = sum(one.count for one in waiting if one.step == step)
            message = f"{count} series stand at {step!r}, and version {asked.version.number} has no step {target!r}"
            faults.append(Fault(pointer=f"/steps/{step}", message=message))
    if faults:
        raise invalid(*faults)
    return found


def _destination(program: Program, step: str | None, place: int) -> Destination:
    return Destination(step=step, place=place, wakes=wakes_at(program, place))
