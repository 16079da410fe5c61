"""The checker finds nothing wrong with what is right, and names everything that is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos.case import figures
from tests.chaos.checker import check
from tests.chaos.evidence import Acceptance, Asked, AttemptRow, Evidence, NotificationRow, Pried, Seen, Told
from tests.chaos.report import Kind, Report, Verdict

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PHONE, MAILBOX = "919800000001", "fate-00-00-0001@example.com"


def asked(key: str, **more: Any) -> Asked:
    facts: dict[str, Any] = {"tenant": "t-0", "channels": ("whatsapp",), "phone": PHONE, "mailbox": MAILBOX}
    return Asked(key=key, **{**facts, "ids": frozenset({f"id-{key}"}), "promised_at": NOON, **more})


def row(key: str, **more: Any) -> NotificationRow:
    facts: dict[str, Any] = {"tenant": "t-0", "status": "read", "reason": None, "on_unknown": "prefer_silence"}
    return NotificationRow(id=f"id-{key}", key=key, **{**facts, "ended": True, **more})


def attempt(key: str, number: int = 1, **more: Any) -> AttemptRow:
    facts: dict[str, Any] = {"tenant": "t-0", "hop": 0, "part": 0, "channel": "whatsapp", "state": "accepted"}
    facts |= {"message": f"message-{key}", "reference": f"ref-{key}-{number}", "flagged": False}
    return AttemptRow(notification=f"id-{key}", number=number, **{**facts, "message_status": "read", **more})


def took(key: str, number: int = 1, **more: Any) -> Acceptance:
    facts: dict[str, Any] = {"tenant": "t-0", "channel": "whatsapp", "to": PHONE, "named": "tenant-0"}
    facts |= {"sequence": number, "at": NOON + timedelta(seconds=1), "reference": f"ref-{key}-{number}"}
    return Acceptance(order=key, **{**facts, "provider_id": f"wamid-{key}-{number}", **more})


def told(key: str, status: str, **more: Any) -> Told:
    facts: dict[str, Any] = {"tenant": "t-0", "reference": f"ref-{key}-1", "provider_id": f"wamid-{key}-1"}
    return Told(status=status, **{**facts, **more})


RULE = {"whatsapp": {"success": "delivered", "within": 4}}
GOOD = Evidence(
    tenants={"t-0": "tenant-0", "t-1": "tenant-1"},
    asked=(
        asked("plain"),
        asked("doubt"),
        asked("twice", on_unknown="prefer_duplicate"),
        asked("falls", channels=("whatsapp", "email"), fallback=RULE),
        asked("fails", channels=("whatsapp", "email")),
        asked("stopped", stopped=True, cancels=True),
        asked("parked"),
        asked("buried", ids=frozenset(), promised_at=None, buried=True),
        asked("too late", ids=frozenset(), promised_at=None, may_expire=True, refused="422 validation-failed"),
        asked("refused"),
    ),
    notifications=(
        row("plain"),
        row("doubt", status="unknown", reason="outcome_unknown"),
        row("twice", on_unknown="prefer_duplicate"),
        row("falls", status="accepted"),
        row("fails", status="accepted"),
        row("stopped", status="cancelled", reason="cancelled"),
        row("parked", status="queued", ended=False, parked="misconfigured"),
        row("refused", status="failed", reason="invalid_address"),
    ),
    attempts=(
        attempt("plain"),
        attempt("doubt", state="unknown", message_status="unknown"),
        attempt("twice", settled_by="receipt"),
        attempt("twice", 2, flagged=True),
        attempt("falls", message_status="sent"),
        attempt("falls", reference="ref-falls-2", hop=1, channel="email", message="m", message_status="accepted"),
        attempt("fails", message_status="failed"),
        attempt("fails", reference="ref-fails-2", hop=1, channel="email", message="n", message_status="accepted"),
        attempt("refused", state="refused", message_status="rejected"),
    ),
    acceptances=(
        took("plain"),
        took("doubt"),
        took("twice"),
        took("twice", 2),
        took("falls"),
        took("falls", 2, channel="email", to=MAILBOX),
        took("fails", fails=True),
        took("fails", 2, channel="email", to=MAILBOX),
    ),
    told=(
        *(told("plain", status) for status in ("read", "sent", "delivered", "sent")),
        told("twice", "read"),
        told("fails", "failed"),
        told("plain", "sent", tenant="t-1", astray=True),
    ),
    seen=tuple(Seen(notification="id-plain", status=one) for one in ("queued", "accepted", "accepted", "read")),
    pried=(Pried(tenant="t-1", owner="t-0", notification="id-plain", status=404),),
)
Change = Callable[[Evidence], Evidence]


def put(evidence: Evidence, what: str, items: Sequence[Any]) -> Evidence:
    fields: dict[str, Any] = {what: tuple(items)}
    return replace(evidence, **fields)


def changed(what: str, place: int, **values: Any) -> Change:
    def change(evidence: Evidence) -> Evidence:
        items = list(getattr(evidence, what))
        items[place] = replace(items[place], **values)
        return put(evidence, what, items)

    return change


def without(what: str, place: int) -> Change:
    def change(evidence: Evidence) -> Evidence:
        items = getattr(evidence, what)
        return put(evidence, what, items[:place] + items[place + 1 :])

    return change


def plus(what: str, *more: Any) -> Change:
    return lambda evidence: put(evidence, what, (*getattr(evidence, what), *more))


def both(*changes: Change) -> Change:
    def change(evidence: Evidence) -> Evidence:
        for one in changes:
            evidence = one(evidence)
        return evidence

    return change


PLAIN, DOUBT, TWICE, FALLS, FAILS, STOPPED, PARKED, REFUSED = range(8)
WRONGS: dict[str, tuple[Change, Kind]] = {
    "a promise without a row": (without("notifications", PLAIN), Kind.LOST),
    "a notification that never ends": (changed("notifications", PLAIN, ended=False, status="queued"), Kind.LOST),
    "sent, and nobody has it": (without("acceptances", PLAIN), Kind.LOST),
    "an attempt accepted, and nobody has it": (
        both(changed("attempts", DOUBT, state="accepted"), without("acceptances", DOUBT)),
        Kind.LOST,
    ),
    "two notifications for one key": (plus("notifications", replace(row("plain"), id="other")), Kind.DUPLICATED),
    "two answers for one key": (
        both(
            changed("asked", PLAIN, ids=frozenset({"id-plain", "other"})),
            plus("notifications", replace(row("plain"), id="other", key="elsewhere")),
            plus("acceptances", replace(took("plain", 3), order="elsewhere")),
        ),
        Kind.DUPLICATED,
    ),
    "one attempt sent twice": (plus("acceptances", took("plain")), Kind.DUPLICATED),
    "a second attempt under silence": (
        both(plus("attempts", attempt("plain", 2, flagged=True)), plus("acceptances", took("plain", 2))),
        Kind.DUPLICATED,
    ),
    "a duplicate that was not flagged": (changed("attempts", 3, flagged=False), Kind.DUPLICATED),
    "the next channel without a rule": (changed("asked", FALLS, fallback={}), Kind.DUPLICATED),
    "what nobody asked for": (plus("acceptances", took("nobody")), Kind.UNEXPECTED),
    "the refused body of a used key": (
        plus("acceptances", replace(took("plain", 2), order="plain-other", reference="ref-plain-1")),
        Kind.UNEXPECTED,
    ),
    "an address that nobody named": (changed("acceptances", PLAIN, to="919800000009"), Kind.UNEXPECTED),
    "a reference that we do not know": (changed("acceptances", PLAIN, reference="unclaimed"), Kind.UNEXPECTED),
    "sent although refused": (plus("acceptances", took("too late")), Kind.UNEXPECTED),
    "claimed after it had expired": (
        both(
            changed("notifications", PLAIN, expires_at=NOON),
            changed("attempts", PLAIN, claimed_at=NOON + timedelta(seconds=16)),
        ),
        Kind.UNEXPECTED,
    ),
    "failed although accepted": (
        changed("notifications", PLAIN, status="failed", reason="rejected"),
        Kind.FAILED_ALTHOUGH_ACCEPTED,
    ),
    "expired although accepted": (
        both(
            changed("notifications", DOUBT, status="expired", reason="expired"),
            changed("asked", DOUBT, may_expire=True),
        ),
        Kind.FAILED_ALTHOUGH_ACCEPTED,
    ),
    "an attempt not sent although accepted": (
        changed("attempts", DOUBT, state="not_sent"),
        Kind.FAILED_ALTHOUGH_ACCEPTED,
    ),
    "a status that goes backwards": (
        plus("seen", Seen(notification="id-plain", status="sent")),
        Kind.REGRESSED,
    ),
    "a status that was shown and is gone": (
        plus("seen", Seen(notification="id-falls", status="delivered")),
        Kind.REGRESSED,
    ),
    "one failure in place of another": (
        plus("seen", Seen(notification="id-refused", status="rejected")),
        Kind.REGRESSED,
    ),
    "another tenant's content": (changed("acceptances", PLAIN, named="tenant-1"), Kind.CROSS_TENANT),
    "another tenant's attempt": (changed("attempts", PLAIN, tenant="t-1"), Kind.CROSS_TENANT),
    "another tenant's receipt": (plus("strayed", "status:wamid:sent"), Kind.CROSS_TENANT),
    "another tenant's notification": (changed("pried", 0, status=200), Kind.CROSS_TENANT),
    "sent after it was stopped": (plus("acceptances", took("stopped")), Kind.SENT_AFTER_STOPPED),
    "sent under a buried key": (plus("acceptances", took("buried")), Kind.SENT_AFTER_STOPPED),
    "a receipt that did not land": (
        both(changed("attempts", PLAIN, message_status="sent"), changed("notifications", PLAIN, status="read")),
        Kind.RECEIPT_LOST,
    ),
    "a receipt that did not end the doubt": (plus("told", told("doubt", "sent")), Kind.RECEIPT_LOST),
    "an attempt that still sends": (changed("attempts", DOUBT, state="sending"), Kind.UNEXPLAINED),
    "a row left in the outbox": (lambda evidence: replace(evidence, unhanded=("start of …",)), Kind.UNEXPLAINED),
    "one receipt twice": (plus("repeated", "status:wamid:sent"), Kind.UNEXPLAINED),
    "an end without a reason": (changed("notifications", DOUBT, reason=None), Kind.UNEXPLAINED),
    "parked without a cause": (changed("notifications", PARKED, parked=""), Kind.UNEXPLAINED),
    "expired and could not": (
        changed("notifications", REFUSED, status="expired", reason="expired"),
        Kind.UNEXPLAINED,
    ),
    "cancelled, and nobody did": (changed("asked", STOPPED, cancels=False), Kind.UNEXPLAINED),
    "unknown without doubt": (
        changed("notifications", REFUSED, status="unknown", reason="outcome_unknown"),
        Kind.UNEXPLAINED,
    ),
    "kept, and its request was refused": (plus("notifications", row("too late")), Kind.UNEXPLAINED),
    "another attempt after doubt under silence": (
        plus("attempts", attempt("doubt", 2, state="not_sent", message_status="unknown")),
        Kind.IMPOSSIBLE_HISTORY,
    ),
    "unknown after a clear refusal": (
        changed("notifications", REFUSED, status="unknown", reason="outcome_unknown"),
        Kind.IMPOSSIBLE_HISTORY,
    ),
    "failed while an attempt is in doubt": (
        both(changed("notifications", DOUBT, status="failed", reason="rejected"), without("acceptances", DOUBT)),
        Kind.IMPOSSIBLE_HISTORY,
    ),
}


def test_what_is_right_is_found_right() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(("change", "kind"), WRONGS.values(), ids=WRONGS)
def test_what_is_wrong_is_named(change: Change, kind: Kind) -> None:
    assert kind in {violation.kind for violation in check(change(GOOD))}


def test_a_moment_between_the_look_at_the_clock_and_the_claim_is_no_violation() -> None:
    claimed = changed("attempts", PLAIN, claimed_at=NOON + timedelta(seconds=14))
    assert check(both(changed("notifications", PLAIN, expires_at=NOON), claimed)(GOOD)) == []


def test_doubt_that_a_late_failure_leaves_is_no_step_backwards() -> None:
    seen = plus("seen", Seen(notification="id-fails", status="accepted"))
    doubtful = changed("notifications", FAILS, status="unknown", reason="outcome_unknown")
    left = both(seen, doubtful, changed("attempts", 7, state="unknown", message_status="unknown"))
    assert check(left(GOOD)) == []
    assert Kind.REGRESSED in {violation.kind for violation in check(both(seen, doubtful)(GOOD))}


def test_every_kind_of_violation_can_be_caught() -> None:
    assert {kind for _, kind in WRONGS.values()} == set(Kind)


def test_the_figures_count_what_is_reported_and_not_judged() -> None:
    found = figures(GOOD, late=0.5)
    assert {name: found[name] for name in ("messages", "accepted", "unknown", "parked", "flagged", "late")} == {
        "messages": 8,
        "accepted": 8,
        "unknown": 1,
        "parked": 1,
        "flagged": 1,
        "late": 5,
    }
    assert figures(GOOD, late=5)["late"] == 0


@pytest.mark.parametrize(
    ("violated", "doubts", "verdict"),
    [
        (False, (), Verdict.VALID),
        (True, (), Verdict.INVALID),
        (True, ("no fault happened",), Verdict.INVALID),
        (False, ("no fault happened",), Verdict.UNKNOWN),
    ],
    ids=["nothing wrong", "a violation", "a violation and a doubt", "a doubt"],
)
def test_a_doubt_is_no_pass_and_no_excuse(violated: bool, doubts: tuple[str, ...], verdict: Verdict) -> None:  # noqa: FBT001 - a parameter of the table
    violations = tuple(check(without("acceptances", PLAIN)(GOOD))) if violated else ()
    assert Report(seed=1, violations=violations, doubts=doubts).verdict is verdict
