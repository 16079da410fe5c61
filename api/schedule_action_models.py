"""Wire models of what schedules do: start a series, start one for each of what a query selects, take an event."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from api.event_models import Printable
from api.flow_words import Anchor, FlowName, Length, StepId
from api.models import Body, Flag, Json, JsonObject, Moment, Slug, Whole
from api.notification_models import Resource, To
from api.recipient_models import Zone
from domain.conditions import LONGEST, check
from domain.schedule_actions import MOST, OF_EACH, OF_ONE

EventType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$", max_length=200)]
DataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]


def _of_one(text: str) -> str:
    check(text, OF_ONE)
    return text


def _of_each(text: str) -> str:
    check(text, OF_EACH)
    return text


_TEXT = StringConstraints(min_length=1, max_length=LONGEST)
OneExpression = Annotated[str, _TEXT, AfterValidator(_of_one)]
EachExpression = Annotated[str, _TEXT, AfterValidator(_of_each)]


class OneStart(Body):
    """The series that each run starts."""

    flow: FlowName
    to: To
    key: OneExpression | None = Field(
        default=None,
        description="An expression over `schedule` (`name`, `scheduled_at`, `date`); without it each run has its own.",
        examples=["'report/' + schedule.date"],
    )
    data: JsonObject = Field(default_factory=dict)
    anchors: dict[Anchor, Moment] = Field(default_factory=dict, max_length=50)
    zone: Zone | None = None
    resource: Resource | None = None


class ToExpression(Body):
    """Whom each series is for, as an expression; exactly one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    recipient: EachExpression | None = None
    phone: EachExpression | None = None
    email: EachExpression | None = None
    whatsapp_user: EachExpression | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in self.__dict__.values()) != 1:
            raise ValueError("give exactly one of recipient, phone, email, whatsapp_user")
        return self


class EachStart(Body):
    """The series that is started for each selected one; members are expressions over `item` and `schedule`."""

    flow: FlowName
    to: ToExpression | None = Field(default=None, description="Without it, whom the selected one is for.")
    key: EachExpression = Field(
        description="Decides when one is started again: with the date, once a day.",
        examples=["item.key + '/' + schedule.date"],
    )
    data: dict[DataName, EachExpression] = Field(default_factory=dict, max_length=100)
    anchors: dict[Anchor, EachExpression] = Field(default_factory=dict, max_length=50)


class AnchorBody(Body):
    """Which dates of a series are meant; with a name alone, those that have it."""

    name: Anchor
    passed: Flag | None = Field(default=None, description="Whether it is over, or still to come.")
    within: Length | None = Field(default=None, description="Still to come, and within this time.")
    older_than: Length | None = Field(default=None, description="Over for at least this time.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.passed, self.within, self.older_than)) > 1:
            raise ValueError("give at most one of passed, within, older_than")
        return self


class QueryBody(Body):
    """Which series or recipients are meant."""

    over: Literal["series", "recipients"] = "series"
    flow: FlowName | None = None
    status: Literal["running", "paused", "parked", "completed", "stopped"] | None = None
    step: StepId | None = None
    resource_type: Slug | None = None
    anchor: AnchorBody | None = None
    where: EachExpression | None = Field(
        default=None, description="A condition over `item`, and `recipient`.", examples=["item.data.amount > 100"]
    )
    most: Annotated[Whole, Field(ge=1, le=100_000)] = Field(default=MOST, description="What one run takes up at most.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [name for name in ("flow", "status", "step", "resource_type", "anchor") if getattr(self, name)]
        if self.over == "recipients" and given:
            raise ValueError(f"recipients have no {given[0]}; write it as `where`, or leave it out")
        return self


class ScheduledEvent(Body):
    """An event that is taken as if it had been sent in, with `schedule/<name>` as its source."""

    type: EventType
    data: Json = None
    subject: Annotated[str, Printable] | None = None


class StartAction(Body):
    """Starts a series for each run."""

    start: OneStart


class QueryAction(Body):
    """Starts a series for each of what a query selects."""

    query: QueryBody
    start: EachStart


class EventAction(Body):
    """Takes an event."""

    event: ScheduledEvent


def _kind(value: Any) -> str:
    names = value if isinstance(value, dict) else vars(value)
    return "an event" if "event" in names else "each start" if "query" in names else "one start"


Action = Annotated[
    Annotated[StartAction, Tag("one start")]
    | Annotated[QueryAction, Tag("each start")]
    | Annotated[EventAction, Tag("an event")],
    Discriminator(_kind),
]


def flows_of(action: StartAction | QueryAction | EventAction) -> Iterator[tuple[str, str]]:
    """Yields the flows that an action names, each with its place."""
    match action:
        case StartAction() | QueryAction():
            yield "/action/start/flow", action.start.flow
        case EventAction():
            return
    if isinstance(action, QueryAction) and action.query.flow is not None:
        yield "/action/query/flow", action.query.flow
