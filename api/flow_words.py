"""The words of flow files: lengths of time, moments, names, conditions, and what may be heard."""

import re
from datetime import datetime, time
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, StringConstraints

from domain import calendar_rules, durations
from domain.calendar import is_in_reach

_ANCHOR = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NO_MOMENT = "this is no moment; write one like 2026-06-01T09:00+05:30, to 2199, or the name of a date like due_at"
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_EVENT = r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*(\.\*|\*)?"


def _length(text: str) -> str:
    if durations.parse(text).is_zero:
        raise ValueError("this is no time at all; write at least '1s'")
    return text


def _offset(text: str) -> str:
    durations.parse(text, signed=True)
    return text


def _when(text: str) -> str:
    if _ANCHOR.fullmatch(text):
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(_NO_MOMENT) from error
    if found.tzinfo is None or not is_in_reach(found):
        raise ValueError(_NO_MOMENT)
    return text


Length = Annotated[str, StringConstraints(max_length=60), AfterValidator(_length)]
Offset = Annotated[str, StringConstraints(max_length=60), AfterValidator(_offset)]
Rule = Annotated[str, StringConstraints(max_length=200), AfterValidator(calendar_rules.checked)]
Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=64)]
FlowName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=128)]
Anchor = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
When = Annotated[str, StringConstraints(max_length=64), AfterValidator(_when)]
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
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)


def clock(text: str) -> time:
    """Returns a time of day."""
    return time.fromisoformat(text)
