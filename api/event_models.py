"""CloudEvents 1.0 on the wire: one as JSON, many as JSON, or one in headers and body."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from api.event_type_models import EventFault, Mode
from api.json_body import parse
from api.models import Json, Moment, Shown
from api.paging import Page
from api.problems import Problem, validation_problem
from db.events import NewEvent

MOST_EVENTS = 1_000
BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
Printable = StringConstraints(min_length=1, max_length=1024, pattern=r"^\S(.*\S)?$")


class CloudEvent(BaseModel):
    """An event by https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md; extensions are not kept."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Printable, Field(max_length=255)]
    source: Annotated[str, Printable]
    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$", max_length=200)]
    subject: Annotated[str, Printable] | None = None
    time: Moment | None = None
    datacontenttype: Annotated[str, StringConstraints(max_length=200)] | None = None
    dataschema: Annotated[str, StringConstraints(max_length=1024)] | None = None
    data: Json = None
    data_base64: str | None = None

    @model_validator(mode="after")
    def _one_data(self) -> Self:
        if self.data is not None and self.data_base64 is not None:
            raise ValueError("give one of data, data_base64")
        for name in self.model_extra or {}:
            if not _EXTENSION.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is no name of an extension; these have small letters and digits")
        return self

    def new(self, now: datetime) -> NewEvent:
        """Returns what is kept of it; without a time it happened now."""
        return NewEvent(
            source=self.source,
            event_id=self.id,
            type=self.type,
            subject=self.subject,
            data=self._data(),
            occurred_at=self.time or now,
        )

    def _data(self) -> Any:
        if self.data_base64 is None:
            return self.data if self.data is not None else {}
        try:
            raw = base64.b64decode(self.data_base64, validate=True)
        except binascii.Error as error:
            raise ValueError("data_base64 is no base64") from error
        return parse(raw)


class EventEffect(Shown):
    """What an event did with one flow.

    `started`, `reused`, `ignored`, `stopped_before_start`: as for a start of that key; `fed`: the running series heard
    it; `waits`: none runs yet, the next one of this key hears it; `not_meant`: the flow's condition or key says so;
    `refused`: it should have started one and could not, `detail` says why; `not_heard`: the series had heard it or
    hears no more: it is over, or, as `detail` says then, it heard 10,000 things or 4 MiB.
    """

    flow: str
    result: Literal[
        "started", "reused", "ignored", "stopped_before_start", "fed", "waits", "not_meant", "refused", "not_heard"
    ]
    series_id: UUID | None = None
    detail: str | None = None


class EventTaken(Shown):
    """What became of one event; `repeated` means that its source sent this id before, and nothing was done again."""

    index: int
    result: Literal["accepted", "repeated", "refused"]
    source: str | None = None
    id: str | None = None
    effects: list[EventEffect] = Field(default_factory=list)
    faults: list[EventFault] = Field(
        default_factory=list, description="What does not fit the schema of its type, which only warns."
    )
    problem: Json = Field(default=None, description="Why it was refused, as a problem document.")


class EventsTaken(Shown):
    """What became of each event, in their order."""

    accepted: int
    repeated: int
    refused: int
    results: list[EventTaken]


class EventMeeting(Shown):
    """What one flow would make of an event."""

    flow: str
    pattern: str | None = Field(description="The pattern of `on` that fits best.")
    starts: bool
    hears: bool = Field(description="Its running series with this key would hear it.")
    key: str | None
    detail: str | None = Field(description="Why it would not start one although a pattern fits.")


class TypeTested(Shown):
    """What the schema of its type says of an event; without a schema everything fits."""

    type: str
    version: int | None = Field(description="The version of the schema, if there is one.")
    mode: Mode | None
    fits: bool
    faults: list[EventFault]


class EventTested(Shown):
    """Whether an event fits the schema of its type, and which flows have to do with it, by name."""

    type: TypeTested
    flows: list[EventMeeting]


class EventShown(Shown):
    """An event that was sent in; of no flow if it neither started nor fed a series."""

    id: UUID
    source: str
    event_id: str
    type: str
    subject: str | None
    data: Json
    occurred_at: datetime
    started: int
    fed: int
    faults: list[EventFault] | None = Field(description="What does not fit the schema of its type, where that warns.")
    created_at: datetime


class EventPage(Page[EventShown]):
    """A page of events."""


def read_one(value: Any) -> CloudEvent | Problem:
    """Returns an event, or the problem with it."""
    try:
        event = CloudEvent.model_validate(value)
        event.new(datetime.now(UTC))
    except Problem as problem:
        return problem
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        return validation_problem([{**one, "loc": ("body", *one["loc"])} for one in found], value)
    except ValueError as error:
        return validation_problem([{"loc": ("body", "data_base64"), "msg": str(error), "type": "value_error"}], value)
    return event


def in_headers(headers: Mapping[str, str], body: bytes) -> Any:
    """Returns an event in binary mode as it would stand in JSON."""
    given = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    members = {name: value.replace("\0", "\ufffd") for name, value in given.items()}  # what cannot be stored
    return {**members, "datacontenttype": headers.get("content-type"), "data": parse(body) if body else None}
