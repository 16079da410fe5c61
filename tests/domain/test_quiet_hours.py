"""Quiet hours: when they are over, what holidays add, and when what was held is let go."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from domain.calendar import next_local, zone_of
from domain.holidays import Holidays, MissingCalendarError, holidays_of, read
from domain.quiet_hours import InQuiet, Peace, Quiet, QuietHours, Rest

KOLKATA = zone_of("Asia/Kolkata")
DIWALI = Holidays(dates=frozenset({date(2026, 11, 8)}), yearly=frozenset({(8, 15)}))
NIGHT = QuietHours(start=time(21), end=time(8))
NEVER = QuietHours(start=time(0), end=time(0), weekdays=frozenset())


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+05:30")


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-06-01T20:59:59+05:30", None),
        ("2026-06-01T21:00+05:30", "2026-06-02T08:00+05:30"),
        ("2026-06-02T00:30+05:30", "2026-06-02T08:00+05:30"),
        ("2026-06-02T07:59:59+05:30", "2026-06-02T08:00+05:30"),
        ("2026-06-02T08:00+05:30", None),
    ],
    ids=["just before", "the first instant", "after midnight", "the last second", "over"],
)
def test_quiet_hours_over_midnight(at: str, until: str | None) -> None:
    found = Peace(hours=NIGHT, zone=KOLKATA).until(datetime.fromisoformat(at))
    assert found == (datetime.fromisoformat(until) if until else None)


def test_quiet_hours_that_begin_on_some_days_only() -> None:
    weekend = Peace(hours=QuietHours(start=time(21), end=time(8), weekdays=frozenset({4})), zone=zone_of("UTC"))
    saturday, sunday = datetime(2026, 6, 6, 3, tzinfo=UTC), datetime(2026, 6, 7, 3, tzinfo=UTC)
    assert weekend.until(saturday) == datetime(2026, 6, 6, 8, tzinfo=UTC)
    assert weekend.until(sunday) is None


@pytest.mark.parametrize(
    ("hours", "at", "until"),
    [
        (NIGHT, "2026-11-07T22:00", "2026-11-09T08:00"),
        (NIGHT, "2026-11-08T12:00", "2026-11-09T08:00"),
        (NIGHT, "2026-11-07T12:00", None),
        (NEVER, "2027-08-15T00:00", "2027-08-16T00:00"),
        (NEVER, "2027-08-14T23:59", None),
    ],
    ids=["the night before", "the day itself", "the day before", "every year", "a holiday alone"],
)
def test_a_holiday_is_quiet_the_whole_day_and_joins_the_nights(hours: QuietHours, at: str, until: str | None) -> None:
    found = Peace(hours=hours, zone=KOLKATA, holidays=DIWALI).until(local(at))
    assert found == (local(until) if until else None)


def test_a_time_that_is_shown_twice_is_quiet_both_times() -> None:
    night = Peace(hours=QuietHours(start=time(21), end=time(2, 30)), zone=zone_of("Europe/Berlin"))
    twice = [datetime(2026, 10, 25, hour, 15, tzinfo=UTC) for hour in (0, 1)]
    assert [night.until(one) for one in twice] == [datetime(2026, 10, 25, 1, 30, tzinfo=UTC)] * 2


@pytest.mark.parametrize(
    ("hours", "is_always"),
    [(NIGHT, False), (QuietHours(start=time(9), end=time(9)), True), (NEVER, False)],
    ids=["a night", "round the clock", "never"],
)
def test_quiet_that_is_never_over_is_known(hours: QuietHours, is_always: bool) -> None:  # noqa: FBT001 - what is expected
    assert hours.is_always is is_always


def test_quiet_that_lasts_longer_than_a_year_has_no_end() -> None:
    always = Peace(hours=QuietHours(start=time(9), end=time(9)), zone=KOLKATA)
    with pytest.raises(ValueError, match="not over within a year"):
        always.until(local("2026-11-08T12:00"))


def test_what_was_held_is_spread_the_same_way_each_time() -> None:
    night, half = Peace(hours=NIGHT, zone=KOLKATA), timedelta(minutes=30)
    end = local("2026-11-11T08:00")
    released = [night.released(local("2026-11-11T03:00"), half, f"series-{number}") for number in range(200)]
    assert released == [night.released(local("2026-11-10T22:00"), half, f"series-{number}") for number in range(200)]
    thirds = {(one - end) // timedelta(minutes=10) for one in released if one is not None}
    assert thirds == {0, 1, 2}
    assert len(set(released)) > 150


def test_nothing_is_spread_into_the_next_quiet() -> None:
    siesta = Peace(hours=QuietHours(start=time(8, 10), end=time(8)), zone=KOLKATA)
    assert siesta.open_for(local("2026-11-11T08:00"), timedelta(hours=2)) == timedelta(minutes=10)
    released = [siesta.released(local("2026-11-11T03:00"), timedelta(hours=2), str(number)) for number in range(50)]
    assert {siesta.until(one) for one in released if one is not None} == {None}


def test_without_quiet_or_spread_nothing_is_moved() -> None:
    night = Peace(hours=NIGHT, zone=KOLKATA)
    assert night.released(local("2026-11-11T12:00"), timedelta(hours=1), "one") is None
    assert night.released(local("2026-11-11T03:00"), timedelta(0), "one") == local("2026-11-11T08:00")


def test_the_next_time_of_day_leaves_holidays_out() -> None:
    found = next_local(local("2026-11-07T12:00"), time(9), KOLKATA, holidays=DIWALI)
    assert found == local("2026-11-09T09:00")


def test_a_time_of_day_that_never_comes_is_said_to_be_none() -> None:
    every_day = Holidays(yearly=frozenset((month, day) for month in range(1, 13) for day in range(1, 32)))
    with pytest.raises(ValueError, match="ten years"):
        next_local(local("2026-11-07T12:00"), time(9), KOLKATA, holidays=every_day)


def test_a_calendar_is_asked_by_its_name() -> None:
    assert holidays_of("india", {"india": DIWALI}) is DIWALI
    assert date(2026, 11, 8) not in holidays_of(None, {"india": DIWALI})
    with pytest.raises(MissingCalendarError, match="no calendar 'mars'"):
        holidays_of("mars", {"india": DIWALI})


def test_days_are_read_as_dates_and_as_days_of_every_year() -> None:
    assert read(["2026-11-08", "08-15"]) == DIWALI
    assert date(2028, 2, 29) in read(["02-29"])


@pytest.mark.parametrize("text", ["2026-02-30", "13-01", "tomorrow", "2026-1-1", ""])
def test_what_is_no_day_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no day"):
        read([text])


@pytest.mark.parametrize(
    ("rest", "at", "until"),
    [
        (Rest(quiet=Quiet(hours=NIGHT), one="a"), "2026-06-01T22:00", "2026-06-02T08:00"),
        (Rest(quiet=Quiet(hours=NIGHT), one="a"), "2026-06-01T12:00", None),
        (Rest(quiet=Quiet(hours=NIGHT), one="a", zone="Europe/Paris"), "2026-06-01T22:00", None),
        (Rest(quiet=Quiet(hours=NIGHT), one="a"), "2026-06-02T07:59:30", "2026-06-02T08:00:00"),
        (Rest(quiet=Quiet(hours=NEVER, holidays="gone"), one="a"), "2026-06-01T22:00", None),
        (Rest(quiet=Quiet(hours=NEVER, holidays="india"), one="a"), "2027-08-15T12:00", "2027-08-16T00:00"),
        (Rest(quiet=Quiet(hours=NEVER, holidays="endless"), one="a"), "2027-08-15T12:00", "2027-08-16T12:00"),
    ],
    ids=[
        "quiet", "open", "a clock of its own", "nearly over", "a calendar that is gone", "a holiday",
        "days without end",
    ],
)  # fmt: skip
def test_a_message_asks_its_quiet_hours_when_it_is_sent(rest: Rest, at: str, until: str | None) -> None:
    every_day = frozenset((1 + number // 31, 1 + number % 31) for number in range(12 * 31))
    known = {"india": DIWALI, "endless": Holidays(yearly=every_day)}
    found = rest.until(local(at), "Asia/Kolkata", known)
    assert found == (local(until) if until else None)


@pytest.mark.parametrize("zone", [None, "localtime", "Mars/Base"])
def test_where_nobody_knows_the_zone_it_is_utc(zone: str | None) -> None:
    rest = Rest(quiet=Quiet(hours=NIGHT), one="a")
    assert rest.until(datetime(2026, 6, 1, 22, tzinfo=UTC), zone, {}) == datetime(2026, 6, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "at", "left_out"),
    [(InQuiet.SKIP, "22:00", True), (InQuiet.SKIP, "07:59:30", False), (InQuiet.HOLD, "22:00", False)],
    ids=["skip", "skip, and nearly over", "hold"],
)
def test_what_is_left_out_and_what_waits(mode: InQuiet, at: str, left_out: bool) -> None:  # noqa: FBT001 - of the table
    now = datetime.combine(date(2026, 6, 1), time.fromisoformat(at), UTC)
    rest = Rest(quiet=Quiet(hours=NIGHT, mode=mode), one="a")
    until = rest.until(now, None, {})
    assert until is not None
    assert rest.leaves_out(until, now) is left_out
