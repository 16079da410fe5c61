"""Wire models of event types: what somebody says of them, and what came of them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints

from api.models import Body, Json, JsonObject, Shown
from api.paging import Page
from db.event_types import EventType as StoredType
from db.event_types import TypeSettings
from db.json import encode
from domain.event_schemas import LARGEST

MOST_EXAMPLES = 10
TypeText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$", max_length=200)]
TypeName = Annotated[TypeText, Path(description="The type, as events say it.", examples=["order.placed"])]
Mode = Literal["enforce", "warn"]


def _small(value: Any) -> Any:
    if len(encode(value).encode()) > LARGEST:
        raise ValueError("this has more than 64 KiB as JSON; say less")
    return value


class EventTypeBody(Body):
    """What the events of a type say."""

    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    data_schema: Annotated[JsonObject, AfterValidator(_small)] | None = Field(
        default=None,
        alias="schema",
        description="What `data` looks like: JSON Schema 2020-12, at most 64 KiB, that refers to its own parts only.",
        examples=[{"type": "object", "required": ["order"], "properties": {"order": {"type": "string"}}}],
    )
    mode: Mode = Field(
        default="enforce", description="What becomes of events that do not fit: refused, or taken with their faults."
    )
    examples: Annotated[list[Json], Field(max_length=MOST_EXAMPLES), AfterValidator(_small)] = Field(
        default_factory=list, description="Data of such events; it fits the schema."
    )

    def settings(self) -> TypeSettings:
        """Returns what it says, as it is stored."""
        return TypeSettings(
            description=self.description, schema=self.data_schema, mode=self.mode, examples=self.examples
        )


class EventFault(Shown):
    """One thing of an event that does not fit the schema of its type."""

    pointer: str = Field(description="The place, from the event's beginning: `/data/amount`.")
    detail: str


class EventRefusal(Shown):
    """An event that was refused, and why."""

    source: str
    id: str
    version: int = Field(description="The version of the schema.")
    faults: list[EventFault]


class EventTypeShown(Shown):
    """A type of events: what was said of it, and how many came."""

    id: UUID
    type: str
    known: bool = Field(description="Whether somebody described it; others are listed because events of them came.")
    version: int = Field(description="Counts what was said of it.")
    mode: Mode
    has_schema: bool
    description: str
    flows: list[str] = Field(description="Published flows that start by it, or whose series hear it.")
    came: int = Field(description="Events that were taken.")
    warned: int = Field(description="Of these, those that did not fit.")
    refused: int
    last_at: datetime | None
    last_refused_at: datetime | None
    created_at: datetime
    updated_at: datetime


class EventTypeDetail(EventTypeShown):
    """A type of events in full."""

    data_schema: Json = Field(alias="schema", description="What `data` looks like, if somebody said so.")
    examples: list[Json]
    last_refusal: EventRefusal | None


class EventTypePage(Page[EventTypeShown]):
    """A page of event types."""


def members(row: StoredType, flows: list[str]) -> dict[str, Any]:
    """Returns what is shown of a type."""
    own = {name: getattr(row, name) for name in StoredType.__dataclass_fields__}
    return {**own, "has_schema": row.schema is not None, "flows": flows}
