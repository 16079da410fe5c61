"""Wire models of flows: what a definition file says, step by step; its JSON Schema is for editors."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from api import flow_shapes
from api.flow_moment_models import NextMoment, UntilMoment, kind_of_moment
from api.flow_quiet import QuietHoursRule
from api.flow_words import (
    Anchor,
    Clock,
    Condition,
    EndingHearings,
    EventPatterns,
    FlowOwnName,
    Hearings,
    Length,
    Rule,
    StartingEvents,
    StepId,
    Within,
)
from api.models import Body, Flag, Whole
from api.notification_models import Channels, FallbackRule, TemplateName
from api.template_models import NamedTopic
from domain import durations
from domain.flow_steps import SHORTEST_ROUND
from domain.recipients import Channel

MOST_STEPS = 100
"""Steps of one list; a flow has at most five times as many in all."""


def _true(value: Any) -> Any:
    if value is not True:
        raise ValueError("write `true`, or why it stops")
    return value


class _Step(Body):
    """What all steps share."""

    id: StepId | None = Field(default=None, description="Its name in the flow; made from its kind and place otherwise.")


class FallbackAfter(FallbackRule):
    """When a channel of a step counts as having worked, and when the next one takes over."""

    within: Within | None = Field(default=None, description="How long to wait for `success` before the next channel.")


class SendStep(_Step):
    """Sends one message."""

    send: TemplateName = Field(description="The template.")
    channels: Annotated[Channels, Field(json_schema_extra={"uniqueItems": True})] | None = None
    fallback: dict[Channel, FallbackAfter] = Field(default_factory=dict)
    data: dict[Anchor, Condition] = Field(default_factory=dict, description="Variables, each an expression.")
    to: Condition | None = Field(default=None, description="Another recipient's id, as an expression.")
    expires: Length | None = Field(default=None, description="Not handed to a provider later than so long after.")
    critical: Flag = False
    taps: Literal["any", "once"] = Field(default="any", description="Whether its buttons are good for one tap only.")


class WaitStep(_Step):
    """Waits for a length of time, a date, or a time of day."""

    wait: Annotated[
        Annotated[Length, Tag("a length")]
        | Annotated[UntilMoment, Tag("a date")]
        | Annotated[NextMoment, Tag("a time of day")],
        Discriminator(kind_of_moment),
    ]
    past: Literal["now", "skip"] = Field(default="now", description="If it is over: go on, or skip to the next wait.")


class WaitForStep(_Step):
    """Waits until something is heard."""

    model_config = ConfigDict(json_schema_extra=flow_shapes.TIMES_OUT)

    wait_for: Hearings
    timeout: Length | None = None
    since: Literal["series_start", "previous_send", "now"] = Field(
        default="previous_send", alias="from", description="What was heard earlier, from then on, counts too."
    )
    then: "list[AnyStep]" = Field(default_factory=list)
    on_timeout: "list[AnyStep]" = Field(default_factory=list)


class ConfirmStep(_Step):
    """Asks for consent, unless it stands already, and waits for the answer."""

    confirm: TemplateName = Field(description="The template that asks; it writes `{{ confirm_url }}`.")
    topic: NamedTopic
    channel: Channel | None = Field(default=None, description="For which channel; all, where none is named.")
    channels: Annotated[Channels, Field(json_schema_extra={"uniqueItems": True})] | None = Field(
        default=None, description="Over which the question goes."
    )
    data: dict[Anchor, Condition] = Field(default_factory=dict, description="Variables, each an expression.")
    timeout: Length = Field(default="7d", description="How long the link can be used, and the series waits.")
    then: "list[AnyStep]" = Field(default_factory=list)
    on_denied: "list[AnyStep]" = Field(default_factory=list)
    on_timeout: "list[AnyStep]" = Field(default_factory=list)


class BranchCase(Body):
    """Steps with their condition."""

    when: Condition
    steps: "list[AnyStep]"


class BranchStep(_Step):
    """Takes the first case whose condition holds."""

    branch: list[BranchCase] = Field(min_length=1, max_length=50)
    otherwise: "list[AnyStep]" = Field(default_factory=list)


class RepeatStep(_Step):
    """Takes its steps again and again."""

    model_config = ConfigDict(json_schema_extra=flow_shapes.ROUNDS)

    repeat: "list[AnyStep]" = Field(min_length=1)
    every: Length | None = None
    rule: Rule | None = Field(default=None, description="Days, as a rule of RFC 5545: FREQ=WEEKLY;BYDAY=MO,TH")
    at: Clock | None = None
    until: Condition | None = None
    most: Annotated[Whole, Field(ge=1, le=10_000)]

    @model_validator(mode="after")
    def _not_too_often(self) -> Self:
        if self.every is not None and self.rule is not None:
            raise ValueError("write `every` or `rule`, not both")
        span = durations.parse(self.every) if self.every is not None else None
        if span is not None and span.is_exact and span.exact < SHORTEST_ROUND:
            raise ValueError("`every` is at least one minute")
        if self.at is not None and self.rule is None and (span is None or span.is_exact or span.exact):
            raise ValueError("`at` needs a `rule`, or an `every` of whole days, weeks or months")
        if span is None and self.rule is None and not isinstance(self.repeat[0], WaitForStep):
            raise ValueError("without `every` or `rule`, rounds begin with a `wait_for`")
        return self


class DigestStep(_Step):
    """Collects events into one message."""

    digest: EventPatterns
    window: Length
    most: Annotated[Whole, Field(ge=1, le=10_000)] = 1000


class ThrottleStep(_Step):
    """Ends the series where its recipient got enough of the flow's messages already."""

    throttle: Annotated[Whole, Field(ge=1, le=10_000)]
    per: Length


