"""Days off: those that a calendar of a tenant names, once or every year."""

from collections.abc import Iterable, Mapping
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

_LEAP_YEAR = 2000
_YEARLY_LENGTH = len("08-15")


def read(days: Iterable[str]) -> Holidays:
    """Returns the days that texts name: `2026-11-08` once, `08-15` every year.

    Raises:
        ValueError: One of them is no day.
    """
    dates: set[date] = set()
    yearly: set[tuple[int, int]] = set()
    for one in days:
        try:
            is_yearly = len(one) == _YEARLY_LENGTH
            found = date.fromisoformat(f"{_LEAP_YEAR}-{one}" if is_yearly else one)
        except ValueError as error:
            raise ValueError(f"{one!r} is no day; write one like 2026-11-08, or 08-15 for every year") from error
        if is_yearly:
            yearly.add((found.month, found.day))
        else:
            dates.add(found)
    return Holidays(dates=frozenset(dates), yearly=frozenset(yearly))


class MissingCalendarError(LookupError):
    """There is no calendar of a name that a flow asks."""


def missing(name: str) -> str:
    """Returns the words in which a calendar is missed: by them those are found again that wait for it."""
    return f"there is no calendar {name!r}; put one, or correct the name"


def holidays_of(name: str | None, calendars: Mapping[str, Holidays]) -> Holidays:
    """Returns the days of a calendar, or none where no calendar is asked.

    Raises:
        MissingCalendarError: There is none of this name.
    """
    if name is None:
        return NO_HOLIDAYS
    if (found := calendars.get(name)) is None:
        raise MissingCalendarError(missing(name))
    return found
