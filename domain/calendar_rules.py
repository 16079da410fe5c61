"""Calendar rules of RFC 5545, section 3.3.10, as far as reminders need them: daily or coarser, on somebody's clock."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from domain.calendar import at_local

_DAY = "(MO|TU|WE|TH|FR|SA|SU)"
_OF_A_YEAR = "[+-]?(0{0,2}[1-9]|0?[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-6])"


def _listed(value: str) -> str:
    return f"{value}(,{value})*"


SHAPES = {
    "FREQ": "(DAILY|WEEKLY|MONTHLY|YEARLY)",
    "INTERVAL": "[1-9][0-9]{0,2}",
    "COUNT": "[1-9][0-9]{0,4}",
    "UNTIL": "[0-9]{8}",
    "BYDAY": _listed(f"([+-]?[1-9][0-9]?)?{_DAY}"),
    "BYMONTHDAY": _listed("[+-]?(0?[1-9]|[12][0-9]|3[01])"),
    "BYMONTH": _listed("(0?[1-9]|1[0-2])"),
    "BYYEARDAY": _listed(_OF_A_YEAR),
    "BYWEEKNO": _listed("[+-]?(0?[1-9]|[1-4][0-9]|5[0-3])"),
    "BYSETPOS": _listed(_OF_A_YEAR),
    "WKST": _DAY,
}
"""How the parts of a rule are written, as regular expressions that every reader of them reads alike."""
_HINTS = {
    "FREQ": "a rule has FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, like 'FREQ=WEEKLY;BYDAY=MO,TH'",
    "UNTIL": "UNTIL is a date like 20261231",
    "COUNT": "COUNT is a number from 1 to 99999",
    "INTERVAL": "INTERVAL is a number from 1 to 999",
}
_PARTS = frozenset(SHAPES)
_FIRST_YEAR = 1971
_REACH = timedelta(days=30 * 366)
"""How far a rule is followed: one that never comes must not be looked for until the end of time."""
_ANY_DAY = datetime(2368, 1, 1)  # noqa: DTZ001 - rules are about calendars, which have no zone
# The calendar repeats after 400 years to the weekday. The library compares with the end only what it has found, and
# looks for what never comes until the year 9999: a rule is followed in the last of these cycles, where that is near.
_CYCLES = timedelta(days=146_097 * 19)


def checked(text: str) -> str:
    """Returns a rule that can be followed.

    Raises:
        ValueError: It is none, or finer than days, or it never comes.
    """
    if any(character.isspace() for character in text):
        raise ValueError("a rule has no spaces and is one line")
    parts = parts_of(text)
    if len(parts) < len(text.split(";")):
        raise ValueError("a part stands twice; write each once")
    if strange := sorted(set(parts) - _PARTS):
        raise ValueError(f"{strange[0][:40]!r} is no part of a rule here; there are {', '.join(sorted(_PARTS))}")
    misspelt = next((name for name in ("FREQ", *parts) if not re.fullmatch(SHAPES[name], parts.get(name, ""))), None)
    if misspelt is not None:
        raise ValueError(_HINTS.get(misspelt, f"this is no calendar rule: {misspelt} is not written as RFC 5545 says"))
    try:
        _check_the_end(parts)
        found = next(_followed({**parts, "UNTIL": None}, _ANY_DAY), None)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"this is no calendar rule: {error}") from error
    if found is None:
        raise ValueError("this rule never comes")
    return text


def _check_the_end(parts: Mapping[str, str]) -> None:
    if "UNTIL" in parts and date.fromisoformat(parts["UNTIL"]).year < _FIRST_YEAR:
        raise ValueError(f"UNTIL is before {_FIRST_YEAR}")


def parts_of(text: str) -> dict[str, str]:
    """Returns the parts of a rule by their names."""
    return {name: value for name, _, value in (part.partition("=") for part in text.split(";"))}


def occurrences(text: str, since: datetime, at: time | None, zone: ZoneInfo) -> Iterator[datetime]:
    """Yields the instants of a rule from `since` on: at a time of day, or at the one that `since` has there."""
    parts: Mapping[str, str] = parts_of(text)
    since = since.replace(microsecond=0)  # rules know whole seconds: what is now is not over yet
    local = since.astimezone(zone).replace(tzinfo=None)
    begin = datetime.combine(local.date(), at or local.time())
    instants = (at_local(moment.date(), moment.time(), zone) for moment in _followed(parts, begin))
    count = parts.get("COUNT")
    yield from islice((instant for instant in instants if instant >= since), int(count) if count else None)


def _followed(parts: Mapping[str, str | None], begin: datetime) -> Iterator[datetime]:
    last = parts.get("UNTIL")
    endless = (f"{name}={value}" for name, value in parts.items() if name not in {"COUNT", "UNTIL"})
    followed = rrulestr(";".join(endless), dtstart=begin + _CYCLES)
    assert isinstance(followed, rrule)  # noqa: S101 - one line gives one rule
    end = begin + _REACH
    if last is not None:  # until the end of that day, on the clock of whom the rule is for
        end = min(end, datetime.combine(date.fromisoformat(last), time.max))
    try:
        yield from (moment - _CYCLES for moment in followed.replace(until=end + _CYCLES))
    except IndexError as error:  # of a weekday that a month does not have so often
        raise ValueError("BYDAY counts more of a weekday than there are") from error
