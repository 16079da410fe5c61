"""Judges the evidence of a campaign: every promise is one function that yields what breaks it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from domain.status import Status, advance
from tests.chaos import histories
from tests.chaos.case import Case
from tests.chaos.evidence import Asked, AttemptRow, Evidence, NotificationRow, Told
from tests.chaos.report import Kind, Violation

_HANDED_OVER = {"accepted", "sent", "delivered", "read"}
_NOTHING_SENT = {"failed", "rejected", "expired", "cancelled"}
_NO_SUCH = 404


def check(evidence: Evidence) -> list[Violation]:
    """Returns everything that breaks a promise."""
    case = Case.of(evidence)
    return [violation for promise in PROMISES for violation in promise(case)]


def nothing_is_lost(case: Case) -> Iterator[Violation]:
    """What was answered with 202 is known, ends or waits with a cause, and was sent where it says so."""
    kept = {(row.tenant, row.key) for row in case.evidence.notifications}
    for asked in case.evidence.asked:
        for name in asked.ids - case.rows.keys():
            yield Violation(kind=Kind.LOST, subject=name, detail=f"{asked.key} was answered with 202 and has no row")
        if not asked.ids and asked.refused and (asked.tenant, asked.key) in kept:
            detail = f"{asked.key} is kept, and its request was refused: {asked.refused}"
            yield Violation(kind=Kind.UNEXPLAINED, subject=asked.key, detail=detail)
    for row in case.evidence.notifications:
        if not row.ended and row.parked is None:
            yield Violation(kind=Kind.LOST, subject=row.id, detail=f"{row.key} is {row.status} and has not ended")
        if row.status in _HANDED_OVER and not case.taken_for(row):
            yield Violation(kind=Kind.LOST, subject=row.id, detail=f"{row.key} is {row.status} and nobody took it")
    for attempt in case.evidence.attempts:
        if attempt.state == "accepted" and not case.taken_of.get(attempt.reference):
            yield Violation(kind=Kind.LOST, subject=attempt.reference, detail="accepted, as we say, and nobody took it")


def nothing_is_doubled_in_silence(case: Case) -> Iterator[Violation]:
    """One key is one notification, one attempt one message, and who may get it twice was flagged before."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in case.evidence.notifications:
        keys[row.tenant, row.key].add(row.id)
    for asked in case.evidence.asked:
        names = asked.ids | keys[asked.tenant, asked.key]
        if len(names) > 1:
            yield _doubled(asked.key, f"one key, {len(names)} notifications: {', '.join(sorted(names))}")
        yield from _doubled_messages(case, asked, names)
    for reference, taken in case.taken_of.items():
        if reference and len(taken) > 1:
            yield _doubled(reference, f"one attempt was sent {len(taken)} times")


def _doubled_messages(case: Case, asked: Asked, names: Iterable[str]) -> Iterator[Violation]:
    taken = case.taken.get((asked.tenant, asked.key), [])
    for channel in asked.channels:
        times = sum(one.channel == channel for one in taken)
        flagged = sum(
            attempt.flagged and attempt.channel == channel for name in names for attempt in case.attempts[name]
        )
        if times > 1 and asked.on_unknown == "prefer_silence":
            yield _doubled(asked.key, f"{channel} took it {times} times although silence is preferred")
        elif times - 1 > flagged:
            yield _doubled(asked.key, f"{channel} took it {times} times, and {flagged} attempts are flagged")
    first, *others = asked.channels
    arrived = [one for one in taken if one.channel == first and not one.fails]
    rule = asked.fallback.get(first, {})
    goes_on = rule.get("within") is not None or rule.get("after_unknown", False)
    if arrived and not goes_on and any(one.channel in others for one in taken):
        yield _doubled(asked.key, f"{first} took it and nothing let it go on to {', '.join(others)}")


def _doubled(subject: str, detail: str) -> Violation:
    return Violation(kind=Kind.DUPLICATED, subject=subject, detail=detail)


