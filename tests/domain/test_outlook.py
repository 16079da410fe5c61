"""What a notification is said to wait for is what its workflow waits for, by the same rules and to the same instant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.notifications import Delivered, Hop, OnUnknown, Outcome, Plan
from domain.outlook import Awaits, LastAttempt, Ledger, Outlook, look_ahead
from domain.progress import HopProgress, Progress
from domain.reasons import Reason
from domain.recipients import Channel
from domain.routing import decide
from domain.status import Status
from domain.steps import Wait

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = NOW - timedelta(seconds=1)
HOP = Hop(index=0, channel=Channel.WHATSAPP, provider="meta", account_id="a", address_id=None, locale="en")
NEXT = replace(HOP, index=1, channel=Channel.EMAIL, provider="smtp")
LAST = LastAttempt(
    message_id="m",
    number=1,
    made=1,
    state="accepted",
    claimed_at=AT,
    finished_at=AT,
    retry_after=None,
    channel="whatsapp",
    message_status=Status.ACCEPTED,
    success=Status.DELIVERED,
    awaited=True,
    within=60.0,
    quarantine=120.0,
)
LEDGER = Ledger(
    ended=False, send_at=None, expires_at=None, parked_cause=None, parked_until=None, in_line=False, last=LAST
)


def tried(**changes: Any) -> Ledger:
    return replace(LEDGER, last=replace(LAST, **changes))


@pytest.mark.parametrize("expires_at", [None, NOW + timedelta(seconds=0.5)], ids=["for ever", "expires soon"])
@pytest.mark.parametrize(
    ("outcome", "status", "number", "retry_after"),
    [
        pytest.param(Outcome.ACCEPTED, Status.ACCEPTED, 1, None, id="accepted, not delivered yet"),
        pytest.param(Outcome.ACCEPTED, Status.SENT, 1, None, id="sent, not delivered yet"),
        pytest.param(Outcome.NOT_SENT, Status.QUEUED, 1, None, id="not sent"),
        pytest.param(Outcome.NOT_SENT, Status.QUEUED, 5, None, id="not sent for the fifth time"),
        pytest.param(Outcome.NOT_SENT, Status.QUEUED, 2, 300.0, id="asked to come later"),
        pytest.param(Outcome.UNKNOWN, Status.UNKNOWN, 1, None, id="in doubt"),
    ],
)
def test_it_says_what_the_workflow_decides(
    outcome: Outcome, status: Status, number: int, retry_after: float | None, expires_at: datetime | None
) -> None:
    hop = replace(HOP, success=Status.DELIVERED, within=60.0)
    plan = Plan(hops=(hop, NEXT), on_unknown=OnUnknown.PREFER_DUPLICATE)
    last = Delivered(outcome=outcome, status=status, at=AT, message_id="m", retry_after=retry_after)
    progress = Progress(hops=(HopProgress(attempts=number, last=last, status=status),))
    step = decide(plan, progress, NOW, expires_at)
    assert isinstance(step, Wait)
    ledger = replace(
        tried(state=outcome.value, number=number, made=number, message_status=status, retry_after=retry_after),
        expires_at=expires_at,
    )
    found = look_ahead(ledger, NOW)
    assert found is not None
    assert (found.reason, found.until) == (step.reason, step.until)


@pytest.mark.parametrize(
    ("ledger", "outlook"),
    [
        pytest.param(replace(LEDGER, ended=True), None, id="it has ended"),
        pytest.param(
            replace(LEDGER, last=None, send_at=NOW + timedelta(days=1)),
            Outlook(awaits=Awaits.ITS_TIME, reason=Reason.SCHEDULED, until=NOW + timedelta(days=1)),
            id="its time has not come",
        ),
        pytest.param(
            replace(LEDGER, last=None, in_line=True, send_at=AT),
            Outlook(awaits=Awaits.A_WORKER),
            id="it stands in line",
        ),
        pytest.param(replace(LEDGER, last=None), Outlook(awaits=Awaits.THE_NEXT_STEP), id="it was just taken up"),
        pytest.param(
            replace(LEDGER, parked_cause=Reason.MISCONFIGURED, parked_until=NOW + timedelta(hours=1)),
            Outlook(awaits=Awaits.SOMEBODY, reason=Reason.MISCONFIGURED, until=NOW + timedelta(hours=1)),
            id="it is parked",
        ),
        pytest.param(
            replace(LEDGER, held=(Reason.QUIET_HOURS, NOW + timedelta(hours=9))),
            Outlook(awaits=Awaits.ITS_TIME, reason=Reason.QUIET_HOURS, until=NOW + timedelta(hours=9)),
            id="quiet hours hold it",
        ),
        pytest.param(
            replace(LEDGER, held=(Reason.QUIET_HOURS, NOW + timedelta(hours=9)), expires_at=NOW + timedelta(hours=1)),
            Outlook(awaits=Awaits.ITS_TIME, reason=Reason.QUIET_HOURS, until=NOW + timedelta(hours=1)),
            id="quiet hours hold it beyond its end",
        ),
        pytest.param(
            replace(LEDGER, held=(Reason.FREQUENCY_CAP, NOW + timedelta(days=3))),
            Outlook(awaits=Awaits.ITS_TURN, reason=Reason.FREQUENCY_CAP, until=NOW + timedelta(days=3)),
            id="a cap delays it",
        ),
        pytest.param(
            replace(LEDGER, held=(Reason.FREQUENCY_CAP, NOW + timedelta(days=3)), expires_at=NOW + timedelta(days=1)),
            Outlook(awaits=Awaits.ITS_TURN, reason=Reason.FREQUENCY_CAP, until=NOW + timedelta(days=1)),
            id="a cap delays it beyond its expiry",
        ),
        pytest.param(
            replace(LEDGER, held=(Reason.RATE_LIMITED, NOW + timedelta(seconds=3))),
            Outlook(awaits=Awaits.ITS_TURN, reason=Reason.RATE_LIMITED, until=NOW + timedelta(seconds=3)),
            id="its turn comes",
        ),
        pytest.param(
            tried(state="sending", finished_at=None, message_status=Status.QUEUED),
            Outlook(awaits=Awaits.AN_ANSWER),
            id="the provider is being called",
        ),
        pytest.param(
            tried(state="refused", message_status=Status.REJECTED),
            Outlook(awaits=Awaits.THE_NEXT_STEP),
            id="refused: the next channel follows at once",
        ),
        pytest.param(tried(awaited=False), Outlook(awaits=Awaits.THE_NEXT_STEP), id="accepted, nothing to wait for"),
        pytest.param(tried(message_status=Status.DELIVERED), Outlook(awaits=Awaits.THE_NEXT_STEP), id="it just worked"),
    ],
)
def test_what_a_notification_waits_for(ledger: Ledger, outlook: Outlook | None) -> None:
    assert look_ahead(ledger, NOW) == outlook


def test_attempts_before_a_resumption_do_not_lengthen_the_wait() -> None:
    fresh = look_ahead(tried(state="not_sent", message_status=Status.QUEUED, number=7, made=1), NOW)
    first = look_ahead(tried(state="not_sent", message_status=Status.QUEUED), NOW)
    assert fresh == first
