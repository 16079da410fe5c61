"""What to do next with a notification: a pure decision over its plan and what came of it so far."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from domain.notifications import Delivered, Hop, OnUnknown, Outcome, Plan
from domain.reasons import Reason
from domain.status import Status, advance

FIRST_BACKOFF = 2.0
BACKOFF_FACTOR = 3.0
LONGEST_BACKOFF = 600.0
LONGEST_RETRY_AFTER = 3600.0
FOLLOW_UP_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HopProgress:
    """What came of one hop: its attempts so far, the last outcome, and where its message stands.

    Attributes:
        doubtful: Some attempt's outcome stayed unknown.
    """

    attempts: int = 0
    last: Delivered | None = None
    status: Status = Status.QUEUED
    doubtful: bool = False
    follow_up: Delivered | None = None
    follow_up_attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Everything that happened to a notification so far, as its workflow knows it."""

    current: int = 0
    hops: tuple[HopProgress, ...] = ()
    cancelled: bool = False

    def hop(self, index: int) -> HopProgress:
        """Returns the progress of a hop, empty where it was not tried."""
        return self.hops[index] if index < len(self.hops) else HopProgress()

    def with_hop(self, index: int, progress: HopProgress) -> "Progress":
        """Returns this progress with one hop replaced."""
        filled = [self.hop(place) for place in range(max(len(self.hops), index + 1))]
        filled[index] = progress
        return replace(self, hops=tuple(filled))


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Make an attempt now."""

    hop: Hop
    number: int
    part: int = 0
    possible_duplicate: bool = False
    closes: bool = True
    awaits_doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Do nothing until then, or until something is heard about the hop's message."""

    until: datetime
    reason: Reason
    hop: Hop


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """Give this hop up and go on with the next one."""

    reason: Reason
    hop: Hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Nothing is left to do."""

    status: Status
    reason: Reason | None = None


Step = Send | Wait | NextHop | Finish


def decide(plan: Plan, progress: Progress, now: datetime, expires_at: datetime | None = None) -> Step:
    """Returns the one next step for a notification.

    `failed` is only ever decided when every attempt was definitely refused; one doubtful attempt makes it `unknown`.
    """
    if not plan.hops:
        return _end_without_hops(plan, progress)
    hop = plan.hops[progress.current]
    state = progress.hop(progress.current)
    if _was_handed_over(state):
        return _after_acceptance(plan, progress, hop, now)
    if progress.cancelled:
        return _end(progress, Status.CANCELLED, Reason.CANCELLED)
    if expires_at is not None and now >= expires_at:
        return _end(progress, Status.EXPIRED, Reason.EXPIRED)
    if state.last is None:
        return _send(plan, hop, state)
    return _no_later_than(expires_at, _after_attempt(plan, progress, hop, state.last, now))


def backoff(identity: str, number: int, retry_after: float | None) -> timedelta:
    """Returns how long to wait after attempt `number`: exponential with up to a quarter of jitter.

    The jitter comes from `identity`, so that the same attempt waits equally long at every replay. A longer wait that
    the provider asked for is honoured up to an hour.
    """
    seconds = min(FIRST_BACKOFF * BACKOFF_FACTOR ** (number - 1), LONGEST_BACKOFF)
    fraction = hashlib.sha256(f"{identity}/{number}".encode()).digest()[0] / 255
    asked = min(retry_after or 0.0, LONGEST_RETRY_AFTER)
    return timedelta(seconds=max(seconds, asked) * (1 + fraction / 4))


def _no_later_than(expires_at: datetime | None, step: Step) -> Step:
    if isinstance(step, Wait) and expires_at is not None:
        return replace(step, until=min(step.until, expires_at))
    return step


def _was_handed_over(state: HopProgress) -> bool:
    """Tells whether the provider took the message, by its answer or by a receipt; a failure receipt says so too."""
    if state.last is None or state.status.reaches(Status.ACCEPTED):
        return state.last is not None
    if state.last.outcome is Outcome.REFUSED:
        return False
    return state.last.outcome is Outcome.ACCEPTED or state.status.is_failure


def _after_attempt(plan: Plan, progress: Progress, hop: Hop, last: Delivered, now: datetime) -> Step:
    match last.outcome:
        case Outcome.STOPPED:
            return _after_stop(plan, progress, last)
        case Outcome.NOT_SENT:
            return _after_not_sent(plan, progress, hop, last, now)
        case Outcome.UNKNOWN:
            return _after_unknown(plan, progress, hop, last, now)
        case Outcome.REFUSED | Outcome.ACCEPTED:  # what was accepted was handed over and never comes here
            return _give_up(plan, progress, last.reason or Reason.REJECTED)
        case _ as never:
            assert_never(never)


def _send(plan: Plan, hop: Hop, state: HopProgress, *, possible_duplicate: bool = False) -> Send:
    number = state.attempts + 1
    return Send(
        hop=hop,
        number=number,
        possible_duplicate=possible_duplicate,
        closes=not _waits(plan, hop),
        awaits_doubt=_resends(plan, hop, number) or _goes_on(plan, hop),
    )


def _resends(plan: Plan, hop: Hop, attempts: int) -> bool:
    return plan.on_unknown is OnUnknown.PREFER_DUPLICATE and attempts < hop.max_attempts


def _goes_on(plan: Plan, hop: Hop) -> bool:
    return hop.after_unknown and hop.index + 1 < len(plan.hops)


def _waits(plan: Plan, hop: Hop) -> bool:
    """Tells whether the plan still has a decision to make after this hop was accepted."""
    return hop.index + 1 < len(plan.hops) and hop.within is not None and hop.success is not Status.ACCEPTED


def _after_acceptance(plan: Plan, progress: Progress, hop: Hop, now: datetime) -> Step:
    state = progress.hop(progress.current)
    if state.status.is_failure:
        return _give_up(plan, progress, Reason.DELIVERY_FAILED)
    deadline = _deadline(plan, progress, hop, now)
    if deadline is not None and now >= deadline:
        return NextHop(reason=Reason.NOT_CONFIRMED_IN_TIME, hop=hop)
    if not progress.cancelled and (step := _follow_up(plan, hop, state, now)) is not None:
        # An image that has to wait never keeps the next hop from its turn.
        return _no_later_than(deadline, step)
    if deadline is None:
        return Finish(status=_best(progress))
    return Wait(until=deadline, reason=Reason.NOT_CONFIRMED_IN_TIME, hop=hop)


def _deadline(plan: Plan, progress: Progress, hop: Hop, now: datetime) -> datetime | None:
    """Returns until when a confirmation is waited for, None where nothing depends on it any more."""
    state = progress.hop(progress.current)
    if progress.cancelled or state.status.reaches(hop.success) or not _waits(plan, hop):
        return None
    accepted_at = state.last.at if state.last is not None else now
    return accepted_at + timedelta(seconds=hop.within or 0.0)


def _follow_up(plan: Plan, hop: Hop, state: HopProgress, now: datetime) -> Step | None:
    """Returns the step for the image that follows a message, or None when that is over; doubt is left alone."""
    if state.last is None or not state.last.follow_up:
        return None
    if state.follow_up is not None:
        if state.follow_up.outcome is not Outcome.NOT_SENT or state.follow_up_attempts >= FOLLOW_UP_ATTEMPTS:
            return None
        pause = backoff(state.follow_up.message_id or "", state.follow_up_attempts, state.follow_up.retry_after)
        if now < (due := state.follow_up.at + pause):
            return Wait(until=due, reason=Reason.RETRY_LATER, hop=hop)
    return Send(hop=hop, number=state.follow_up_attempts + 1, part=1, closes=not _waits(plan, hop))


def _after_stop(plan: Plan, progress: Progress, last: Delivered) -> Step:
    if last.reason is Reason.CANCELLED:
        return _end(progress, Status.CANCELLED, Reason.CANCELLED)
    if last.reason is Reason.EXPIRED:
        return _end(progress, Status.EXPIRED, Reason.EXPIRED)
    return _give_up(plan, progress, last.reason or Reason.REJECTED)


def _after_not_sent(plan: Plan, progress: Progress, hop: Hop, last: Delivered, now: datetime) -> Step:
    state = progress.hop(progress.current)
    if state.attempts >= hop.max_attempts:
        return _give_up(plan, progress, Reason.ATTEMPTS_EXHAUSTED)
    due = last.at + backoff(last.message_id or "", state.attempts, last.retry_after)
    if now < due:
        return Wait(until=due, reason=Reason.RETRY_LATER, hop=hop)
    return _send(plan, hop, state, possible_duplicate=state.doubtful)


def _after_unknown(plan: Plan, progress: Progress, hop: Hop, last: Delivered, now: datetime) -> Step:
    state = progress.hop(progress.current)
    resend = _resends(plan, hop, state.attempts)
    if not (resend or _goes_on(plan, hop)):
        return _give_up_in_doubt(progress)
    settled_by = last.at + timedelta(seconds=hop.quarantine)
    if now < settled_by:
        return Wait(until=settled_by, reason=Reason.OUTCOME_UNKNOWN, hop=hop)
    if resend:
        return _send(plan, hop, state, possible_duplicate=True)
    return NextHop(reason=Reason.OUTCOME_UNKNOWN, hop=hop)


def _give_up(plan: Plan, progress: Progress, reason: Reason) -> Step:
    if progress.current + 1 < len(plan.hops) and not progress.cancelled:
        return NextHop(reason=reason, hop=plan.hops[progress.current])
    return _end(progress, Status.FAILED, reason)


def _give_up_in_doubt(progress: Progress) -> Finish:
    return _end(progress, Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)


def _end(progress: Progress, status: Status, reason: Reason) -> Finish:
    """Returns the end: what any hop achieved counts, then doubt, and only then the refusal."""
    best = _best(progress)
    if best.reaches(Status.ACCEPTED):
        return Finish(status=best)
    if any(_is_in_doubt(state) for state in progress.hops):
        return Finish(status=Status.UNKNOWN, reason=Reason.OUTCOME_UNKNOWN)
    if status is Status.FAILED and any(state.status is Status.BOUNCED for state in progress.hops):
        return Finish(status=Status.BOUNCED, reason=reason)
    return Finish(status=status, reason=reason)


def _is_in_doubt(state: HopProgress) -> bool:
    """Tells whether some attempt's fate is open: unknown, and no receipt has settled it since."""
    return state.doubtful and not state.status.is_failure and not state.status.reaches(Status.ACCEPTED)


def _best(progress: Progress) -> Status:
    best = Status.QUEUED
    for state in progress.hops:
        if not state.status.is_failure:
            best = advance(best, state.status)
    return best


def _end_without_hops(plan: Plan, progress: Progress) -> Finish:
    if progress.cancelled:
        return Finish(status=Status.CANCELLED, reason=Reason.CANCELLED)
    reason = plan.skipped[-1].reason if plan.skipped else Reason.NO_TEMPLATE_PART
    return Finish(status=Status.REJECTED, reason=reason)
