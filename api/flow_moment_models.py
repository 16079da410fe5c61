"""Wire models of the moments that flow files wait for."""

from typing import Any

from pydantic import Field

from api.flow_words import DAYS, CalendarName, Clock, Day, Offset, When
from api.models import Body


class UntilMoment(Body):
    """An instant, or one of the series' dates with an offset."""

    until: When
    offset: Offset | None = None
    at: Clock | None = Field(default=None, description="Time of day in the recipient's zone.")


class NextMoment(Body):
    """The next local time of day."""

    next: Clock
    weekdays: list[Day] = Field(default=list(DAYS), min_length=1, max_length=7)
    holidays: CalendarName | None = Field(default=None, description="The calendar whose days are left out.")


def kind_of_moment(value: Any) -> str:
    """Returns the tag of a moment's model."""
    if isinstance(value, dict):
        return "a time of day" if "next" in value else "a date"
    if isinstance(value, NextMoment | UntilMoment):
        return "a time of day" if isinstance(value, NextMoment) else "a date"
    return "a length"