class CallStep(_Step):
    """Asks a web service."""

    call: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)]
    data: dict[Anchor, Condition] = Field(default_factory=dict)


class UpdateStep(_Step):
    """Changes the recipient."""

    model_config = ConfigDict(json_schema_extra=flow_shapes.CHANGES)

    update: dict[Anchor, Condition] = Field(max_length=50, description="Attributes, each an expression.")
    profile: dict[Literal["name", "locale", "zone"], Condition] = Field(
        default_factory=dict, description="Members of the profile, each an expression."
    )

    consents: dict[NamedTopic, Literal["granted", "denied"]] = Field(
        default_factory=dict, description="What they chose about topics, over every channel."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.update and not self.profile and not self.consents:
            raise ValueError("say what is to be changed")
        return self


class StopStep(_Step):
    """Ends the series."""

    stop: Annotated[str, StringConstraints(max_length=200)] | Annotated[Literal[True], BeforeValidator(_true)]


_STEPS: tuple[type[Body], ...] = (
    SendStep, WaitStep, WaitForStep, ConfirmStep, BranchStep, RepeatStep,
    DigestStep, ThrottleStep, CallStep, UpdateStep, StopStep,
)  # fmt: skip
VERBS = ("send", "wait", "wait_for", "confirm", "branch", "repeat", "digest", "throttle", "call", "update", "stop")


def verb_of(value: Any) -> str | None:
    """Returns what a step does: the one of its members that names it."""
    if isinstance(value, dict):
        return next((verb for verb in VERBS if verb in value), None)
    return next((verb for verb, model in zip(VERBS, _STEPS, strict=True) if isinstance(value, model)), None)


def _tag(value: Any) -> str | None:
    """Returns the tag of a step's model, which no member is called."""
    verb = verb_of(value)
    return verb and f"step {verb}"


AnyStep = Annotated[
    Annotated[SendStep, Tag("step send")]
    | Annotated[WaitStep, Tag("step wait")]
    | Annotated[WaitForStep, Tag("step wait_for")]
    | Annotated[ConfirmStep, Tag("step confirm")]
    | Annotated[BranchStep, Tag("step branch")]
    | Annotated[RepeatStep, Tag("step repeat")]
    | Annotated[DigestStep, Tag("step digest")]
    | Annotated[ThrottleStep, Tag("step throttle")]
    | Annotated[CallStep, Tag("step call")]
    | Annotated[UpdateStep, Tag("step update")]
    | Annotated[StopStep, Tag("step stop")],
    Discriminator(
        _tag,
        custom_error_type="no_such_step",
        custom_error_message=f"a step has one of {', '.join(VERBS)}",
    ),
]


class Receiver(Body):
    """Whom a series that an event starts is for: one of these, as an expression."""

    model_config = ConfigDict(json_schema_extra=flow_shapes.ONE_OF_THESE)

    recipient: Condition | None = None
    phone: Condition | None = None
    email: Condition | None = None
    whatsapp_user: Condition | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of recipient, phone, email, whatsapp_user")
        return self


class FlowFile(Body):
    """A flow as its file says it."""

    model_config = ConfigDict(json_schema_extra=flow_shapes.STARTED_BY_EVENTS)

    name: FlowOwnName
    title: str = Field(default="", max_length=200)
    on: StartingEvents = Field(
        default_factory=list, description="Events that start a series: exact, or with `*` at the end."
    )
    match: Condition | None = None
    key: Condition | None = Field(default=None, description="An expression; a second start with its value is the same.")
    to: Receiver | None = Field(default=None, description="Whom a series that an event starts is for.")
    again: Literal["reuse", "replace", "ignore"] = Field(
        default="reuse", description="What a start with a key in use does: nothing, begin anew, or nothing for ever."
    )
    steps: list[AnyStep] = Field(min_length=1, max_length=MOST_STEPS)
    stop_when: EndingHearings = Field(default_factory=list)
    stop_if: Condition | None = None
    quiet_hours: QuietHoursRule | None = None


for _model in (WaitForStep, ConfirmStep, BranchCase, BranchStep, RepeatStep, FlowFile):
    _model.model_rebuild()
