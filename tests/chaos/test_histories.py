"""Recorded histories are held against the model of the protocol: possible ones pass, impossible ones do not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.evidence import AttemptRow, NotificationRow
from tests.chaos.histories import History, is_possible, of

SILENCE, DUPLICATE = "prefer_silence", "prefer_duplicate"
POSSIBLE = {
    "accepted at once": (SILENCE, ("accepted",), (), "accepted"),
    "accepted and heard of": (SILENCE, ("accepted",), (), "sent"),
    "in doubt": (SILENCE, ("unknown",), (), "unknown"),
    "refused": (SILENCE, ("refused",), (), "rejected"),
    "accepted after seven retries": (SILENCE, ("not_sent",) * 7 + ("accepted",), (), "sent"),
    "given up after eight": (SILENCE, ("not_sent",) * 8, (), None),
    "repeated after doubt, and flagged": (DUPLICATE, ("unknown", "accepted"), (2,), "sent"),
    "two accepted, and the second flagged": (DUPLICATE, ("accepted", "accepted"), (2,), "sent"),
    "retried after a repetition": (DUPLICATE, ("unknown", "not_sent", "accepted"), (2, 3), "sent"),
}
IMPOSSIBLE = {
    "repeated although silence is preferred": (SILENCE, ("unknown", "accepted"), (), None),
    "two accepted under silence": (SILENCE, ("accepted", "accepted"), (), None),
    "repeated after doubt without a flag": (DUPLICATE, ("unknown", "accepted"), (), None),
    "flagged without doubt": (DUPLICATE, ("not_sent", "accepted"), (2,), None),
    "unknown after a refusal": (SILENCE, ("refused",), (), "unknown"),
    "rejected while in doubt": (SILENCE, ("unknown",), (), "rejected"),
    "accepted by nobody": (SILENCE, ("not_sent",), (), "accepted"),
    "tried a ninth time": (SILENCE, ("not_sent",) * 9, (), None),
}


def history(policy: str, attempts: tuple[str, ...], flagged: tuple[int, ...], status: str | None) -> History:
    return History(policy=policy, attempts=attempts, flagged=flagged, status=status)


@pytest.mark.parametrize("facts", POSSIBLE.values(), ids=POSSIBLE)
def test_what_the_model_reaches_is_possible(facts: Any) -> None:
    assert is_possible(history(*facts))


@pytest.mark.parametrize("facts", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_the_model_never_reaches_is_not(facts: Any) -> None:
    assert not is_possible(history(*facts))


def row(**more: Any) -> NotificationRow:
    facts: dict[str, Any] = {"tenant": "t", "id": "n", "key": "k", "reason": None, "on_unknown": SILENCE, "ended": True}
    return NotificationRow(**{**facts, "status": "read", **more})


def attempt(hop: int, number: int, state: str, **more: Any) -> AttemptRow:
    facts: dict[str, Any] = {"tenant": "t", "notification": "n", "part": 0, "channel": "whatsapp", "flagged": False}
    facts |= {"message": f"m-{hop}", "reference": f"r-{hop}-{number}", "message_status": "read"}
    return AttemptRow(hop=hop, number=number, state=state, **{**facts, **more})


def test_each_hop_has_a_history_of_its_own_and_a_single_one_shows_the_end() -> None:
    (only,) = of(row(), [attempt(0, 2, "accepted", flagged=True), attempt(0, 1, "unknown")])
    assert only == history(SILENCE, ("unknown", "accepted"), (2,), "sent")
    several = list(of(row(), [attempt(1, 1, "accepted"), attempt(0, 1, "refused")]))
    assert several == [history(SILENCE, ("refused",), (), None), history(SILENCE, ("accepted",), (), None)]


@pytest.mark.parametrize("status", ["cancelled", "expired", "failed", "bounced"])
def test_an_end_that_the_model_does_not_know_says_nothing_of_the_attempts(status: str) -> None:
    (only,) = of(row(status=status), [attempt(0, 1, "not_sent")])
    assert only.status is None


@pytest.mark.parametrize(
    "cut",
    [{"expires_at": datetime(2026, 11, 21, tzinfo=UTC)}, {"cancel_requested": True}],
    ids=["expiry", "cancelling"],
)
def test_what_was_cut_short_only_has_possible_attempts(cut: dict[str, Any]) -> None:
    (only,) = of(row(status="unknown", on_unknown=DUPLICATE, **cut), [attempt(0, 1, "unknown")])
    assert (only.status, is_possible(only)) == (None, True)
    (left_alone,) = of(row(status="unknown", on_unknown=DUPLICATE), [attempt(0, 1, "unknown")])
    assert not is_possible(left_alone)


def test_what_has_not_come_to_an_end_has_no_history_yet() -> None:
    assert list(of(row(ended=False), [attempt(0, 1, "sending")])) == []
    (open_,) = of(row(ended=False, status="queued"), [attempt(0, 1, "not_sent")])
    assert open_.status is None


def test_the_image_that_follows_a_message_is_no_attempt_of_it() -> None:
    (only,) = of(row(), [attempt(0, 1, "accepted"), attempt(0, 1, "unknown", part=1)])
    assert only.attempts == ("accepted",)