def nothing_comes_unasked(case: Case) -> Iterator[Violation]:
    """The providers got nothing that nobody asked for, at no other address, and from no attempt that we do not know."""
    for one in case.evidence.acceptances:
        asked = case.asked.get((one.tenant, one.order))
        if asked is None:
            wrong = f"nobody asked for {one.order!r}"
        elif asked.refused and not asked.ids:
            wrong = f"{one.order} was refused: {asked.refused}"
        elif one.channel not in asked.channels or one.to.lstrip("+") not in {asked.phone, asked.mailbox}:
            wrong = f"{one.order} went to an address that nobody named, over {one.channel}"
        elif one.reference not in case.by_reference:
            wrong = f"{one.order} has a reference that no attempt of ours has"
        else:
            continue
        yield Violation(kind=Kind.UNEXPECTED, subject=one.reference or str(one.sequence), detail=wrong)


def nothing_accepted_is_called_failed(case: Case) -> Iterator[Violation]:
    """Neither a notification nor an attempt that a provider took is said not to have been sent."""
    for row in case.evidence.notifications:
        arrived = [one for one in case.taken_for(row) if not one.fails]
        if arrived and row.status in _NOTHING_SENT:
            yield Violation(
                kind=Kind.FAILED_ALTHOUGH_ACCEPTED,
                subject=row.id,
                detail=f"{row.key} is {row.status}, and {arrived[0].channel} took it",
            )
    for attempt in case.evidence.attempts:
        if attempt.state in {"refused", "not_sent"} and case.taken_of.get(attempt.reference):
            yield Violation(
                kind=Kind.FAILED_ALTHOUGH_ACCEPTED,
                subject=attempt.reference,
                detail=f"an attempt is {attempt.state}, and {attempt.channel} took it",
            )


def nothing_is_claimed_after_its_expiry(case: Case) -> Iterator[Violation]:
    """Nobody begins to send what nobody wants any more."""
    for attempt in case.evidence.attempts:
        row = case.rows.get(attempt.notification)
        if row is None or row.expires_at is None or attempt.claimed_at is None:
            continue
        late = (attempt.claimed_at - row.expires_at).total_seconds()
        if late > case.evidence.grace:
            detail = f"{row.key} was claimed {late:.1f} s after it had expired"
            yield Violation(kind=Kind.UNEXPECTED, subject=attempt.reference, detail=detail)


def nothing_goes_backwards(case: Case) -> Iterator[Violation]:
    """Who reads a status again sees the same one or a later one."""
    last: dict[str, Status] = {}
    final = [(row.id, row.status) for row in case.evidence.notifications]
    shown = [*((seen.notification, seen.status) for seen in case.evidence.seen), *final]
    for name, status in shown:
        news, before = Status(status), last.get(name, Status.QUEUED)
        if news is not before and advance(before, news) is not news and not _is_left_in_doubt(case, name, news):
            yield Violation(kind=Kind.REGRESSED, subject=name, detail=f"{before.value} became {news.value}")
        last[name] = news


def _is_left_in_doubt(case: Case, name: str, news: Status) -> bool:
    """Tells whether one channel took it and failed after all, while nobody can say what became of another one."""
    statuses = {Status(attempt.message_status) for attempt in case.attempts[name]}
    return news is Status.UNKNOWN and news in statuses and any(status.is_failure for status in statuses)


def nobody_sees_another_tenant(case: Case) -> Iterator[Violation]:
    """No message, receipt or answer crosses from one tenant to another."""
    for one in case.evidence.acceptances:
        attempt = case.by_reference.get(one.reference)
        expected = case.evidence.tenants.get(one.tenant)
        if one.named != expected or (attempt is not None and attempt.tenant != one.tenant):
            detail = f"a message of {one.named} went out through an account of {expected}"
            yield Violation(kind=Kind.CROSS_TENANT, subject=one.reference, detail=detail)
    for event in case.evidence.strayed:
        yield Violation(kind=Kind.CROSS_TENANT, subject=event, detail="another tenant's receipt found a message")
    for pried in case.evidence.pried:
        if pried.status != _NO_SUCH:
            detail = f"a notification of {pried.owner} was answered with {pried.status}"
            yield Violation(kind=Kind.CROSS_TENANT, subject=pried.notification, detail=detail)


