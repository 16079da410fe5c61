"""Calendar rules: which can be followed, and on which instants they come."""

from datetime import UTC, datetime, time
from itertools import islice

import pytest

from domain.calendar import zone_of
from domain.calendar_rules import checked, occurrences

BERLIN = zone_of("Europe/Berlin")


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;INTERVAL=3;COUNT=5", "FREQ=DAILY;UNTIL=19991231",
    ],
    ids=["daily", "two weekdays", "the last Friday", "the 31st", "leap days", "every third day", "long over"],
)  # fmt: skip
def test_a_rule_is_taken(text: str) -> None:
    assert checked(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no part of a rule"), ("every day", "no spaces"), ("FREQ=DAILY;BYHOUR=9", "'BYHOUR'"),
        ("FREQ=HOURLY", "a rule has FREQ="), ("BYDAY=MO", "a rule has FREQ="),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is a date"), ("FREQ=DAILY;UNTIL=20261340", "no calendar rule"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"), ("FREQ=DAILY;INTERVAL=99999", "INTERVAL"),
        ("FREQ=DAILY;BYDAY=XX", "no calendar rule"), ("FREQ=DAILY;COUNT=x", "COUNT is"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never comes"), ("FREQ=MONTHLY;BYDAY=9MO", "no calendar rule"),
        ("FREQ=DAILY;UNTIL=00010101", "no calendar rule"), ("FREQ=DAILY;BYDAY=MO\nDTSTART:19000101", "no spaces"),
        ("FREQ=DAILY;FREQ=DAILY", "stands twice"),
        ("FREQ=DAILY;BYSETPOS=2", "never comes"),
    ],
    ids=[
        "nothing", "words", "an hour", "every hour", "how often is not said", "until a word", "until no date",
        "no step", "a step too large", "no weekday", "no count", "a day that is never", "the ninth Monday",
        "before all time", "two lines", "a part twice", "the second of one day",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(text)


def test_a_weekday_that_a_month_has_less_often_is_no_instant() -> None:
    since = datetime(2026, 12, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="more of a weekday"):
        list(occurrences("FREQ=MONTHLY;BYDAY=1MO,10MO", since, None, BERLIN))


def test_what_is_now_is_not_over() -> None:
    since = datetime(2026, 6, 1, 7, 0, 0, 123, tzinfo=UTC)
    assert _first("FREQ=DAILY", since, None, 1) == ["2026-06-01T07:00:00+00:00"]


def _first(text: str, since: datetime, at: time | None, count: int) -> list[str]:
    return [moment.isoformat() for moment in islice(occurrences(text, since, at, BERLIN), count)]


def test_a_rule_keeps_the_time_of_day_where_clocks_change() -> None:
    since = datetime(2026, 10, 24, 7, tzinfo=UTC)
    assert _first("FREQ=DAILY", since, None, 3) == [
        "2026-10-24T07:00:00+00:00",
        "2026-10-25T08:00:00+00:00",
        "2026-10-26T08:00:00+00:00",
    ]


def test_a_time_that_clocks_skip_is_the_first_instant_after_it() -> None:
    since = datetime(2026, 3, 28, 0, tzinfo=UTC)
    assert _first("FREQ=DAILY", since, time(2, 30), 2) == ["2026-03-28T01:30:00+00:00", "2026-03-29T01:00:00+00:00"]


def test_a_time_of_day_that_is_over_begins_on_the_next_day() -> None:
    since = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert _first("FREQ=DAILY", since, time(9), 1) == ["2026-06-02T07:00:00+00:00"]


def test_a_rule_ends_with_the_day_that_it_names() -> None:
    since = datetime(2026, 6, 1, 7, tzinfo=UTC)
    assert len(_first("FREQ=DAILY;UNTIL=20260603", since, None, 9)) == 3


def test_a_count_counts_what_comes_from_then_on() -> None:
    since = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert _first("FREQ=DAILY;COUNT=2", since, time(9), 9) == ["2026-06-02T07:00:00+00:00", "2026-06-03T07:00:00+00:00"]


def test_a_rule_is_followed_for_thirty_years() -> None:
    since = datetime(2026, 6, 1, 7, tzinfo=UTC)
    assert len(list(occurrences("FREQ=YEARLY", since, None, BERLIN))) in {30, 31}
