"""Wire models of series: what starts one, what changes it, and how it is shown."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path
from pydantic import Field, StringConstraints

from api.flow_words import Anchor, FlowName, StepId
from api.models import Body, JsonObject, Moment, Shown, Text
from api.notification_models import Resource, To
from api.paging import Page
from api.recipient_models import Zone
from db.series import Series

SeriesId = Annotated[UUID, Path(description="The series.")]
SeriesKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Status = Literal["running", "paused", "parked", "completed", "stopped"]


class SeriesBody(Body):
    """A series to start."""

    flow: FlowName
    to: To
    key: SeriesKey | None = Field(
        default=None, description="What makes it unique in its flow; by the flow's own expression otherwise."
    )
    data: JsonObject = Field(default_factory=dict, description="What templates and conditions see as `data`.")
    event: JsonObject = Field(default_factory=dict, description="What they see as `event`.")
    anchors: dict[Anchor, Moment] = Field(
        default_factory=dict, max_length=50, description="Dates that waits count from.", examples=[{"due_at": "…"}]
    )
    zone: Zone | None = Field(default=None, description="Whose clock counts; the recipient's otherwise.")
    resource: Resource | None = None
    again: Literal["reuse", "replace", "ignore"] | None = Field(
        default=None, description="What to do when the key is in use; as the flow says otherwise."
    )


class SeriesStarted(Shown):
    """What became of a start.

    `started`; `reused`: one with this key runs; `ignored`: the key was used before; `stopped_before_start`: a stop
    of this key came first, nothing was started.
    """

    result: Literal["started", "reused", "ignored", "stopped_before_start"]
    id: UUID | None
    replaced: UUID | None = Field(default=None, description="The series that was stopped for this one.")


class SeriesWhy(Body):
    """Why it is done."""

    reason: Text | None = Field(default=None, description="Kept on the timeline and in the audit trail.")


class SeriesChange(SeriesWhy):
    """What to change: dates move every wait that is still to come, data is merged into what is there."""

    anchors: dict[Anchor, Moment] = Field(default_factory=dict, max_length=50)
    data: JsonObject = Field(default_factory=dict)


class SeriesStop(Body):
    """Why it is stopped."""

    reason: Text | None = None


class KeyStop(SeriesStop):
    """The series of a key, also one that has not begun yet."""

    flow: FlowName
    key: SeriesKey


class StepAgain(SeriesWhy):
    """A step to take again; what follows it comes again, too."""

    step: StepId


class Stopped(Shown):
    """What stopping achieved.

    `stopped`: nothing of the series is sent any more. `too_late`: the same, but a message was just being handed over;
    `under_way` names its notification. `ended`: it was over before. `stopped_before_start`: the key never had
    a series, and none will begin with it for a week.
    """

    result: Literal["stopped", "too_late", "ended", "stopped_before_start"]
    id: UUID | None
    cancelled: list[UUID] = Field(default_factory=list, description="Notifications that were still to go out.")
    under_way: list[UUID] = Field(default_factory=list, description="Notifications that could not be stopped.")


class SeriesShown(Shown):
    """A series as it stands."""

    id: UUID
    flow: str
    version: int
    key: str
    to: str
    to_kind: Literal["recipient", "phone", "email", "whatsapp_user"]
    status: Status
    reason: str | None = Field(description="Why it ended or is parked.")
    detail: str | None
    step: str | None = Field(description="Where it stands.")
    next_at: datetime | None = Field(description="When it goes on by itself, unless something is heard before.")
    awaits: list[str] = Field(description="What wakes it: `reply`, `event:order.paid`, …")
    anchors: dict[str, datetime]
    unheard: int = Field(
        description="How often it was told something that it did not hear because it had heard too much already."
    )
    resource_type: str | None
    resource_id: str | None
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class SeriesPage(Page[SeriesShown]):
    """A page of series."""


class SeriesDetail(SeriesShown):
    """A series with what its templates and conditions see."""

    data: JsonObject
    event: JsonObject
    outcomes: JsonObject = Field(description="What came of each step.")


class SeriesLine(Shown):
    """One line of what a series did and decided, with what it saw."""

    id: UUID
    number: int
    at: datetime
    kind: str
    step: str | None
    detail: JsonObject


class SeriesLinePage(Page[SeriesLine]):
    """A page of a series' timeline."""


def shown(row: Series) -> SeriesShown:
    """Returns a series for a list."""
    return SeriesShown.model_validate(_members(row))


def shown_in_full(row: Series) -> SeriesDetail:
    """Returns a series with its data."""
    more = {"data": row.data, "event": row.event, "outcomes": row.state.get("outcomes", {})}
    return SeriesDetail.model_validate({**_members(row), **more})


def _members(row: Series) -> dict[str, Any]:
    names = SeriesShown.model_fields.keys() - {"awaits"}
    return {**{name: getattr(row, name) for name in names}, "awaits": sorted({_spelt(wake) for wake in row.wakes})}


def _spelt(wake: Any) -> str:
    if wake["kind"] == "*":
        return "anything"
    return f"{wake['kind']}:{wake['name']}" if wake["name"] else str(wake["kind"])
