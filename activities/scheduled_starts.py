"""How the run of a schedule starts a series: by the flow's published version, once for its key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.event_taking import NotMeant
from activities.programs import Programs
from activities.series_starting import Begun, begin, catch_up, missing_anchors
from channels.addresses import parse_address
from db import flows, series_steps
from db.series import NewSeries
from domain.flow_program import Program
from domain.recipients import AddressKind

_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A flow, and what its new series run by."""

    name: str
    flow_id: UUID
    version_id: UUID
    program: Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A series that a run is to start.

    Attributes:
        item: What it is started for, as refusals name it.
        receiver_id: The recipient, where that is known already.
    """

    item: str
    key: str
    to_kind: str
    to: str = field(repr=False)
    receiver_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    anchors: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    resource: tuple[str, str] | None = None


async def published(connection: AsyncConnection, tenant_id: UUID, programs: Programs, name: str) -> Published:
    """Returns what new series of a flow run by, and keeps it from being published or paused meanwhile.

    Raises:
        NotMeant: There is no such flow, or none of its series may begin now.
    """
    await flows.share(connection, tenant_id, name=name)
    flow = await flows.get(connection, tenant_id, name)
    if flow is None:
        raise NotMeant(f"there is no flow {name!r}; push and publish it")
    if flow.status != "active" or flow.published_number is None:
        hint = "activate it" if flow.status == "paused" else "publish a version"
        raise NotMeant(f"the flow {name!r} is {flow.status}; {hint}")
    version = await flows.version(connection, tenant_id, flow.id, flow.published_number)
    assert version is not None  # noqa: S101 - what was published is there
    program = await programs.get(connection, tenant_id, version.id)
    return Published(name=name, flow_id=flow.id, version_id=version.id, program=program)


async def start(
    connection: AsyncConnection,
    tenant_id: UUID,
    flow: Published,
    wanted: Wanted,
    *,
    event: Mapping[str, Any],
    now: datetime,
) -> Begun:
    """Starts a series, unless its key says otherwise.

    Raises:
        NotMeant: It cannot be started as it is wanted; nothing was changed.
    """
    if missing := missing_anchors(flow.program.flow, wanted.anchors):
        raise NotMeant(f"the flow counts from {missing[0]!r}, which is not given; add it to `anchors`")
    if len(wanted.key) > _LONGEST_KEY:
        raise NotMeant(f"`key` gives {len(wanted.key):,} characters; {_LONGEST_KEY} are possible")
    to, receiver_id = await _receiver(connection, tenant_id, wanted)
    new = NewSeries(
        flow_id=flow.flow_id,
        flow_version_id=flow.version_id,
        key=wanted.key,
        to=to,
        to_kind=wanted.to_kind,
        receiver_id=receiver_id,
        zone=wanted.zone,
        anchors=wanted.anchors,
        data=wanted.data,
        event=event,
        resource_type=wanted.resource[0] if wanted.resource else None,
        resource_id=wanted.resource[1] if wanted.resource else None,
    )
    defined = flow.program.flow
    begun = await begin(connection, tenant_id, new, flow=defined, again=defined.again, now=now)
    if begun.result == "started" and begun.series_id is not None:
        await catch_up(connection, tenant_id, begun.series_id, flow.flow_id, wanted.key)
    return begun


async def _receiver(connection: AsyncConnection, tenant_id: UUID, wanted: Wanted) -> tuple[str, UUID | None]:
    if wanted.receiver_id is not None:
        return wanted.to, wanted.receiver_id
    if wanted.to_kind == "recipient":
        known = await series_steps.by_external_id(connection, tenant_id, wanted.to)
        if known is None:
            raise NotMeant("there is no recipient with the id that `to` gives; create it first")
        return wanted.to, known[0]
    try:
        address = parse_address(AddressKind(wanted.to_kind), wanted.to)
    except ValueError as error:
        raise NotMeant(f"`to` gives no {wanted.to_kind}: {error}") from error
    holder = await series_steps.holder(connection, tenant_id, address)
    return address.value, holder[0] if holder else None
