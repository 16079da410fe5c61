"""Days off: those that a calendar of a tenant names, once or every year."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """The days of one calendar.

    Attributes:
        dates: Days of one year.
        yearly: Days of every year, as month and day; the 29th of February is one in leap years only.
    """

    dates: frozenset[date] = field(default_factory=frozenset)
    yearly: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def __contains__(self, day: date) -> bool:
        """Tells whether a day is one of them."""
        return day in self.dates or (day.month, day.day) in self.yearly


NO_HOLIDAYS = Holidays()
"""Days off that nobody has."""


class MissingCalendarError(LookupError):
    """There is no calendar of a name that a flow asks."""


def holidays_of(name: str | None, calendars: Mapping[str, Holidays]) -> Holidays:
    """Returns the days of a calendar, or none where no calendar is asked.

    Raises:
        MissingCalendarError: There is none of this name.
    """
    if name is None:
        return NO_HOLIDAYS
    if (found := calendars.get(name)) is None:
        raise MissingCalendarError(f"there is no calendar {name!r}; put one, or correct the name")
    return found
