"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.durations import Span, parse


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45s", Span(exact=timedelta(seconds=45))),
        ("1h30m", Span(exact=timedelta(minutes=90))),
        ("3d", Span(days=3)),
        ("2w", Span(days=14)),
        ("1w2d3h", Span(days=9, exact=timedelta(hours=3))),
        ("P1M", Span(months=1)),
        ("P1Y2M10DT2H30M", Span(months=14, days=10, exact=timedelta(hours=2, minutes=30))),
        ("PT36H", Span(exact=timedelta(hours=36))),
        ("P2W", Span(days=14)),
        (" 5m ", Span(exact=timedelta(minutes=5))),
        ("0s", Span()),
    ],
)
def test_it_reads_what_people_write(text: str, span: Span) -> None:
    assert parse(text) == span


@pytest.mark.parametrize(
    "text", ["", " ", "3", "d", "3 d", "-3d", "P", "PT", "P1DT", "1.5h", "3d1w", "P1H", "\u0663d", "99999d", "P121M"]
)
def test_it_says_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|ten years"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "span"), [("-3d", Span(days=-3)), ("+2h", Span(exact=timedelta(hours=2))), ("-P1M", Span(months=-1))]
)
def test_an_offset_may_lie_before(text: str, span: Span) -> None:
    assert parse(text, signed=True) == span


def test_no_time_at_all_is_told_from_some() -> None:
    assert parse("0s").is_zero
    assert not parse("1s").is_zero


SPANS = st.builds(
    Span,
    months=st.integers(0, 20),
    days=st.integers(0, 900),
    exact=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)).map(
        lambda found: timedelta(seconds=found // timedelta(seconds=1))
    ),
)


@given(SPANS, st.sampled_from([1, -1]))
def test_what_is_written_is_read_again(span: Span, sign: int) -> None:
    wanted = -span if sign < 0 else span
    assert parse(str(wanted), signed=True) == wanted
