"""Cron expressions: what five fields mean, and what is wrong with those that mean nothing."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import cron

EVERY_DAY = frozenset(range(7))


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0 9 * * *", [time(9)]),
        ("*/30 8-9 * * *", [time(8), time(8, 30), time(9), time(9, 30)]),
        ("5,50 23 * * *", [time(23, 5), time(23, 50)]),
        ("50/5 0 * * *", [time(0, 50), time(0, 55)]),
        ("0 0-12/6 * * *", [time(0), time(6), time(12)]),
    ],
    ids=["one", "steps and a range", "a list", "from one on", "a range with steps"],
)
def test_times_of_day(text: str, times: list[time]) -> None:
    found = cron.parse(text)
    assert list(found.times) == times
    assert found.weekdays == EVERY_DAY


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("0 0 * * mon-fri", {0, 1, 2, 3, 4}),
        ("0 0 * * 0", {6}),
        ("0 0 * * 7", {6}),
        ("0 0 * * SUN,3", {6, 2}),
        ("0 0 * * fri-sun", {4, 5, 6}),
        ("0 0 * * */2", {6, 1, 3, 5}),
    ],
    ids=["working days", "Sunday as 0", "Sunday as 7", "capitals", "to Sunday", "every other"],
)
def test_weekdays_count_from_monday(text: str, weekdays: set[int]) -> None:
    assert cron.parse(text).weekdays == weekdays


@pytest.mark.parametrize(("text", "is_hourly"), [("0 * * * *", True), ("0 0-23 * * *", True), ("0 1-23 * * *", False)])
def test_what_comes_every_hour_is_hourly(text: str, is_hourly: bool) -> None:  # noqa: FBT001 - a column of the table
    assert cron.parse(text).is_hourly == is_hourly


def test_a_day_is_taken_by_month_and_day() -> None:
    found = cron.parse("0 0 29 feb,6 *")
    assert found.takes(date(2028, 2, 29))
    assert found.takes(date(2027, 6, 29))
    assert not found.takes(date(2027, 6, 28))
    assert not found.takes(date(2027, 7, 29))
    assert not cron.parse("0 0 * * mon").takes(date(2027, 6, 29))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 9 * *", "has 4 fields; write five"),
        ("0 0 9 * * *", "has 6 fields; write five"),
        ("@daily", "has 1 fields; write five"),
        ("60 9 * * *", "'60' is no minute; it goes from 0 to 59"),
        ("x 9 * * *", "'x' is no minute"),
        ("-1 9 * * *", "'-1' is no minute"),
        ("0 9 0 * *", "'0' is no day of the month; it goes from 1 to 31"),
        ("0 9 * jun-mai *", "'jun-mai' is no month; it goes from 1 to 12, or jan to dec"),
        ("0 9 * * mon-", "'mon-' is no weekday"),
        ("0 22-6 * * *", "'22-6' is no hour: it ends before it begins"),
        ("*/0 9 * * *", "after the slash stands"),
        ("*/ 9 * * *", "after the slash stands"),
        ("0 9 1 * mon", "some read as 'or' and some as 'and'"),
        ("0 9 31 feb *", "never comes"),
        ("0 9 31 4,6,9,11 *", "never comes"),
        ("0 9 , * *", "'' is no day of the month"),
        ("0 ٩ * * *", "is no hour"),
        ("0 9 * * " + "1," * 200 + "1", "write five"),
    ],
)
def test_what_means_nothing_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        cron.parse(text)
    assert says in str(caught.value)


@given(st.sets(st.integers(0, 59), min_size=1), st.sets(st.integers(0, 23), min_size=1))
def test_lists_mean_their_members(minutes: set[int], hours: set[int]) -> None:
    text = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    if len(text) <= 200:
        assert {(at.hour, at.minute) for at in cron.parse(text).times} == {(h, m) for h in hours for m in minutes}
