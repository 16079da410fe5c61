"""What comes next when an account has trouble, a limit says later, or a person settles a doubt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.backoff import backoff
from domain.notifications import Alternate, Delivered, Hop, OnUnknown, Outcome, Plan, SkippedHop
from domain.progress import HopProgress, Progress, after_outcome, renewed
from domain.reasons import Reason
from domain.recipients import Channel
from domain.routing import OUTAGE_PATIENCE, decide
from domain.status import Status
from domain.steps import Finish, NextHop, Park, Send, Step, Wait

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=40)
FIRST = Hop(index=0, channel=Channel.WHATSAPP, provider="meta", account_id="a", address_id=None, locale="en")
PAIR = replace(FIRST, alternates=(Alternate(provider="other", account_id="b"),))
SECOND = replace(PAIR, provider="other", account_id="b")
EMAIL = replace(FIRST, index=1, channel=Channel.EMAIL, provider="smtp", account_id="c")
ONE = Plan(hops=(FIRST,))
TWO_ACCOUNTS = Plan(hops=(PAIR,))
TWO_HOPS = Plan(hops=(FIRST, EMAIL))
SUSPENDED = SkippedHop(channel=Channel.EMAIL, reason=Reason.ACCOUNT_SUSPENDED)
PATIENCE = timedelta(seconds=OUTAGE_PATIENCE)


def told(outcome: Outcome, reason: Reason | None = None, *, until: datetime | None = None) -> Delivered:
    return Delivered(outcome=outcome, status=Status.QUEUED, at=NOW, reason=reason, until=until)


def after(*answers: Delivered, account: int = 0) -> Progress:
    progress, number = Progress(), 0
    for place, answer in enumerate(answers):
        number += answer.outcome is not Outcome.HELD or not number
        progress = progress.after(0, number, place if account else 0, answer)
    return progress


REFUSED = told(Outcome.REFUSED, Reason.MISCONFIGURED)
OUTAGE = told(Outcome.HELD, Reason.PROVIDER_UNAVAILABLE)
AWAY = told(Outcome.NOT_SENT, Reason.UNAVAILABLE)
UNSENT = told(Outcome.NOT_SENT, Reason.THROTTLED)
LIMITED = replace(told(Outcome.HELD, Reason.RATE_LIMITED, until=LATER), reserved_for=LATER)
CROWDED = told(Outcome.HELD, Reason.RATE_LIMITED, until=LATER)
BUSY = told(Outcome.HELD, Reason.ACCOUNT_BUSY, until=LATER)
STOPPED = told(Outcome.STOPPED, Reason.ACCOUNT_SUSPENDED)


@pytest.mark.parametrize(
    ("plan", "progress", "step"),
    [
        pytest.param(ONE, after(REFUSED), Park(reason=Reason.MISCONFIGURED, hop=FIRST), id="credentials: park"),
        pytest.param(ONE, after(STOPPED), Park(reason=Reason.ACCOUNT_SUSPENDED, hop=FIRST), id="suspended: park"),
        pytest.param(ONE, after(OUTAGE), Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST), id="outage: park"),
        pytest.param(
            ONE,
            after(told(Outcome.HELD)),
            Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST),
            id="held without a word: park",
        ),
        pytest.param(
            TWO_ACCOUNTS, after(REFUSED), Send(hop=SECOND, number=2, account=1), id="credentials: the other account"
        ),
        pytest.param(
            TWO_ACCOUNTS, after(OUTAGE), Send(hop=SECOND, number=1, account=1), id="outage: the other account, same try"
        ),
        pytest.param(
            TWO_ACCOUNTS,
            after(AWAY),
            Send(hop=SECOND, number=2, account=1),
            id="not reached: the other one at once",
        ),
        pytest.param(
            TWO_ACCOUNTS,
            after(UNSENT),
            Wait(until=NOW + backoff("", 1, None), reason=Reason.RETRY_LATER, hop=PAIR),
            id="throttled: the same account later",
        ),
        pytest.param(
            TWO_ACCOUNTS,
            after(REFUSED, OUTAGE, account=1),
            Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=PAIR),
            id="both in trouble: park",
        ),
        pytest.param(
            TWO_HOPS, after(REFUSED), NextHop(reason=Reason.MISCONFIGURED, hop=FIRST), id="credentials: next channel"
        ),
        pytest.param(
            TWO_HOPS,
            after(OUTAGE),
            Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST, until=NOW + PATIENCE),
            id="outage: wait a while before the next channel",
        ),
        pytest.param(
            Plan(hops=(replace(FIRST, within=60.0), EMAIL)),
            after(OUTAGE),
            Park(
                reason=Reason.PROVIDER_UNAVAILABLE, hop=replace(FIRST, within=60.0), until=NOW + timedelta(seconds=60)
            ),
            id="outage: as long as the plan says",
        ),
        pytest.param(ONE, after(LIMITED), Wait(until=LATER, reason=Reason.RATE_LIMITED, hop=FIRST), id="a limit: wait"),
        pytest.param(ONE, after(BUSY), Wait(until=LATER, reason=Reason.ACCOUNT_BUSY, hop=FIRST), id="busy: wait"),
        pytest.param(
            ONE,
            after(told(Outcome.HELD, until=LATER)),
            Wait(until=LATER, reason=Reason.RATE_LIMITED, hop=FIRST),
            id="held without a word: wait",
        ),
        pytest.param(
            ONE, after(REFUSED).resumed(), Send(hop=FIRST, number=2), id="resumed: a refusal is not the last word"
        ),
        pytest.param(ONE, after(OUTAGE).resumed(), Send(hop=FIRST, number=1), id="resumed before any attempt"),
        pytest.param(
            ONE,
            replace(after(OUTAGE), dropped=True),
            Finish(status=Status.CANCELLED, reason=Reason.DROPPED),
            id="dropped",
        ),
        pytest.param(
            Plan(hops=(), skipped=(SUSPENDED,)),
            Progress(),
            Park(reason=Reason.ACCOUNT_SUSPENDED),
            id="no account: park",
        ),
        pytest.param(
            Plan(hops=(), skipped=(SUSPENDED,)),
            Progress(cancelled=True),
            Finish(status=Status.CANCELLED, reason=Reason.CANCELLED),
            id="cancelled without a plan",
        ),
    ],
)
def test_the_next_step_in_trouble(plan: Plan, progress: Progress, step: Step) -> None:
    assert decide(plan, progress, NOW) == step


def test_a_reserved_instant_goes_with_the_next_attempt() -> None:
    assert decide(ONE, after(LIMITED), LATER) == Send(hop=FIRST, number=1, reserved_for=LATER)
    assert decide(ONE, after(BUSY), LATER) == Send(hop=FIRST, number=1)
    assert decide(ONE, after(CROWDED), LATER) == Send(hop=FIRST, number=1), "asked to come again, nothing reserved"
    busy_meanwhile = after(LIMITED).after(0, 1, 0, BUSY)
    assert busy_meanwhile.hop(0).reserved_for == LATER
    assert after(LIMITED).after(0, 1, 0, AWAY).hop(0).reserved_for is None


@pytest.mark.parametrize(("times", "factor"), [(1, 1), (2, 2), (4, 8), (6, 32), (50, 32)])
def test_who_finds_no_place_again_comes_back_less_often(times: int, factor: int) -> None:
    step = decide(ONE, after(*[BUSY] * times), NOW)
    assert step == Wait(until=NOW + (LATER - NOW) * factor, reason=Reason.ACCOUNT_BUSY, hop=FIRST)


def test_an_outage_beyond_patience_gives_the_next_channel_its_turn() -> None:
    step = decide(TWO_HOPS, after(OUTAGE), NOW + PATIENCE)
    assert step == NextHop(reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST)


def test_a_parked_one_expires() -> None:
    expires_at = NOW + timedelta(seconds=5)
    assert decide(ONE, after(OUTAGE), NOW, expires_at) == Park(
        reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST, until=expires_at
    )
    assert decide(ONE, after(OUTAGE), expires_at, expires_at) == Finish(status=Status.EXPIRED, reason=Reason.EXPIRED)


def test_accounts_take_turns_when_all_were_not_reached() -> None:
    both = after(AWAY, AWAY, account=1)
    due = NOW + backoff("", 2, None)
    assert decide(TWO_ACCOUNTS, both, NOW) == Wait(until=due, reason=Reason.RETRY_LATER, hop=PAIR)
    assert decide(TWO_ACCOUNTS, both, due) == Send(hop=PAIR, number=3, account=0)


def test_a_provider_that_was_never_reached_parks_instead_of_failing() -> None:
    tired = Progress().with_hop(0, HopProgress(attempts=8, last=AWAY))
    assert decide(ONE, tired, NOW) == Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST)


def test_an_account_with_a_passing_trouble_is_tried_again_while_the_other_is_shut() -> None:
    blip = after(OUTAGE).after(0, 1, 1, AWAY)
    due = NOW + backoff("", 1, None)
    assert decide(TWO_ACCOUNTS, blip, NOW) == Wait(until=due, reason=Reason.RETRY_LATER, hop=PAIR)
    assert decide(TWO_ACCOUNTS, blip, due) == Send(hop=SECOND, number=2, account=1)
    shut_too = blip.after(0, 2, 1, OUTAGE)
    assert decide(TWO_ACCOUNTS, shut_too, due) == Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=PAIR)


def test_a_blip_then_a_hold_gives_the_other_account_its_retry() -> None:
    held = after(AWAY).after(0, 2, 1, OUTAGE)
    due = NOW + backoff("", 1, None)
    assert decide(TWO_ACCOUNTS, held, due) == Send(hop=PAIR, number=2, account=0)


def test_an_earlier_channel_that_arrives_spares_the_next_one() -> None:
    accepted = replace(told(Outcome.ACCEPTED), status=Status.ACCEPTED)
    waiting = replace(after(accepted), current=1).after(1, 1, 0, OUTAGE)
    plan = Plan(hops=(replace(FIRST, success=Status.DELIVERED, within=1.0), EMAIL))
    assert isinstance(decide(plan, waiting, NOW), Park)
    assert decide(plan, waiting.heard(0, Status.READ), NOW) == Finish(status=Status.READ)


def test_settling_one_of_two_doubts_leaves_the_other() -> None:
    doubt = replace(told(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN), status=Status.UNKNOWN)
    plan = Plan(hops=(FIRST,), on_unknown=OnUnknown.PREFER_DUPLICATE)
    settled = after(doubt, doubt).settled(0, 2)
    assert settled.hop(0).status is Status.UNKNOWN
    assert decide(plan, settled, LATER) == Send(hop=FIRST, number=3, possible_duplicate=True)


def test_attempts_before_a_resumption_do_not_count() -> None:
    tired = Progress().with_hop(0, HopProgress(attempts=8, last=UNSENT))
    assert decide(ONE, tired, NOW) == Finish(status=Status.FAILED, reason=Reason.ATTEMPTS_EXHAUSTED)
    again = tired.resumed().after(0, 9, 0, UNSENT)
    assert decide(ONE, again, NOW) == Wait(until=NOW + backoff("", 1, None), reason=Reason.RETRY_LATER, hop=FIRST)


def test_trouble_of_the_account_leaves_the_message_where_it_was() -> None:
    parked = after(REFUSED).resumed()
    accepted = replace(told(Outcome.ACCEPTED), status=Status.ACCEPTED)
    assert decide(ONE, parked.after(0, 2, 0, accepted), NOW) == Finish(status=Status.ACCEPTED)


def test_a_doubt_that_a_person_settles_is_tried_again() -> None:
    doubt = replace(told(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN), status=Status.UNKNOWN)
    plan = Plan(hops=(FIRST,), on_unknown=OnUnknown.PREFER_DUPLICATE)
    settled = after(doubt).settled(0, 1)
    assert decide(plan, settled, LATER) == Send(hop=FIRST, number=2)
    assert after(doubt).settled(0, 2) == after(doubt), "another attempt"
    assert after(AWAY).settled(0, 1) == after(AWAY), "not in doubt"
    assert Progress().settled(0, 1) == Progress(), "nothing tried"
    sent = after(doubt).heard(0, Status.SENT).settled(0, 1)
    assert decide(plan, sent, NOW) == Finish(status=Status.SENT), "evidence beats opinion"


def test_the_image_that_follows_waits_for_its_turn_too() -> None:
    accepted = replace(told(Outcome.ACCEPTED), status=Status.ACCEPTED, follow_up=True)
    waiting = after(accepted).follow_up(0, 1, LIMITED)
    assert decide(ONE, waiting, NOW) == Wait(until=LATER, reason=Reason.RATE_LIMITED, hop=FIRST)
    assert decide(ONE, waiting, LATER) == Send(hop=FIRST, number=1, part=1, reserved_for=LATER)
    silent = after(accepted).follow_up(0, 1, told(Outcome.HELD, until=LATER))
    assert decide(ONE, silent, NOW) == Wait(until=LATER, reason=Reason.RATE_LIMITED, hop=FIRST)
    assert decide(ONE, after(accepted).follow_up(0, 1, OUTAGE), NOW) == Finish(status=Status.ACCEPTED)


@pytest.mark.parametrize(
    ("outcome", "reason", "status"),
    [
        pytest.param(Outcome.ACCEPTED, None, Status.ACCEPTED, id="accepted"),
        pytest.param(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, Status.UNKNOWN, id="doubt"),
        pytest.param(Outcome.NOT_SENT, Reason.UNAVAILABLE, Status.QUEUED, id="not sent"),
        pytest.param(Outcome.REFUSED, Reason.INVALID_ADDRESS, Status.REJECTED, id="refused for its own sake"),
        pytest.param(Outcome.REFUSED, Reason.MISCONFIGURED, Status.QUEUED, id="refused for the account's sake"),
    ],
)
def test_what_an_outcome_says_about_its_message(outcome: Outcome, reason: Reason | None, status: Status) -> None:
    assert after_outcome(outcome, reason) is status


def test_the_image_that_follows_is_remembered_apart() -> None:
    state = after(UNSENT).follow_up(0, 1, AWAY).hop(0)
    assert (state.follow_up, state.follow_up_attempts, state.last) == (AWAY, 1, UNSENT)


def test_a_plan_is_renewed_with_the_accounts_of_today() -> None:
    fresh = Plan(hops=(replace(SECOND, index=0),))
    assert renewed(ONE, fresh).hops == (replace(SECOND, index=0),)
    assert renewed(TWO_HOPS, fresh).hops == (replace(SECOND, index=0), EMAIL)
    assert renewed(Plan(hops=()), fresh) is fresh


@pytest.mark.parametrize("reason", [Reason.QUIET_HOURS, Reason.FREQUENCY_CAP])
def test_a_night_does_not_use_up_the_patience_with_a_channel(reason: Reason) -> None:
    evening = after(AWAY, told(Outcome.HELD, reason, until=LATER))
    morning = NOW + timedelta(hours=10)
    progress = evening.after(0, 2, 0, replace(OUTAGE, at=morning))
    step = decide(TWO_HOPS, progress, morning)
    assert step == Park(reason=Reason.PROVIDER_UNAVAILABLE, hop=FIRST, until=morning + PATIENCE)


def test_a_turn_that_was_missed_in_quiet_hours_stays_counted() -> None:
    progress = after(LIMITED, told(Outcome.HELD, Reason.QUIET_HOURS, until=LATER))
    assert progress.hop(0).reserved_for == LATER


def test_what_is_left_out_in_quiet_hours_is_left_out_on_every_channel() -> None:
    progress = after(told(Outcome.STOPPED, Reason.QUIET_HOURS))
    assert decide(TWO_HOPS, progress, NOW) == Finish(status=Status.CANCELLED, reason=Reason.QUIET_HOURS)
