"""Decisions about local time in every zone there is, around all kinds of changes of its clocks, against readings."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import at_local, next_local, passed_local, shift, zone_of
from domain.durations import Span
from domain.quiet_hours import Peace, QuietHours
from tests.domain.clock_reading import DAY, Clock, every_change, is_inside, spans, zone_file

NAMES = sorted(available_timezones() - {"localtime", "Factory"})
ZONES = list({zone_file(name): name for name in NAMES}.values())
"""Every zone by one of its names."""
ALL, WORK, FRIDAY = frozenset(range(7)), frozenset(range(5)), frozenset({4})
HOURS = [
    QuietHours(start=time(21), end=time(8)),
    QuietHours(start=time(0), end=time(2, 30)),
    QuietHours(start=time(23, 30), end=time(0, 30)),
    QuietHours(start=time(1, 15), end=time(2, 45)),
    QuietHours(start=time(2, 30), end=time(23), weekdays=WORK),
    QuietHours(start=time(22), end=time(7), weekdays=FRIDAY),
    QuietHours(start=time(9), end=time(9), weekdays=frozenset({5, 6})),
    QuietHours(start=time(0), end=time(0), weekdays=FRIDAY),
]
FROM_CHANGE = [timedelta(minutes=one) for one in (-1500, -181, -61, -30, -1, 0, 1, 29, 60, 90, 185, 600, 1440)]
MOST_CHANGES = 3


def moments(zone: str) -> Iterator[datetime]:
    """Yields instants around some changes of a zone, the same in each run, and some where nothing changes."""
    chance = random.Random(zone)  # noqa: S311 - only a choice of examples
    found = every_change(zone)
    for change in chance.sample(found, min(MOST_CHANGES, len(found))):
        yield from (change + step for step in chance.sample(FROM_CHANGE, 2))
    yield datetime.fromtimestamp(chance.randrange(1_770_000_000, 2_100_000_000), UTC)


def check_quiet(zone: str, instant: datetime, hours: QuietHours, clock: Clock) -> None:
    until = Peace(hours=hours, zone=zone_of(zone)).until(instant)
    around = spans(clock, instant, hours.start, hours.end, hours.weekdays)
    expected = next((over for begin, over in around if begin <= instant < over), None)
    assert until == expected, (zone, instant, hours)
    if is_inside(clock.reads(instant), hours.start, hours.end, hours.weekdays):
        assert until is not None, (zone, instant, hours)


def test_every_name_of_a_zone_is_known() -> None:
    assert [zone_of(name).key for name in NAMES] == NAMES


@pytest.mark.parametrize("part", range(4))
def test_quiet_hours_are_what_clocks_show_around_the_changes_of_every_zone(part: int) -> None:
    for zone in ZONES[part::4]:
        for number, instant in enumerate(moments(zone)):
            clock = Clock(zone, instant)
            for hours in (HOURS[number % len(HOURS)], HOURS[(number * 3 + 1) % len(HOURS)]):
                check_quiet(zone, instant, hours, clock)


@pytest.mark.parametrize("part", range(2))
def test_times_of_day_are_what_clocks_show_around_the_changes_of_every_zone(part: int) -> None:
    for zone in ZONES[part::2]:
        for instant in moments(zone):
            chance = random.Random(f"{zone}{instant}")  # noqa: S311 - only a choice of examples
            clock, place = Clock(zone, instant), zone_of(zone)
            at = time(chance.choice([0, 1, 2, 3, 23, 9]), chance.choice([0, 30, 59]))
            today = clock.reads(instant).date()
            days = [today + number * DAY for number in range(-2, 4)]
            assert at_local(today, at, place) == clock.first(datetime.combine(today, at)), (zone, instant, at)
            assert passed_local(today, at, place) == clock.last(datetime.combine(today, at)), (zone, instant, at)
            coming = [found for day in days if (found := clock.first(datetime.combine(day, at))) > instant]
            assert next_local(instant, at, place) == coming[0], (zone, instant, at)
            for number in (-2, -1, 1, 2):
                wanted = clock.reads(instant) + number * DAY
                assert shift(instant, Span(days=number), place) == clock.first(wanted), (zone, instant, number)
            exact = Span(exact=timedelta(hours=chance.randrange(-40, 40)))
            assert shift(instant, exact, place) == instant + exact.exact


@settings(max_examples=100)
@given(st.data())
def test_any_quiet_hours_are_what_clocks_show(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(ZONES))
    found = every_change(zone) or (datetime(2026, 6, 1, tzinfo=UTC),)
    away = timedelta(seconds=data.draw(st.integers(-172_800, 172_800)))
    instant = data.draw(st.sampled_from(found)) + away
    minutes = st.integers(0, 1439).map(lambda one: time(one // 60, one % 60))
    weekdays = data.draw(st.frozensets(st.integers(0, 6), min_size=1, max_size=2))
    hours = QuietHours(start=data.draw(minutes), end=data.draw(minutes), weekdays=weekdays)
    check_quiet(zone, instant, hours, Clock(zone, instant))
