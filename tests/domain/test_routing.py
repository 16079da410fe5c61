"""What to do next with a notification, as a table: the plan, what happened, and the one next step."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.backoff import backoff
from domain.notifications import Delivered, Hop, OnUnknown, Outcome, Plan, SkippedHop
from domain.progress import HopProgress, Progress
from domain.reasons import Reason
from domain.recipients import Channel
from domain.routing import FOLLOW_UP_ATTEMPTS, decide
from domain.status import Status
from domain.steps import Finish, NextHop, Send, Wait

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WHATSAPP = Hop(index=0, channel=Channel.WHATSAPP, provider="meta", account_id="a", address_id=None, locale="en")
EMAIL = replace(WHATSAPP, index=1, channel=Channel.EMAIL, provider="smtp")
CONFIRMED = replace(WHATSAPP, success=Status.DELIVERED, within=30.0)
ONE = Plan(hops=(WHATSAPP,))
TWO = Plan(hops=(CONFIRMED, EMAIL))


def ended(outcome: Outcome, *, ago: float = 0, reason: Reason | None = None) -> Delivered:
    status = {Outcome.ACCEPTED: Status.ACCEPTED, Outcome.REFUSED: Status.REJECTED, Outcome.UNKNOWN: Status.UNKNOWN}
    blank = Delivered(outcome=outcome, status=status.get(outcome, Status.QUEUED), at=NOW - timedelta(seconds=ago))
    return replace(blank, reason=reason)


def after(last: Delivered, *, status: Status | None = None, current: int = 0, attempts: int = 1) -> Progress:
    doubtful = last.outcome is Outcome.UNKNOWN
    hop = HopProgress(attempts=attempts, last=last, status=status or last.status, doubtful=doubtful)
    return Progress(current=current).with_hop(current, hop)


ACCEPTED = ended(Outcome.ACCEPTED)
REFUSED = ended(Outcome.REFUSED, reason=Reason.INVALID_ADDRESS)
UNKNOWN = ended(Outcome.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN)
NOT_SENT = ended(Outcome.NOT_SENT, reason=Reason.UNAVAILABLE)
LATE = ended(Outcome.ACCEPTED, ago=31)


@pytest.mark.parametrize(
    ("plan", "progress", "step"),
    [
        pytest.param(ONE, Progress(), Send(hop=WHATSAPP, number=1), id="nothing tried: send"),
        pytest.param(
            TWO, Progress(), Send(hop=CONFIRMED, number=1, closes=False), id="a hop with a successor waits for receipts"
        ),
        pytest.param(
            Plan(hops=()), Progress(), Finish(status=Status.REJECTED, reason=Reason.NO_TEMPLATE_PART), id="empty"
        ),
        pytest.param(
            Plan(hops=(), skipped=(SkippedHop(channel=Channel.EMAIL, reason=Reason.NO_ADDRESS),)),
            Progress(),
            Finish(status=Status.REJECTED, reason=Reason.NO_ADDRESS),
            id="every channel was left out",
        ),
        pytest.param(ONE, after(ACCEPTED), Finish(status=Status.ACCEPTED), id="accepted is enough"),
        pytest.param(
            ONE, after(ACCEPTED, status=Status.READ), Finish(status=Status.READ), id="an early receipt counts"
        ),
        pytest.param(
            ONE, after(REFUSED), Finish(status=Status.FAILED, reason=Reason.INVALID_ADDRESS), id="refused, no other hop"
        ),
        pytest.param(
            TWO, after(REFUSED), NextHop(reason=Reason.INVALID_ADDRESS, hop=CONFIRMED), id="refused, another hop"
        ),
        pytest.param(
            TWO,
            after(ACCEPTED),
            Wait(until=NOW + timedelta(seconds=30), reason=Reason.NOT_CONFIRMED_IN_TIME, hop=CONFIRMED),
            id="accepted, wait for delivery",
        ),
        pytest.param(
            TWO, after(LATE), NextHop(reason=Reason.NOT_CONFIRMED_IN_TIME, hop=CONFIRMED), id="not delivered in time"
        ),
        pytest.param(TWO, after(ACCEPTED, status=Status.READ), Finish(status=Status.READ), id="delivered in time"),
        pytest.param(
            TWO,
            after(ACCEPTED, status=Status.FAILED),
            NextHop(reason=Reason.DELIVERY_FAILED, hop=CONFIRMED),
            id="failed after acceptance",
        ),
        pytest.param(
            ONE,
            after(ACCEPTED, status=Status.BOUNCED),
            Finish(status=Status.BOUNCED, reason=Reason.DELIVERY_FAILED),
            id="bounced, no other hop",
        ),
        pytest.param(
            ONE,
            after(UNKNOWN),
            Wait(until=NOW + timedelta(seconds=120), reason=Reason.OUTCOME_UNKNOWN, hop=WHATSAPP),
            id="doubt: wait for evidence",
        ),
        pytest.param(
            ONE,
            after(ended(Outcome.UNKNOWN, ago=121)),
            Finish(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN),
            id="doubt: prefer silence",
        ),
        pytest.param(
            TWO,
            after(ended(Outcome.UNKNOWN, ago=121)),
            Finish(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN),
            id="doubt: no fallback",
        ),
        pytest.param(ONE, after(UNKNOWN, status=Status.SENT), Finish(status=Status.SENT), id="a receipt settled doubt"),
        pytest.param(
            ONE,
            after(UNKNOWN, status=Status.FAILED),
            Finish(status=Status.FAILED, reason=Reason.DELIVERY_FAILED),
            id="a receipt settled doubt as failed",
        ),
        pytest.param(
            ONE,
            after(ended(Outcome.NOT_SENT, reason=Reason.THROTTLED), attempts=8),
            Finish(status=Status.FAILED, reason=Reason.ATTEMPTS_EXHAUSTED),
            id="attempts exhausted",
        ),
        pytest.param(
            ONE,
            after(ended(Outcome.NOT_SENT, ago=10)),
            Send(hop=WHATSAPP, number=2),
            id="backed off long enough",
        ),
        pytest.param(
            ONE,
            after(ended(Outcome.STOPPED, reason=Reason.CANCELLED)),
            Finish(status=Status.CANCELLED, reason=Reason.CANCELLED),
            id="cancelled at the claim",
        ),
        pytest.param(
            ONE,
            after(ended(Outcome.STOPPED, reason=Reason.EXPIRED)),
            Finish(status=Status.EXPIRED, reason=Reason.EXPIRED),
            id="expired at the claim",
        ),
        pytest.param(
            TWO,
            after(ended(Outcome.STOPPED, reason=Reason.ADDRESS_SUPPRESSED)),
            NextHop(reason=Reason.ADDRESS_SUPPRESSED, hop=CONFIRMED),
            id="suppressed at the claim",
        ),
    ],
)
def test_the_next_step(plan: Plan, progress: Progress, step: object) -> None:
    assert decide(plan, progress, NOW) == step


def test_a_retry_waits_for_its_turn() -> None:
    step = decide(ONE, after(NOT_SENT), NOW)
    assert step == Wait(until=NOW + backoff("", 1, None), reason=Reason.RETRY_LATER, hop=WHATSAPP)


def test_a_retry_never_waits_beyond_the_expiry() -> None:
    expires_at = NOW + timedelta(seconds=1)
    step = decide(ONE, after(NOT_SENT), NOW, expires_at)
    assert isinstance(step, Wait)
    assert step.until == expires_at
    assert decide(ONE, after(NOT_SENT), expires_at, expires_at) == Finish(status=Status.EXPIRED, reason=Reason.EXPIRED)


def test_what_the_provider_took_does_not_expire() -> None:
    assert decide(ONE, after(ACCEPTED), NOW, NOW) == Finish(status=Status.ACCEPTED)


def test_a_cancelled_notification_that_was_not_tried_ends() -> None:
    assert decide(ONE, Progress(cancelled=True), NOW) == Finish(status=Status.CANCELLED, reason=Reason.CANCELLED)


def test_cancelling_stops_the_fallback_but_not_what_was_accepted() -> None:
    cancelled = replace(after(ACCEPTED, status=Status.SENT), cancelled=True)
    assert decide(TWO, cancelled, NOW) == Finish(status=Status.SENT)
    refused = replace(after(ACCEPTED, status=Status.FAILED), cancelled=True)
    assert decide(TWO, refused, NOW) == Finish(status=Status.FAILED, reason=Reason.DELIVERY_FAILED)


def test_cancelling_in_doubt_does_not_hide_the_doubt() -> None:
    cancelled = replace(after(UNKNOWN), cancelled=True)
    assert decide(ONE, cancelled, NOW) == Finish(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN)


def test_doubt_is_waited_out_and_then_sent_again_where_a_duplicate_is_preferred() -> None:
    plan = replace(ONE, on_unknown=OnUnknown.PREFER_DUPLICATE)
    assert decide(plan, Progress(), NOW) == Send(hop=WHATSAPP, number=1)
    assert decide(plan, after(UNKNOWN), NOW) == Wait(
        until=NOW + timedelta(seconds=120), reason=Reason.OUTCOME_UNKNOWN, hop=WHATSAPP
    )
    later = after(ended(Outcome.UNKNOWN, ago=121))
    assert decide(plan, later, NOW) == Send(hop=WHATSAPP, number=2, possible_duplicate=True)


def test_doubt_goes_on_to_the_next_hop_where_the_template_says_so() -> None:
    hop = replace(CONFIRMED, after_unknown=True)
    plan = Plan(hops=(hop, EMAIL))
    later = after(ended(Outcome.UNKNOWN, ago=121))
    assert decide(plan, later, NOW) == NextHop(reason=Reason.OUTCOME_UNKNOWN, hop=hop)


def test_a_refused_fallback_after_doubt_ends_in_doubt() -> None:
    progress = replace(after(UNKNOWN), current=1).with_hop(
        1, HopProgress(attempts=1, last=REFUSED, status=Status.REJECTED)
    )
    assert decide(TWO, progress, NOW) == Finish(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN)


def test_a_refused_fallback_after_an_unconfirmed_message_keeps_what_was_achieved() -> None:
    progress = replace(after(LATE, status=Status.SENT), current=1)
    progress = progress.with_hop(1, HopProgress(attempts=1, last=REFUSED, status=Status.REJECTED))
    assert decide(TWO, progress, NOW) == Finish(status=Status.SENT)


def test_a_retry_after_doubt_is_flagged() -> None:
    state = HopProgress(attempts=2, last=ended(Outcome.NOT_SENT, ago=60), doubtful=True)
    step = decide(ONE, Progress().with_hop(0, state), NOW)
    assert step == Send(hop=WHATSAPP, number=3, possible_duplicate=True)


def follow_up(outcome: Outcome | None, *, attempts: int = 1, ago: float = 0) -> Progress:
    image = None if outcome is None else ended(outcome, ago=ago)
    state = HopProgress(
        attempts=1,
        last=replace(ACCEPTED, follow_up=True),
        status=Status.ACCEPTED,
        follow_up=image,
        follow_up_attempts=0 if image is None else attempts,
    )
    return Progress().with_hop(0, state)


@pytest.mark.parametrize(
    ("progress", "step"),
    [
        pytest.param(follow_up(None), Send(hop=WHATSAPP, number=1, part=1), id="the image follows"),
        pytest.param(follow_up(Outcome.ACCEPTED), Finish(status=Status.ACCEPTED), id="it was accepted"),
        pytest.param(follow_up(Outcome.REFUSED), Finish(status=Status.ACCEPTED), id="it was refused"),
        pytest.param(follow_up(Outcome.UNKNOWN), Finish(status=Status.ACCEPTED), id="its doubt is left alone"),
        pytest.param(follow_up(Outcome.NOT_SENT, ago=60), Send(hop=WHATSAPP, number=2, part=1), id="it is tried again"),
        pytest.param(
            follow_up(Outcome.NOT_SENT, attempts=FOLLOW_UP_ATTEMPTS),
            Finish(status=Status.ACCEPTED),
            id="it is given up",
        ),
        pytest.param(replace(follow_up(None), cancelled=True), Finish(status=Status.ACCEPTED), id="it was cancelled"),
    ],
)
def test_the_image_that_follows(progress: Progress, step: object) -> None:
    assert decide(ONE, progress, NOW) == step


def test_the_image_waits_its_turn() -> None:
    step = decide(ONE, follow_up(Outcome.NOT_SENT), NOW)
    assert isinstance(step, Wait)
    assert step.reason is Reason.RETRY_LATER


@pytest.mark.parametrize("number", range(1, 12))
def test_backoff_grows_with_bounded_jitter_and_is_the_same_at_every_replay(number: int) -> None:
    seconds = min(2.0 * 3.0 ** (number - 1), 600.0)
    pause = backoff("m", number, None).total_seconds()
    assert seconds <= pause <= seconds * 1.25
    assert backoff("m", number, None) == backoff("m", number, None)


def test_a_longer_wait_asked_for_by_the_provider_is_honoured_up_to_an_hour() -> None:
    assert backoff("m", 1, 90).total_seconds() >= 90
    assert backoff("m", 1, 86_400).total_seconds() <= 3600 * 1.25


def test_a_cancelled_notification_without_a_way_ends_as_cancelled() -> None:
    cancelled = Progress(cancelled=True)
    assert decide(Plan(hops=()), cancelled, NOW) == Finish(status=Status.CANCELLED, reason=Reason.CANCELLED)


def image_waits(*, ago: float, status: Status = Status.ACCEPTED) -> Progress:
    throttled = replace(ended(Outcome.NOT_SENT), retry_after=3600.0)
    last = replace(ended(Outcome.ACCEPTED, ago=ago), follow_up=True)
    state = HopProgress(attempts=1, last=last, status=status, follow_up=throttled, follow_up_attempts=1)
    return Progress().with_hop(0, state)


def test_an_image_that_waits_never_keeps_the_next_channel_from_its_turn() -> None:
    step = decide(TWO, image_waits(ago=10), NOW)
    assert isinstance(step, Wait)
    assert step.until == NOW + timedelta(seconds=20)
    late = decide(TWO, image_waits(ago=31), NOW)
    assert late == NextHop(reason=Reason.NOT_CONFIRMED_IN_TIME, hop=CONFIRMED)


def test_no_image_follows_a_message_that_failed() -> None:
    failed = image_waits(ago=1, status=Status.FAILED)
    assert decide(TWO, failed, NOW) == NextHop(reason=Reason.DELIVERY_FAILED, hop=CONFIRMED)
