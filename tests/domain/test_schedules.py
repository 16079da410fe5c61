"""Schedules: their instants in zones with and without changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import at_local, zone_of
from domain.schedules import Overlap, calendars_of, instants, left_out, spec_of

START = datetime(2027, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Santiago",
         "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu")  # fmt: skip


def following(document: dict[str, Any], after: datetime = START, count: int = 3) -> list[str]:
    zone = zone_of(document.get("zone", "UTC"))
    return [one.astimezone(zone).isoformat()[:23] for one in islice(instants(spec_of(document), after), count)]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year, month, day and what follows


MIDNIGHT = {"cron": "0 0 * * *"}
NEW_YORK = {"zone": "America/New_York"}
CASES: dict[str, tuple[dict[str, Any], datetime, list[str]]] = {
    "each day": ({"cron": "0 9 * * *", "zone": "Asia/Kolkata"}, utc(2027, 1, 1, 3, 30),
                 ["2027-01-02T09:00:00+05:", "2027-01-03T09:00:00+05:"]),
    "two expressions": ({"cron": ["0 9 * * mon", "0 9 * * mon,tue"]}, START,
                        ["2027-01-04T09:00:00+00:", "2027-01-05T09:00:00+00:"]),
    "a gap moves on": ({"cron": "30 2 * * *", **NEW_YORK}, utc(2027, 3, 13, 12),
                       ["2027-03-14T03:00:00-04:", "2027-03-15T02:30:00-04:"]),
    "twice means the first": ({"cron": "30 1 * * *", **NEW_YORK}, utc(2027, 11, 7, 4),
                              ["2027-11-07T01:30:00-04:", "2027-11-08T01:30:00-05:"]),
    "every hour goes by the clock": ({"cron": "30 * * * *", **NEW_YORK}, utc(2027, 11, 7, 5),
                                     ["2027-11-07T01:30:00-04:", "2027-11-07T01:30:00-05:"]),
    "every hour leaves a gap out": ({"cron": "30 * * * *", **NEW_YORK}, utc(2027, 3, 14, 6),
                                    ["2027-03-14T01:30:00-05:", "2027-03-14T03:30:00-04:"]),
    "a midnight that is skipped": ({"cron": "0 0 * * *", "zone": "America/Santiago"}, utc(2027, 9, 4, 12),
                                   ["2027-09-05T01:00:00-03:", "2027-09-06T00:00:00-03:"]),
    "once": ({"at": "2027-06-01T09:00:00+05:30"}, START, ["2027-06-01T03:30:00+00:"]),
    "once, and over": ({"at": "2027-06-01T09:00:00Z"}, utc(2027, 6, 1, 9), []),
    "within bounds": ({**MIDNIGHT, "start_at": "2027-02-01T00:00:00Z", "end_at": "2027-02-02T00:00:00Z"}, START,
                      ["2027-02-01T00:00:00+00:", "2027-02-02T00:00:00+00:"]),
    "bounds that are over": (
        {**MIDNIGHT, "start_at": "2020-01-01T00:00:00Z", "end_at": "2026-01-01T00:00:00Z"}, START, []),
    "without days": (
        {"cron": "0 9 * * *", "except": {"dates": ["2027-01-02"], "weekdays": ["sun", "mon"]}}, utc(2027, 1, 1, 9),
                     ["2027-01-05T09:00:00+00:"]),
    "the first Monday of a month": (
        {"cron": "0 9 1-7 * *", "except": {"weekdays": ["tue", "wed", "thu", "fri", "sat", "sun"]}},
                                    START, ["2027-01-04T09:00:00+00:", "2027-02-01T09:00:00+00:"]),
    "a leap day": ({"cron": "0 0 29 2 *"}, START, ["2028-02-29T00:00:00+00:", "2032-02-29T00:00:00+00:"]),
    "never": ({"cron": "0 0 * * mon", "except": {"weekdays": ["mon"]}}, START, []),
}  # fmt: skip


@pytest.mark.parametrize(("document", "after", "expected"), CASES.values(), ids=CASES)
def test_what_comes_next(document: dict[str, Any], after: datetime, expected: list[str]) -> None:
    assert following(document, after, max(len(expected), 1)) == expected


def test_days_of_calendars_are_left_out_and_one_that_is_gone_has_none() -> None:
    document = {"cron": "0 9 * * *", "except": {"weekdays": ["sat"], "calendars": ["india", "bank", "gone"]}}
    days = {"india": ["01-01", "2027-01-03"], "bank": ["2027-01-05"], "other": ["01-04"]}
    found = list(islice(instants(spec_of(document, days), START), 3))
    assert found == [utc(2027, 1, 4, 9), utc(2027, 1, 6, 9), utc(2027, 1, 7, 9)]
    assert calendars_of(document) == ["india", "bank", "gone"]
    assert calendars_of({"cron": "0 9 * * *"}) == ()


def test_a_jitter_is_read() -> None:
    assert spec_of({"cron": "0 9 * * *", "jitter": "1h30m"}).jitter == timedelta(minutes=90)


moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))  # noqa: DTZ001 - hypothesis wants it so


@given(st.sampled_from(ZONES), moments, st.integers(0, 23), st.integers(0, 59))
def test_a_daily_time_comes_once_on_each_day(zone: str, after: datetime, hour: int, minute: int) -> None:
    found = list(islice(instants(spec_of({"cron": f"{minute} {hour} * * *", "zone": zone}), after), 400))
    assert all(first < second for first, second in pairwise([after, *found]))
    days = [after.astimezone(zone_of(zone)).date() + timedelta(days=offset) for offset in range(-1, 402)]
    expected = [at_local(day, time(hour, minute), zone_of(zone)) for day in days]
    assert found == [one for one in dict.fromkeys(expected) if one > after][:400]


def _shows(instant: datetime, zone: ZoneInfo) -> int:
    return instant.astimezone(zone).minute


@given(st.sampled_from(ZONES), moments, st.sampled_from([15, 30, 60]))
def test_what_comes_every_hour_is_all_that_the_clock_shows(zone: str, after: datetime, step: int) -> None:
    place = zone_of(zone)
    found = list(
        islice(instants(spec_of({"cron": f"*/{step} * * * *" if step < 60 else "0 * * * *", "zone": zone}), after), 60)
    )
    whole = after.replace(second=0, microsecond=0)
    minutes = (whole + timedelta(minutes=number) for number in range(1, 61 * step + 60))
    assert found == [one for one in minutes if _shows(one, place) % step == 0][:60]


@pytest.mark.parametrize(
    ("overlap", "left"),
    [(Overlap.SKIP, 3), (Overlap.BUFFER_ONE, 2), (Overlap.ALLOW, 0)],
    ids=str,
)
def test_what_overlapping_leaves_out(overlap: Overlap, left: int) -> None:
    passed = [START + timedelta(minutes=number) for number in range(3)]
    assert list(left_out(overlap, passed)) == passed[3 - left :]
