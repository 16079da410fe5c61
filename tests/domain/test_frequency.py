"""Frequency caps as a table: what counts, for how long, and when there is one too many."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.frequency import FrequencyCap, Sent, Then, TooMany, caps_of, judge, length
from domain.recipients import Channel

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EMAIL, WHATSAPP = Channel.EMAIL, Channel.WHATSAPP


def sent(hours: int, channel: Channel = EMAIL, topic: str | None = None) -> Sent:
    return Sent(channel=channel, topic=topic, at=NOW - timedelta(hours=hours))


@pytest.mark.parametrize(
    ("caps", "former", "used_up"),
    [
        pytest.param([], [sent(1)] * 100, False, id="no cap"),
        pytest.param([FrequencyCap(most=2, per=DAY)], [sent(1)], False, id="room for one more"),
        pytest.param([FrequencyCap(most=2, per=DAY)], [sent(1), sent(2)], True, id="used up"),
        pytest.param([FrequencyCap(most=2, per=DAY)], [sent(1), sent(24)], False, id="one is a day old"),
        pytest.param([FrequencyCap(most=1, per=DAY)], [sent(1, WHATSAPP)], True, id="over all channels"),
        pytest.param(
            [FrequencyCap(most=1, per=DAY, channels=frozenset({EMAIL}))], [sent(1, WHATSAPP)], False, id="its channels"
        ),
        pytest.param(
            [FrequencyCap(most=1, per=DAY, channels=frozenset({WHATSAPP}))],
            [sent(1, WHATSAPP)],
            False,
            id="not about this message's channel",
        ),
        pytest.param([FrequencyCap(most=1, per=DAY, topic="news")], [sent(1, topic="news")], False, id="another topic"),
        pytest.param(
            [FrequencyCap(most=9, per=DAY), FrequencyCap(most=1, per=timedelta(hours=2))],
            [sent(1)],
            True,
            id="the narrowest counts",
        ),
    ],
)
def test_when_there_is_one_too_many(caps: list[FrequencyCap], former: list[Sent], *, used_up: bool) -> None:
    assert (judge(caps, sent(0, topic="offers"), former) is not None) is used_up


def test_a_cap_of_a_topic_counts_its_messages() -> None:
    cap = FrequencyCap(most=1, per=DAY, topic="news")
    assert judge([cap], sent(0, topic="news"), [sent(1, topic="news")]) == TooMany()
    assert judge([cap], sent(0, topic="news"), [sent(1, topic="offers")]) is None


DELAY, HOUR = Then.DELAY, timedelta(hours=1)
ONE_A_DAY = FrequencyCap(most=1, per=DAY, then=DELAY)
THREE_A_DAY = FrequencyCap(most=3, per=DAY, then=DELAY)


@pytest.mark.parametrize(
    ("caps", "former", "until"),
    [
        pytest.param([ONE_A_DAY], [sent(2)], NOW + 22 * HOUR, id="when the one is a day old"),
        pytest.param([THREE_A_DAY], [sent(2), sent(9), sent(5)], NOW + 15 * HOUR, id="when the oldest is a day old"),
        pytest.param([THREE_A_DAY], [sent(n) for n in (2, 9, 5, 7)], NOW + 17 * HOUR, id="the cap was lowered"),
        pytest.param([THREE_A_DAY], [sent(n) for n in (2, 9, 5, 30)], NOW + 15 * HOUR, id="what is older is over"),
        pytest.param([THREE_A_DAY, ONE_A_DAY], [sent(n) for n in (2, 9, 5)], NOW + 22 * HOUR, id="the last of several"),
        pytest.param([ONE_A_DAY, FrequencyCap(most=1, per=HOUR)], [sent(2)], NOW + 22 * HOUR, id="the other has room"),
        pytest.param([ONE_A_DAY, FrequencyCap(most=1, per=DAY)], [sent(2)], None, id="the other leaves out"),
        pytest.param([FrequencyCap(most=1, per=3 * HOUR), THREE_A_DAY], [sent(2)], None, id="only one leaves out"),
    ],
)
def test_until_when_one_too_many_is_delayed(
    caps: list[FrequencyCap], former: list[Sent], until: datetime | None
) -> None:
    assert judge(caps, sent(0), former) == TooMany(until=until)


def test_what_asks_again_at_its_instant_finds_room() -> None:
    assert judge([ONE_A_DAY], Sent(channel=EMAIL, topic=None, at=NOW + DAY), [sent(0)]) is None


@pytest.mark.parametrize(
    ("left", "until"),
    [
        pytest.param(timedelta(milliseconds=1), timedelta(seconds=5, milliseconds=1), id="by a clock that is ahead"),
        pytest.param(timedelta(minutes=1), timedelta(minutes=1, seconds=5), id="nearly over"),
        pytest.param(timedelta(seconds=61), timedelta(seconds=61), id="exact"),
    ],
)
def test_what_is_nearly_over_is_asked_again_a_little_later(left: timedelta, until: timedelta) -> None:
    former = Sent(channel=EMAIL, topic=None, at=NOW - DAY + left)
    assert judge([ONE_A_DAY], sent(0), [former]) == TooMany(until=NOW + until)


@pytest.mark.parametrize(("text", "found"), [("1d", DAY), ("36h", timedelta(hours=36)), ("P1W", 7 * DAY)])
def test_lengths_of_caps(text: str, found: timedelta) -> None:
    assert length(text) == found


@pytest.mark.parametrize("text", ["", "soon", "0s", "P1M", "32d"])
def test_what_is_no_length_of_a_cap(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|at most 31 days"):
        length(text)


def test_caps_are_read_as_they_are_stored() -> None:
    stored = [{"most": 3, "per": "1d", "channels": ["email"], "then": "delay"}, {"most": 9, "per": "7d"}]
    assert caps_of(stored, "news") == (
        FrequencyCap(most=3, per=DAY, channels=frozenset({EMAIL}), topic="news", then=DELAY),
        FrequencyCap(most=9, per=7 * DAY, topic="news", then=Then.SKIP),
    )
