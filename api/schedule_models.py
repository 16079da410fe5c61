"""Wire models of schedules: when they are due, how they behave, how they and their runs are shown."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from api.flow_words import CalendarName, Day, FlowName, Length
from api.models import Body, JsonObject, Moment, Shown
from api.paging import Page
from api.recipient_models import Zone
from api.schedule_action_models import Action
from db.schedule_runs import Run
from db.schedules import NewSchedule, StoredSchedule
from domain import cron, durations
from domain.calendar import is_in_reach, zone_of
from domain.durations import Span
from domain.schedules import ScheduleStatus, Spec, instants

SHOWN_AHEAD = 5
ScheduleId = Annotated[UUID, Path(description="The schedule.")]
Status = Literal["active", "paused", "ended"]
RunStatus = Literal["waiting", "running", "done", "failed", "missed"]
_SHORTEST_CATCH_UP, _LONGEST_CATCH_UP = timedelta(seconds=10), timedelta(days=30)
_LONGEST_JITTER = timedelta(days=1)


def _cron(text: str) -> str:
    cron.parse(text)
    return text


def _jitter(text: str) -> str:
    span = durations.parse(text)
    if not span.is_exact or span.exact > _LONGEST_JITTER:
        raise ValueError("write a jitter of up to 24 hours in hours, minutes and seconds, like '10m'")
    return text


def _catch_up(text: str) -> str:
    span = durations.parse(text)
    if span.months or not _SHORTEST_CATCH_UP <= _exact(span) <= _LONGEST_CATCH_UP:
        raise ValueError("write ten seconds to thirty days, like '1h'")
    return text


def _whole(moment: datetime) -> datetime:
    if moment.microsecond or not is_in_reach(moment):
        raise ValueError("write whole seconds, and a year to 2199")
    return moment


Cron = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_cron)]
Crons = Annotated[
    Annotated[Cron, Tag("one text")] | Annotated[list[Cron], Field(min_length=1, max_length=20), Tag("several texts")],
    Discriminator(lambda value: "several texts" if isinstance(value, list) else "one text"),
]
Instant = Annotated[Moment, AfterValidator(_whole)]


class Without(Body):
    """Days of the zone on which nothing runs."""

    dates: list[date] = Field(default_factory=list, max_length=400, examples=[["2027-01-26"]])
    weekdays: list[Day] = Field(default_factory=list, max_length=6)
    calendars: Annotated[list[CalendarName], Field(max_length=20)] | None = Field(
        default=None, description="Calendars whose days are left out, as they are at the time.", examples=[["india"]]
    )


class SpecBody(Body):
    """When it is due: by cron expressions in a zone, or once at an instant."""

    model_config = ConfigDict(populate_by_name=True)

    cron: Crons | None = Field(
        default=None,
        description="Minute, hour, day of the month, month, weekday; one or several.",
        examples=["0 9 * * *"],
    )
    at: Instant | None = Field(default=None, description="Once; instead of `cron`.")
    zone: Zone = Field(default="UTC", description="Whose clock `cron` and dates mean.", examples=["Asia/Kolkata"])
    start_at: Instant | None = Field(default=None, description="No run before this.")
    end_at: Instant | None = Field(default=None, description="No run after this.")
    jitter: Annotated[Length, AfterValidator(_jitter)] | None = Field(
        default=None, description="Each run begins up to so much later than it is due, differently each time."
    )
    without: Without | None = Field(default=None, alias="except", description="Days without runs.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.cron is None) == (self.at is None):
            raise ValueError("give exactly one of cron, at")
        if self.at is not None and (self.start_at or self.end_at or self.without):
            raise ValueError("what comes once has no start_at, end_at or except")
        if self.start_at and self.end_at and self.end_at < self.start_at:
            raise ValueError("end_at lies before start_at")
        return self

    def document(self) -> dict[str, Any]:
        """Returns what is stored."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ScheduleBody(Body):
    """A schedule: when, what, and how it behaves."""

    name: FlowName = Field(description="What it is called; unique.")
    note: Annotated[str, StringConstraints(max_length=500)] = Field(default="", description="For people.")
    spec: SpecBody
    action: Action
    overlap: Literal["skip", "buffer_one", "allow"] = Field(
        default="skip",
        description="What becomes of a run that is due while one is under way: it is left out, one waits, or both run.",
    )
    catch_up: Annotated[Length, AfterValidator(_catch_up)] = Field(
        default="1h", description="How late a run is still made that nobody was there to make."
    )

    def new(self) -> NewSchedule:
        """Returns what is stored."""
        action = self.action.model_dump(mode="json", exclude_none=True)
        return NewSchedule(
            name=self.name,
            note=self.note,
            spec=self.spec.document(),
            action=action,
            flow=action["start"]["flow"] if "start" in action else None,
            overlap=self.overlap,
            catch_up=int(_exact(durations.parse(self.catch_up)).total_seconds()),
        )


