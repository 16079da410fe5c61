"""Frequency caps as a table: what counts, for how long, and when there is one too many."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.frequency import FrequencyCap, Sent, caps_of, is_used_up, length
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
    assert is_used_up(caps, sent(0, topic="offers"), former) is used_up


def test_a_cap_of_a_topic_counts_its_messages() -> None:
    cap = FrequencyCap(most=1, per=DAY, topic="news")
    assert is_used_up([cap], sent(0, topic="news"), [sent(1, topic="news")])
    assert not is_used_up([cap], sent(0, topic="news"), [sent(1, topic="offers")])


@pytest.mark.parametrize(("text", "found"), [("1d", DAY), ("36h", timedelta(hours=36)), ("P1W", 7 * DAY)])
def test_lengths_of_caps(text: str, found: timedelta) -> None:
    assert length(text) == found


@pytest.mark.parametrize("text", ["", "soon", "0s", "P1M", "32d"])
def test_what_is_no_length_of_a_cap(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|at most 31 days"):
        length(text)


def test_caps_are_read_as_they_are_stored() -> None:
    stored = [{"most": 3, "per": "1d", "channels": ["email"]}, {"most": 9, "per": "7d"}]
    assert caps_of(stored, "news") == (
        FrequencyCap(most=3, per=DAY, channels=frozenset({EMAIL}), topic="news"),
        FrequencyCap(most=9, per=7 * DAY, topic="news"),
    )
