"""Statuses merge monotonously, so that the order and the number of receipts never matter."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.status import Status, advance, after_attempt, after_receipt, failure_of, summarise

RECEIPTS = [Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED]


@pytest.mark.parametrize(
    ("current", "news", "result"),
    [
        pytest.param(Status.DELIVERED, Status.SENT, Status.DELIVERED, id="a late sent does not undo delivered"),
        pytest.param(Status.SENT, Status.READ, Status.READ, id="read implies delivered"),
        pytest.param(Status.FAILED, Status.DELIVERED, Status.DELIVERED, id="proof of delivery outranks a failure"),
        pytest.param(Status.SENT, Status.FAILED, Status.FAILED, id="a failure is later news than sent"),
        pytest.param(Status.FAILED, Status.SENT, Status.FAILED, id="a late sent does not undo a failure"),
        pytest.param(Status.UNKNOWN, Status.SENT, Status.SENT, id="a late receipt settles doubt"),
        pytest.param(Status.QUEUED, Status.UNKNOWN, Status.UNKNOWN, id="doubt is news about a queued message"),
        pytest.param(Status.ACCEPTED, Status.UNKNOWN, Status.ACCEPTED, id="doubt never undoes an acceptance"),
        pytest.param(Status.CANCELLED, Status.UNKNOWN, Status.CANCELLED, id="doubt does not replace a decision"),
        pytest.param(Status.FAILED, Status.BOUNCED, Status.BOUNCED, id="a bounce says more than failed"),
    ],
)
def test_status_advances(current: Status, news: Status, result: Status) -> None:
    assert advance(current, news) is result


@pytest.mark.parametrize("receipts", list(permutations(RECEIPTS)))
def test_every_order_of_receipts_ends_the_same(receipts: tuple[Status, ...]) -> None:
    status = Status.ACCEPTED
    for receipt in receipts:
        status = advance(status, receipt)
    assert status is Status.READ


@given(st.sampled_from(Status), st.lists(st.sampled_from(Status), max_size=8))
def test_repetition_changes_nothing(start: Status, news: list[Status]) -> None:
    once, twice = start, start
    for status in news:
        once = advance(once, status)
        twice = advance(advance(twice, status), status)
    assert once is twice


@pytest.mark.parametrize(
    ("current", "news", "result"),
    [
        pytest.param(Status.QUEUED, Status.REJECTED, Status.REJECTED, id="the only attempt was refused"),
        pytest.param(Status.SENT, Status.REJECTED, Status.SENT, id="another attempt is known to have been sent"),
        pytest.param(Status.UNKNOWN, Status.REJECTED, Status.UNKNOWN, id="another attempt is in doubt"),
        pytest.param(Status.UNKNOWN, Status.ACCEPTED, Status.ACCEPTED, id="a later attempt was accepted"),
        pytest.param(Status.REJECTED, Status.ACCEPTED, Status.ACCEPTED, id="an attempt after a refusal was accepted"),
        pytest.param(Status.REJECTED, Status.UNKNOWN, Status.UNKNOWN, id="an attempt after a refusal is in doubt"),
        pytest.param(Status.REJECTED, Status.QUEUED, Status.REJECTED, id="an attempt after a refusal was not sent"),
        pytest.param(Status.FAILED, Status.ACCEPTED, Status.FAILED, id="what a receipt said stays"),
    ],
)
def test_a_refusal_speaks_of_its_own_attempt_only(current: Status, news: Status, result: Status) -> None:
    assert after_attempt(current, news) is result


@pytest.mark.parametrize(
    ("current", "news", "result"),
    [
        pytest.param(Status.REJECTED, Status.SENT, Status.SENT, id="another attempt than the refused one was sent"),
        pytest.param(Status.REJECTED, Status.FAILED, Status.FAILED, id="another attempt was taken and failed"),
        pytest.param(Status.QUEUED, Status.SENT, Status.SENT, id="what counted as not sent was sent"),
        pytest.param(Status.FAILED, Status.SENT, Status.FAILED, id="a late sent does not undo a reported failure"),
    ],
)
def test_a_receipt_outranks_a_refusal(current: Status, news: Status, result: Status) -> None:
    assert after_receipt(current, news) is result


@pytest.mark.parametrize(
    ("statuses", "result"),
    [
        pytest.param([Status.REJECTED], Status.FAILED, id="the only message was refused"),
        pytest.param([Status.BOUNCED, Status.REJECTED], Status.BOUNCED, id="one came back"),
        pytest.param([Status.QUEUED], Status.FAILED, id="nothing was taken"),
    ],
)
def test_how_a_notification_fails(statuses: list[Status], result: Status) -> None:
    assert failure_of(statuses) is result


@pytest.mark.parametrize(
    ("status", "wanted", "reached"),
    [
        pytest.param(Status.READ, Status.DELIVERED, True, id="read reaches delivered"),
        pytest.param(Status.SENT, Status.DELIVERED, False, id="sent does not reach delivered"),
        pytest.param(Status.FAILED, Status.ACCEPTED, False, id="a failure reaches nothing"),
        pytest.param(Status.UNKNOWN, Status.ACCEPTED, False, id="doubt reaches nothing"),
        pytest.param(Status.ACCEPTED, Status.ACCEPTED, True, id="accepted reaches itself"),
    ],
)
def test_status_reaches(status: Status, wanted: Status, *, reached: bool) -> None:
    assert status.reaches(wanted) is reached


@pytest.mark.parametrize(
    ("statuses", "result"),
    [
        pytest.param([], Status.QUEUED, id="nothing yet"),
        pytest.param([Status.FAILED, Status.SENT], Status.SENT, id="what any message achieved counts"),
        pytest.param([Status.SENT, Status.FAILED], Status.SENT, id="in whatever order"),
        pytest.param([Status.REJECTED, Status.FAILED], Status.FAILED, id="only failures: the last one"),
        pytest.param([Status.FAILED, Status.UNKNOWN], Status.UNKNOWN, id="doubt outranks refusal"),
        pytest.param([Status.UNKNOWN, Status.DELIVERED], Status.DELIVERED, id="delivery outranks doubt"),
        pytest.param([Status.QUEUED, Status.BOUNCED], Status.BOUNCED, id="a bounce beside an untried one"),
    ],
)
def test_a_notification_sums_its_messages_up(statuses: list[Status], result: Status) -> None:
    assert summarise(statuses) is result


@pytest.mark.parametrize("status", Status)
def test_finality_is_defined_for_every_status(status: Status) -> None:
    open_statuses = {Status.QUEUED, Status.ACCEPTED, Status.SENT, Status.DELIVERED}
    assert status.is_final is (status not in open_statuses)
