"""The words of flow files: lengths of time, moments, names, conditions, and what may be heard."""

import re
from datetime import datetime, time
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from api import flow_shapes
from api.notification_models import Duration
from domain import calendar_rules, durations
from domain.calendar import is_in_reach

_ANCHOR = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NO_MOMENT = "this is no moment; write one like 2026-06-01T09:00+05:30, to 2199, or the name of a date like due_at"
_INSTANT = re.compile(flow_shapes.INSTANT)
_PLAIN_DURATION = re.compile(flow_shapes.PLAIN_DURATION)
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_NAME = "[a-z0-9]+([._-][a-z0-9]+)*"
_EVENT = r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*(\.\*|\*)?"


def _bare(text: str) -> None:
    if text.strip() != text:
        raise ValueError("leave out the spaces around it")


def _length(text: str) -> str:
    _bare(text)
    if durations.parse(text).is_zero:
        raise ValueError("this is no time at all; write at least '1s'")
    return text


def _offset(text: str) -> str:
    _bare(text)
    durations.parse(text, signed=True)
    return text


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _plain_duration(value: Any) -> Any:
    if isinstance(value, str) and not _PLAIN_DURATION.fullmatch(value):
        raise ValueError("write a duration as seconds, or like '10m', '2h' or 'PT10M'")
    return value


def _own_name(text: str) -> str:
    if text == "schema":
        raise ValueError("no flow is called 'schema': there the JSON Schema of flow files is")
    return text


def _when(text: str) -> str:
    if _ANCHOR.fullmatch(text):
        return text
    if not _INSTANT.fullmatch(text):
        raise ValueError(_NO_MOMENT)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(_NO_MOMENT) from error
    if found.tzinfo is None or not is_in_reach(found):
        raise ValueError(_NO_MOMENT)
    return text


Length = Annotated[str, StringConstraints(max_length=60), AfterValidator(_length), WithJsonSchema(flow_shapes.LENGTH)]
Offset = Annotated[str, StringConstraints(max_length=60), AfterValidator(_offset), WithJsonSchema(flow_shapes.OFFSET)]
Rule = Annotated[
    str, StringConstraints(max_length=200), AfterValidator(calendar_rules.checked), WithJsonSchema(flow_shapes.RULE)
]
Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=64)]
FlowName = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$", max_length=128)]
FlowOwnName = Annotated[
    FlowName,
    AfterValidator(_own_name),
    WithJsonSchema({"type": "string", "maxLength": 128, "pattern": rf"^(?!schema$){_NAME}$"}),
]
"""What a flow calls itself; `schema` is where the JSON Schema of these files is."""
Anchor = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
When = Annotated[str, StringConstraints(max_length=64), AfterValidator(_when), WithJsonSchema(flow_shapes.MOMENT)]
"""An instant with its offset, or the name of a date that the series carries."""
EventPattern = Annotated[str, StringConstraints(pattern=rf"^{_EVENT}$|^\*$", max_length=200)]
Hearing = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(reply|delivered|read|tap(:[A-Za-z0-9_.:-]+\*?)?|reaction(:[^\s*]+)?|event:{_EVENT})$",
        max_length=220,
    ),
]
CALENDAR_NAME = r"^[a-z0-9]+([._-][a-z0-9]+)*$"
CalendarName = Annotated[str, StringConstraints(pattern=CALENDAR_NAME, max_length=64)]
_Hearings = Annotated[list[Hearing], Field(min_length=1, max_length=20)]
Hearings = Annotated[_Hearings, BeforeValidator(_listed, json_schema_input_type=Hearing | _Hearings)]
_EndingHearings = Annotated[list[Hearing], Field(max_length=20)]
EndingHearings = Annotated[_EndingHearings, BeforeValidator(_listed, json_schema_input_type=Hearing | _EndingHearings)]
_Patterns = Annotated[list[EventPattern], Field(min_length=1, max_length=20)]
EventPatterns = Annotated[_Patterns, BeforeValidator(_listed, json_schema_input_type=EventPattern | _Patterns)]
_Starting = Annotated[list[EventPattern], Field(max_length=50)]
StartingEvents = Annotated[_Starting, BeforeValidator(_listed, json_schema_input_type=EventPattern | _Starting)]
Within = Annotated[Duration, BeforeValidator(_plain_duration), WithJsonSchema(flow_shapes.WITHIN)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)


def clock(text: str) -> time:
    """Returns a time of day."""
    return time.fromisoformat(text)
