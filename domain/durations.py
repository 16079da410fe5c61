"""Lengths of time as people write them: `90m`, `1h30m`, `3d`, `P1M2DT4H`; calendar parts keep the time of day.

A day of a calendar is not always 24 hours long. So months and days stay what they are until they are added to an
instant in somebody's zone (`domain.calendar.shift`), while hours, minutes and seconds are exact.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

_SHORT = re.compile(r"(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,9})s)?", re.ASCII)
_ISO = re.compile(
    r"P(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)
LONGEST_DAYS = 366 * 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time; all parts have one sign.

    Attributes:
        months: Months of the calendar; a day that a month lacks becomes its last one.
        days: Days of the calendar, at the same time of day.
        exact: What is added last, exactly.
    """

    months: int = 0
    days: int = 0
    exact: timedelta = timedelta(0)

    def __neg__(self) -> "Span":
        return Span(months=-self.months, days=-self.days, exact=-self.exact)

    @property
    def is_exact(self) -> bool:
        """Tells whether it is equally long in every zone."""
        return not self.months and not self.days

    @property
    def is_zero(self) -> bool:
        """Tells whether it is no time at all."""
        return self == Span()

    def __str__(self) -> str:
        """Returns it as ISO 8601."""
        parts = [self.months, self.days, self.exact // timedelta(seconds=1)]
        sign = "-" if min(parts) < 0 else ""
        months, days, seconds = (abs(part) for part in parts)
        date = (f"{months}M" if months else "") + (f"{days}D" if days else "")
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
        return f"{sign}P{date}{f'T{time}' if time or not date else ''}" + ("0S" if not date and not time else "")


def parse(text: str, *, signed: bool = False) -> Span:
    """Returns the length of time that `text` names.

    Args:
        text: Such as `45s`, `1h30m`, `2w`, `P1M`, `PT36H`; with `signed` also `-3d` and `+2h`.
        signed: Whether it may lie before what it counts from.

    Raises:
        ValueError: It names none; the message says how to write one.
    """
    written = text.strip()
    sign, body = (written[0], written[1:]) if signed and written[:1] in {"+", "-"} else ("+", written)
    span = _short(body) or _iso(body)
    if span is None:
        example = "-3d" if signed else "3d"
        raise ValueError(f"{text[:40]!r} is no length of time; write it like '45m', '1h30m', {example!r} or 'P1M'")
    if abs(span.months * 61 // 2 + span.days + span.exact.days) > LONGEST_DAYS:
        raise ValueError(f"{text[:40]!r} is longer than ten years")
    return -span if sign == "-" else span


def _short(body: str) -> Span | None:
    found = _SHORT.fullmatch(body)
    if found is None or not body:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return Span(days=7 * weeks + days, exact=timedelta(hours=hours, minutes=minutes, seconds=seconds))


def _iso(body: str) -> Span | None:
    found = _ISO.fullmatch(body)
    if found is None or not any(found.groups()):
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return Span(months=12 * years + months, days=7 * weeks + days, exact=exact)