class SchedulePreviewBody(Body):
    """A spec, and the action whose selection is to be looked at."""

    spec: SpecBody
    action: Action | None = None


class Due(Shown):
    """An instant at which it is due."""

    at: datetime
    local: str = Field(description="The same as clocks of its zone show it.")


class ScheduleShown(Shown):
    """A schedule: `active`, `paused`, or `ended` once nothing more is to come."""

    id: UUID
    name: str
    note: str
    spec: JsonObject
    action: JsonObject
    overlap: Literal["skip", "buffer_one", "allow"]
    catch_up: str
    status: Status
    runs: int = Field(description="Runs that were begun.")
    last_run_at: datetime | None = Field(description="The instant of the last run that was begun.")
    next_at: datetime | None = Field(description="When it runs next; a jitter comes on top.")
    created_at: datetime
    updated_at: datetime


class SchedulePage(Page[ScheduleShown]):
    """A page of schedules."""


class ScheduleDetail(ScheduleShown):
    """A schedule with the instants to come."""

    next: list[Due]


class Refusal(Shown):
    """What could not be started, and why."""

    item: str = Field(description="The series' id or the recipient's own; for a single start the schedule's name.")
    detail: str


class RunShown(Shown):
    """A run: `waiting`, `running`, `done`, `failed` with its error, or `missed`: never made, and why."""

    id: UUID
    scheduled_at: datetime
    cause: Literal["clock", "trigger"]
    status: RunStatus
    seen: int = Field(description="What its query selected.")
    started: int
    reused: int = Field(description="What had a series with that key already.")
    refused: int
    is_cut: bool = Field(description="Whether there was more than `most`.")
    refusals: list[Refusal] = Field(description="The first of those that were refused.")
    error: str | None
    started_at: datetime | None
    ended_at: datetime | None


class RunPage(Page[RunShown]):
    """A page of runs."""


class Selected(Shown):
    """One of those that a query selects now."""

    item: str
    key: str | None = Field(description="The key that its series would have.")
    to: str | None
    detail: str | None = Field(description="Why none would be started.")


class Selection(Shown):
    """What a query would select now."""

    count: int
    is_complete: bool = Field(description="Whether all were looked at.")
    first: list[Selected]


class SchedulePreview(Shown):
    """What a schedule would do."""

    next: list[Due]
    selected: Selection | None = Field(description="For an action with a query.")


def shown(row: StoredSchedule, now: datetime) -> ScheduleShown:
    """Returns a schedule for a list."""
    return ScheduleShown.model_validate(_members(row, now))


def shown_in_full(row: StoredSchedule, now: datetime) -> ScheduleDetail:
    """Returns a schedule with its next instants."""
    due = ahead(row.when(), now, SHOWN_AHEAD) if row.status == ScheduleStatus.ACTIVE else []
    return ScheduleDetail.model_validate({**_members(row, now), "next": due})


def ahead(spec: Spec, now: datetime, count: int) -> Sequence[Due]:
    """Returns the next instants of a spec."""
    zone = zone_of(spec.zone)
    found = islice(instants(spec, now), count)
    return [Due(at=one.astimezone(UTC), local=one.astimezone(zone).isoformat()) for one in found]


def run_shown(run: Run) -> RunShown:
    """Returns a run as callers see it."""
    return RunShown.model_validate(run)


def _members(row: StoredSchedule, now: datetime) -> Mapping[str, Any]:
    names = ScheduleShown.model_fields.keys() - {"catch_up", "next_at"}
    following = next(instants(row.when(), now), None) if row.status == ScheduleStatus.ACTIVE else None
    length = str(Span(exact=timedelta(seconds=row.catch_up)))
    return {**{name: getattr(row, name) for name in names}, "catch_up": length, "next_at": following}


def _exact(span: Span) -> timedelta:
    return timedelta(days=span.days) + span.exact
