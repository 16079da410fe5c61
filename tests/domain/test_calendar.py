"""Local times in every zone, against readings of the clock one by one."""

import os
import subprocess
import sys
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import at_local, is_in_reach, next_local, shift, zone_of
from domain.durations import Span, parse

ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
INSTANTS = st.integers(946_771_200, 2_114_380_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
DAYS = st.dates(date(2000, 1, 2), date(2037, 12, 30))
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
QUARTER = timedelta(minutes=15)


def read_clock(day: date, at: time, zone: str) -> datetime:
    """Returns the first instant at which a clock has reached a local time, by reading it every quarter of an hour."""
    wanted, clock = datetime.combine(day, at), zone_of(zone)
    instant = wanted.replace(tzinfo=UTC) - timedelta(hours=26)
    while instant.astimezone(clock).replace(tzinfo=None) < wanted:
        instant += QUARTER
    return instant


@settings(max_examples=400)
@given(DAYS, TIMES, st.sampled_from(ZONES))
def test_a_local_time_is_the_first_instant_that_reaches_it(day: date, at: time, zone: str) -> None:
    assert at_local(day, at, zone_of(zone)) == read_clock(day, at, zone)


@pytest.mark.parametrize(
    ("day", "at", "zone", "instant"),
    [
        ("2026-03-29", "02:30", "Europe/Berlin", "2026-03-29T01:00:00+00:00"),
        ("2026-10-25", "02:30", "Europe/Berlin", "2026-10-25T00:30:00+00:00"),
        ("2026-03-08", "02:00", "America/New_York", "2026-03-08T07:00:00+00:00"),
        ("2026-10-04", "02:15", "Australia/Lord_Howe", "2026-10-03T15:30:00+00:00"),
        ("2011-12-30", "09:00", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
        ("2026-06-01", "09:00", "Asia/Kolkata", "2026-06-01T03:30:00+00:00"),
    ],
    ids=["a gap", "an overlap", "the edge of a gap", "half an hour", "a day that never was", "no change at all"],
)
def test_gaps_and_overlaps(day: str, at: str, zone: str, instant: str) -> None:
    assert at_local(date.fromisoformat(day), time.fromisoformat(at), zone_of(zone)).isoformat() == instant


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "Europe", "tzdata.zi", "/etc/localtime", "a/b/c/d"]
)
def test_what_is_no_zone_is_said_to_be_none(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_of(name)


@pytest.mark.parametrize(
    ("start", "span", "zone", "end"),
    [
        ("2026-03-28T09:00+01:00", "1d", "Europe/Berlin", "2026-03-29T09:00+02:00"),
        ("2026-03-28T09:00+01:00", "24h", "Europe/Berlin", "2026-03-29T10:00+02:00"),
        ("2026-01-31T12:00+00:00", "P1M", "UTC", "2026-02-28T12:00+00:00"),
        ("2026-03-31T12:00+00:00", "-P1M", "UTC", "2026-02-28T12:00+00:00"),
        ("2026-11-01T00:30-04:00", "1d", "America/New_York", "2026-11-02T00:30-05:00"),
        ("2026-06-10T08:00+05:30", "-3d", "Asia/Kolkata", "2026-06-07T08:00+05:30"),
    ],
    ids=["a day keeps the time of day", "hours are exact", "a short month", "and back", "the long day", "days before"],
)
def test_days_are_the_calendar_s_and_hours_are_exact(start: str, span: str, zone: str, end: str) -> None:
    moved = shift(datetime.fromisoformat(start), parse(span, signed=True), zone_of(zone))
    assert moved == datetime.fromisoformat(end)
    assert moved.tzinfo is UTC


@given(INSTANTS, TIMES, st.sampled_from(ZONES))
def test_the_next_local_time_is_later_and_within_two_days(after: datetime, at: time, zone: str) -> None:
    found = next_local(after, at, zone_of(zone))
    assert after < found <= after + timedelta(hours=50)
    assert found in {
        at_local(found.astimezone(zone_of(zone)).date() + timedelta(days=n), at, zone_of(zone)) for n in (-1, 0)
    }


def test_only_the_weekdays_asked_for_count() -> None:
    friday = datetime(2026, 6, 5, 12, tzinfo=UTC)
    found = next_local(friday, time(9), zone_of("Asia/Kolkata"), frozenset({0, 2}))
    assert found == datetime(2026, 6, 8, 3, 30, tzinfo=UTC)


_DECISIONS = """
from datetime import date, datetime, time, timedelta, UTC
from domain.calendar import at_local, next_local, passed_local, shift, zone_of
from domain.durations import Span
from domain.quiet_hours import Peace, QuietHours
for name in ("Europe/Berlin", "Pacific/Apia", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe"):
    zone = zone_of(name)
    quiet = Peace(hours=QuietHours(start=time(21, 30), end=time(2, 30)), zone=zone)
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2011, 12, 30), date(2026, 4, 5)):
        at = at_local(day, time(2, 30), zone)
        print(name, at, passed_local(day, time(2, 30), zone), next_local(at, time(2), zone))
        print(shift(at, Span(months=-1, days=2), zone), quiet.until(at - timedelta(minutes=20)), quiet.until(at))
"""


def test_the_machine_s_own_zone_does_not_matter() -> None:
    printed = set()
    for machine in ("UTC", "America/St_Johns", "Pacific/Chatham", "Pacific/Apia", "Asia/Kolkata", "EST5EDT", "Nowhere"):
        environment = {**os.environ, "TZ": machine, "PYTHONTZPATH": ""}
        ran = subprocess.run([sys.executable, "-c", _DECISIONS], env=environment, check=True, capture_output=True)
        printed.add(ran.stdout)
    assert len(printed) == 1
    assert b"2026-03-29 01:00:00+00:00" in printed.pop()


@pytest.mark.parametrize(("year", "expected"), [(1, False), (1970, False), (1971, True), (2199, True), (9999, False)])
def test_only_instants_that_everybody_agrees_on_are_in_reach(year: int, expected: bool) -> None:  # noqa: FBT001 - what is expected
    assert is_in_reach(datetime(year, 6, 1, tzinfo=UTC)) is expected


def test_no_time_at_all_moves_nothing() -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert shift(now, Span(), zone_of("Asia/Kolkata")) == now