def nothing_follows_a_stop(case: Case) -> Iterator[Violation]:
    """After `stopped`, and under a key that was cancelled before its start, nothing is sent, ever."""
    for asked in case.evidence.asked:
        taken = case.taken.get((asked.tenant, asked.key))
        if taken and (asked.stopped or (asked.buried and not asked.ids)):
            detail = f"{asked.key} was stopped, and {taken[0].channel} took it"
            yield Violation(kind=Kind.SENT_AFTER_STOPPED, subject=asked.key, detail=detail)


def every_receipt_lands(case: Case) -> Iterator[Violation]:
    """A receipt that we answered with 200 settles its attempt and advances its message."""
    for told in case.evidence.told:
        attempt = case.by_reference.get(told.reference)
        if told.astray or attempt is None:  # one that no attempt of ours has is unexpected already
            continue
        if attempt.state in {"sending", "unknown"} and told.names_us:
            yield _lost_receipt(told, f"the attempt is still {attempt.state}")
        elif attempt.state == "accepted" and not _shows(case, attempt, told):
            yield _lost_receipt(told, f"the message is {attempt.message_status}")


def _shows(case: Case, attempt: AttemptRow, told: Told) -> bool:
    """Tells whether a message shows what was told; a failure says nothing of its other attempts."""
    news, status = Status(told.status), Status(attempt.message_status)
    others = [one for one in case.attempts[attempt.notification] if one.message == attempt.message]
    return advance(status, news) is status or (news.is_failure and len(others) > 1)


def _lost_receipt(told: Told, detail: str) -> Violation:
    subject = told.reference or told.provider_id
    return Violation(kind=Kind.RECEIPT_LOST, subject=subject, detail=f"{told.status} was told, and {detail}")


def every_row_is_explained(case: Case) -> Iterator[Violation]:
    """Nothing is left half done, and whatever was not sent says why."""
    for attempt in case.evidence.attempts:
        if attempt.state == "sending":
            yield _unexplained(attempt.reference, "an attempt is still sending")
    for row in case.evidence.unhanded:
        yield _unexplained(row, "is left in the outbox")
    for event in case.evidence.repeated:
        yield _unexplained(event, "one receipt is there more than once")
    for row_ in case.evidence.notifications:
        if wrong := _unexplained_end(case, row_):
            yield _unexplained(row_.id, f"{row_.key} {wrong}")


def _unexplained_end(case: Case, row: NotificationRow) -> str:
    asked = case.asked.get((row.tenant, row.key))
    parked, idle = row.parked == "", not row.ended or row.status in _HANDED_OVER
    doubtful = any(one.state == "unknown" for one in case.attempts[row.id])
    wrongs = {
        "is parked without a cause": parked,
        f"ended as {row.status} without a reason": not idle and (row.status == "queued" or not row.reason),
        "is unknown, and no attempt is": row.status == "unknown" and not idle and not doubtful,
        "expired and could not": row.status == "expired" and asked is not None and not asked.may_expire,
        "is cancelled, and nobody did": row.status == "cancelled" and asked is not None and not asked.cancels,
    }
    return next((words for words, wrong in wrongs.items() if wrong), "")


def _unexplained(subject: str, detail: str) -> Violation:
    return Violation(kind=Kind.UNEXPLAINED, subject=subject, detail=detail)


def every_history_is_possible(case: Case) -> Iterator[Violation]:
    """What became of each message is among what the model of the protocol can reach."""
    for row in case.evidence.notifications:
        for history in histories.of(row, case.attempts[row.id]):
            if not histories.is_possible(history):
                yield Violation(kind=Kind.IMPOSSIBLE_HISTORY, subject=row.id, detail=histories.told(history))
        if row.status in {"failed", "rejected"} and any(one.state == "unknown" for one in case.attempts[row.id]):
            detail = f"{row.key} is {row.status}, and an attempt is in doubt"
            yield Violation(kind=Kind.IMPOSSIBLE_HISTORY, subject=row.id, detail=detail)


PROMISES: tuple[Callable[[Case], Iterator[Violation]], ...] = (
    nothing_is_lost,
    nothing_is_doubled_in_silence,
    nothing_comes_unasked,
    nothing_accepted_is_called_failed,
    nothing_is_claimed_after_its_expiry,
    nothing_goes_backwards,
    nobody_sees_another_tenant,
    nothing_follows_a_stop,
    every_receipt_lands,
    every_row_is_explained,
    every_history_is_possible,
)
