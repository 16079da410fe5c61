"""Who may be written to about what, as a table: defaults, the most specific choice, the newest one, and `critical`."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.consent import Choice, Default, State, Topic, may_send, standing
from domain.reasons import Reason
from domain.recipients import Channel

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EMAIL, WHATSAPP = Channel.EMAIL, Channel.WHATSAPP
NEWS = Topic(name="news")
OFFERS = Topic(name="offers", default=Default.OPTED_OUT)
BILLS = Topic(name="bills", transactional=True)
MAILS_ONLY = Topic(name="letters", channels=frozenset({EMAIL}))


def chose(state: str, channel: Channel | None = None, topic: str | None = None, *, age: int = 1) -> Choice:
    return Choice(channel=channel, topic=topic, state=State(state), at=NOW - timedelta(hours=age))


TABLE = [
    pytest.param(None, [chose("denied")], None, id="a template without topic asks nobody"),
    pytest.param(NEWS, [], None, id="opted in by default"),
    pytest.param(OFFERS, [], Reason.NO_CONSENT, id="opted out by default"),
    pytest.param(NEWS, [chose("denied", EMAIL, "news")], Reason.OPTED_OUT, id="denied"),
    pytest.param(OFFERS, [chose("granted", EMAIL, "offers")], None, id="granted"),
    pytest.param(OFFERS, [chose("pending", EMAIL, "offers")], Reason.NO_CONSENT, id="pending is not granted"),
    pytest.param(NEWS, [chose("pending", EMAIL, "news")], Reason.NO_CONSENT, id="pending outranks the default"),
    pytest.param(NEWS, [chose("denied", WHATSAPP, "news")], None, id="another channel"),
    pytest.param(NEWS, [chose("denied", EMAIL, "offers")], None, id="another topic"),
    pytest.param(NEWS, [chose("denied", None, "news")], Reason.OPTED_OUT, id="the topic everywhere"),
    pytest.param(NEWS, [chose("denied", EMAIL)], Reason.OPTED_OUT, id="the channel for everything"),
    pytest.param(NEWS, [chose("denied")], Reason.OPTED_OUT, id="everything everywhere"),
    pytest.param(
        OFFERS,
        [chose("denied", None, "offers", age=0), chose("granted", EMAIL, "offers", age=9)],
        None,
        id="channel and topic before topic",
    ),
    pytest.param(
        OFFERS,
        [chose("denied", EMAIL, age=0), chose("granted", None, "offers", age=9)],
        None,
        id="topic before channel",
    ),
    pytest.param(
        OFFERS, [chose("denied", age=0), chose("granted", EMAIL, age=9)], None, id="channel before everything"
    ),
    pytest.param(
        NEWS,
        [chose("granted", EMAIL, "news", age=1), chose("denied", EMAIL, "news", age=5)],
        None,
        id="the newest of the same",
    ),
    pytest.param(
        NEWS,
        [chose("granted", EMAIL, "news", age=5), chose("denied", EMAIL, "news", age=1)],
        Reason.OPTED_OUT,
        id="the newest of the same, whatever it says",
    ),
    pytest.param(
        NEWS,
        [chose("unset", EMAIL, "news", age=0), chose("denied", EMAIL, age=9)],
        Reason.OPTED_OUT,
        id="what was taken back lets the less specific hold",
    ),
    pytest.param(
        OFFERS,
        [chose("pending", EMAIL, "offers", age=5), chose("granted", None, "offers", age=1)],
        None,
        id="consent to the topic after the question",
    ),
    pytest.param(
        OFFERS,
        [chose("pending", EMAIL, "offers", age=1), chose("granted", None, "offers", age=5)],
        Reason.NO_CONSENT,
        id="a question after the consent",
    ),
    pytest.param(
        NEWS,
        [chose("pending", None, "news", age=5), chose("denied", EMAIL, age=1)],
        Reason.OPTED_OUT,
        id="a stop after the question",
    ),
    pytest.param(BILLS, [chose("denied", EMAIL, "bills")], None, id="a transactional topic asks nobody"),
    pytest.param(MAILS_ONLY, [], None, id="a channel of the topic"),
]


@pytest.mark.parametrize(("topic", "choices", "reason"), TABLE)
def test_the_most_specific_choice_decides(topic: Topic | None, choices: list[Choice], reason: Reason | None) -> None:
    assert may_send(topic, EMAIL, choices, critical=False) is reason
    assert may_send(topic, EMAIL, reversed(choices), critical=False) is reason


@pytest.mark.parametrize(("topic", "choices", "reason"), TABLE)
def test_critical_messages_ask_for_no_preference(
    topic: Topic | None, choices: list[Choice], reason: Reason | None
) -> None:
    assert may_send(topic, EMAIL, choices, critical=True) is None


@pytest.mark.parametrize("critical", [True, False])
def test_a_channel_that_the_topic_does_not_use_carries_nothing(*, critical: bool) -> None:
    granted = [chose("granted", WHATSAPP, "letters")]
    assert may_send(MAILS_ONLY, WHATSAPP, granted, critical=critical) is Reason.CHANNEL_NOT_IN_TOPIC


def test_what_nobody_chose_stands_as_the_topic_says() -> None:
    assert [standing(topic, EMAIL, []) for topic in (NEWS, OFFERS)] == [State.GRANTED, State.UNSET]
