"""A person's word settles doubt and nothing else: what is proven or still open stays as it is."""

import pytest

from domain.settlement import Beside, Verdict, message_after, notification_after
from domain.status import Status

REFUSED = Beside(state="refused", reason="invalid_address")
BOUNCED = Beside(state="accepted", failure=Status.BOUNCED, reason="delivery_failed")


@pytest.mark.parametrize(
    ("current", "verdict", "others", "result"),
    [
        pytest.param(Status.UNKNOWN, Verdict.SENT, [], (Status.ACCEPTED, None), id="it was sent"),
        pytest.param(Status.DELIVERED, Verdict.SENT, [], (Status.DELIVERED, None), id="more is known already"),
        pytest.param(
            Status.UNKNOWN, Verdict.NOT_SENT, [], (Status.QUEUED, "settled_not_sent"), id="the only one was not sent"
        ),
        pytest.param(
            Status.UNKNOWN,
            Verdict.NOT_SENT,
            [Beside(state="unknown")],
            (Status.UNKNOWN, None),
            id="another one is in doubt",
        ),
        pytest.param(
            Status.UNKNOWN,
            Verdict.NOT_SENT,
            [Beside(state="sending")],
            (Status.UNKNOWN, None),
            id="another one is being made",
        ),
        pytest.param(
            Status.ACCEPTED,
            Verdict.NOT_SENT,
            [Beside(state="accepted")],
            (Status.ACCEPTED, None),
            id="another was taken",
        ),
        pytest.param(
            Status.UNKNOWN, Verdict.NOT_SENT, [REFUSED], (Status.REJECTED, "invalid_address"), id="another was refused"
        ),
        pytest.param(
            Status.UNKNOWN,
            Verdict.NOT_SENT,
            [REFUSED, BOUNCED],
            (Status.BOUNCED, "delivery_failed"),
            id="another was taken and came back",
        ),
    ],
)
def test_a_message_after_one_of_its_attempts_was_settled(
    current: Status, verdict: Verdict, others: list[Beside], result: tuple[Status, str | None]
) -> None:
    assert message_after(current, verdict, others) == result


@pytest.mark.parametrize(
    ("current", "messages", "ended", "result"),
    [
        pytest.param(Status.UNKNOWN, [Status.ACCEPTED], True, Status.ACCEPTED, id="sent after the end"),
        pytest.param(Status.UNKNOWN, [Status.ACCEPTED], False, Status.ACCEPTED, id="sent while it goes on"),
        pytest.param(Status.UNKNOWN, [Status.QUEUED], True, Status.FAILED, id="nothing was sent: it failed"),
        pytest.param(Status.UNKNOWN, [Status.QUEUED], False, Status.QUEUED, id="nothing was sent yet: it goes on"),
        pytest.param(Status.UNKNOWN, [Status.QUEUED, Status.UNKNOWN], True, Status.UNKNOWN, id="doubt elsewhere"),
        pytest.param(Status.UNKNOWN, [Status.BOUNCED, Status.QUEUED], True, Status.BOUNCED, id="another came back"),
        pytest.param(Status.DELIVERED, [Status.DELIVERED, Status.QUEUED], True, Status.DELIVERED, id="it arrived"),
        pytest.param(Status.ACCEPTED, [Status.FAILED], False, Status.ACCEPTED, id="a failure is for the workflow"),
    ],
)
def test_a_notification_after_a_settlement(
    current: Status, messages: list[Status], result: Status, *, ended: bool
) -> None:
    assert notification_after(current, messages, ended=ended) is result
