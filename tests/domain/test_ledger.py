"""What contradicts what in a notification's rows, and the small facts beside it: ids, starts, ends of outages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain import buckets, keys
from domain.buckets import State
from domain.circuits import Circuit, CircuitState, account_subject, template_of, template_subject
from domain.findings import Kind
from domain.ledger import MessageRows, contradictions, ended_as
from domain.limits import Bucket
from domain.outages import is_over
from domain.reasons import Reason
from domain.settlement import Beside, Verdict, message_after
from domain.starts import notification_start
from domain.status import Status

TENANT, OTHER = UUID(int=1), UUID(int=2)


def rows(
    status: Status, *, part: int = 0, awaited: bool = False, heard: Sequence[Status] = (), accepted: bool = False
) -> MessageRows:
    return MessageRows(part=part, status=status, awaited=awaited, heard=heard, accepted=accepted)


@pytest.mark.parametrize(
    ("status", "ended", "messages", "found"),
    [
        pytest.param(Status.SENT, True, [rows(Status.SENT, heard=[Status.SENT])], set(), id="all fits"),
        pytest.param(
            Status.SENT,
            False,
            [rows(Status.SENT, heard=[Status.DELIVERED])],
            {Kind.RECEIPT_NOT_APPLIED},
            id="a receipt says more",
        ),
        pytest.param(
            Status.ACCEPTED,
            True,
            [MessageRows(part=0, status=Status.ACCEPTED, awaited=False, unsettled=True)],
            {Kind.RECEIPT_NOT_APPLIED},
            id="an attempt is still called open",
        ),
        pytest.param(
            Status.SENT, True, [rows(Status.SENT, awaited=True)], {Kind.WAIT_AFTER_END}, id="waits after the end"
        ),
        pytest.param(
            Status.FAILED, True, [rows(Status.DELIVERED)], {Kind.STATUS_DIVERGED}, id="failed although delivered"
        ),
        pytest.param(Status.QUEUED, False, [rows(Status.DELIVERED)], set(), id="its workflow is still at work"),
    ],
)
def test_what_does_not_fit(status: Status, ended: bool, messages: list[MessageRows], found: set[Kind]) -> None:  # noqa: FBT001 - a column of the table
    assert contradictions(status, ended=ended, messages=messages) == found


@pytest.mark.parametrize(
    ("status", "messages", "complete", "result"),
    [
        pytest.param(Status.EXPIRED, [], True, Status.EXPIRED, id="nothing to compare with"),
        pytest.param(Status.FAILED, [rows(Status.READ)], True, Status.READ, id="an achievement counts"),
        pytest.param(Status.FAILED, [rows(Status.UNKNOWN)], True, Status.UNKNOWN, id="then doubt"),
        pytest.param(
            Status.SENT, [rows(Status.BOUNCED, accepted=True)], True, Status.BOUNCED, id="what was taken came back"
        ),
        pytest.param(
            Status.SENT, [rows(Status.BOUNCED, accepted=True)], False, Status.SENT, id="unless rows may be missing"
        ),
        pytest.param(
            Status.SENT, [rows(Status.SENT), rows(Status.FAILED, part=1)], True, Status.SENT, id="an image ends nothing"
        ),
    ],
)
def test_how_what_ended_must_stand(
    status: Status,
    messages: list[MessageRows],
    complete: bool,  # noqa: FBT001 - a column of the table
    result: Status,
) -> None:
    assert ended_as(status, messages, complete=complete) is result


def test_an_outage_is_over_when_its_circuit_closed_or_opened_anew() -> None:
    opened = Circuit(state=CircuitState.OPEN, episode=2)
    assert not is_over(opened, 2)
    assert is_over(opened, 1)
    assert is_over(Circuit(episode=2), 2)
    assert is_over(None, 2)


def test_a_start_holds_ids_and_times_and_what_it_is_found_by() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    full = notification_start(
        TENANT, OTHER, send_at=at, expires_at=at, template="hello", resource_type="order", resource_id="1",
        trigger_type="order.shipped", channels=["email", "whatsapp"],
    )  # fmt: skip
    assert full["input"]["send_at"] == full["input"]["expires_at"] == at.isoformat()
    assert (full["resource"], full["channel"]) == ("order/1", "email")
    bare = notification_start(
        TENANT, OTHER, send_at=None, expires_at=None, template="hello", resource_type=None, resource_id=None,
        trigger_type=None, channels=None,
    )  # fmt: skip
    assert (bare["input"]["send_at"], bare["resource"], bare["channel"]) == (None, None, None)


def test_ids_of_workflows_read_as_paths() -> None:
    assert keys.outage_workflow("c", 3) == "outage/c/3"
    assert keys.outages_of("c") == "outage/c/"
    assert keys.operation_workflow("o") == "operation/o"


def test_a_subject_tells_which_template_it_is_about() -> None:
    assert template_of(template_subject(TENANT, OTHER, "en")) == OTHER
    assert template_of(account_subject(TENANT)) is None


def test_a_bucket_tells_what_is_free_and_how_many_wait() -> None:
    one = Bucket(key="account/a", interval=1.0, burst=3, reason=Reason.RATE_LIMITED)
    state = State(front=0)
    assert (buckets.free_now(one, state, 0), buckets.waiting(one, state, 0)) == (3, 0)
    for _ in range(5):
        at, _late = buckets.due((one,), {one.key: state}, 0)
        state = buckets.take(one, state, at, 0, buckets.interval_of(one))
    assert (buckets.free_now(one, state, 0), buckets.waiting(one, state, 0)) == (0, 2)


def test_a_refusal_is_found_behind_an_attempt_that_was_not_sent() -> None:
    others = [Beside(state="refused", reason="invalid_address"), Beside(state="not_sent", reason="unavailable")]
    assert message_after(Status.UNKNOWN, Verdict.NOT_SENT, others) == (Status.REJECTED, "invalid_address")
