"""What to do next with a notification: a pure decision over its plan and what came of it so far."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

from domain.backoff import backoff
from domain.notifications import Delivered, Hop, OnUnknown, Outcome, Plan
from domain.progress import ACCOUNT_TROUBLE, HopProgress, Progress
from domain.reasons import Reason
from domain.status import Status, advance
from domain.steps import Finish, NextHop, Park, Send, Step, Wait

FOLLOW_UP_ATTEMPTS = 4
OUTAGE_PATIENCE = 900.0
"""Seconds that a channel's trouble is waited out before the next channel, where the plan names no time."""

_PASSES = frozenset({Reason.UNAVAILABLE, Reason.PROVIDER_UNAVAILABLE, Reason.DAILY_CAP})


def decide(plan: Plan, progress: Progress, now: datetime, expires_at: datetime | None = None) -> Step:
    """Returns the one next step for a notification.

    `failed` is only ever decided when every attempt was definitely refused; one doubtful attempt makes it `unknown`.
    """
    if not plan.hops:
        return _without_hops(plan, progress, now, expires_at)
    hop = plan.hops[progress.current]
    state = progress.hop(progress.current)
    if _was_handed_over(state):
        return _after_acceptance(plan, progress, hop, now)
    if (ended := _stopped(progress, now, expires_at)) is not None:
        return ended
    return _no_later_than(expires_at, _forward(plan, progress, hop, now))


def _stopped(progress: Progress, now: datetime, expires_at: datetime | None) -> Finish | None:
    if progress.cancelled:
        return _end(progress, Status.CANCELLED, Reason.CANCELLED)
    if progress.dropped:
        return _end(progress, Status.CANCELLED, Reason.DROPPED)
    if expires_at is not None and now >= expires_at:
        return _end(progress, Status.EXPIRED, Reason.EXPIRED)
    return None


def _forward(plan: Plan, progress: Progress, hop: Hop, now: datetime) -> Step:
    """Returns the step of a hop whose message nobody took yet."""
    if any(progress.hop(former.index).status.reaches(former.success) for former in plan.hops[: hop.index]):
        return Finish(status=_best(progress))  # an earlier channel arrived after all, before this one was used
    state = progress.hop(progress.current)
    if state.held is not None:
        return _after_hold(plan, progress, hop, state.held, now)
    if state.last is None or state.resumed:
        return _send(plan, hop, state)
    return _after_attempt(plan, progress, hop, state.last, now)


def _no_later_than(expires_at: datetime | None, step: Step) -> Step:
    if isinstance(step, Wait | Park) and expires_at is not None:
        return replace(step, until=min(step.until or expires_at, expires_at))
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
            return _after_stop(plan, progress, hop, last, now)
        case Outcome.NOT_SENT:
            return _after_not_sent(plan, progress, hop, last, now)
        case Outcome.UNKNOWN:
            return _after_unknown(plan, progress, hop, last, now)
        case Outcome.REFUSED if last.reason in ACCOUNT_TROUBLE:
            return _in_trouble(plan, progress, hop, last.reason, now)
        case Outcome.REFUSED | Outcome.ACCEPTED | Outcome.HELD:  # only a refusal comes here, see `_forward`
            return _give_up(plan, progress, last.reason or Reason.REJECTED)
        case _ as never:
            assert_never(never)


def _send(plan: Plan, hop: Hop, state: HopProgress, *, account: int | None = None) -> Send:
    """Returns the next attempt; after one in doubt, every further one may be a duplicate."""
    number = state.attempts + 1
    used = state.account if account is None else account
    return Send(
        hop=_by_account(hop, used),
        number=number,
        possible_duplicate=state.doubtful,
        closes=not _waits(plan, hop),
        account=used,
        reserved_for=state.reserved_for if used == state.account else None,
    )


def _by_account(hop: Hop, account: int) -> Hop:
    if account == 0:
        return hop
    alternate = hop.alternates[account - 1]
    return replace(hop, provider=alternate.provider, account_id=alternate.account_id)


def _usable(hop: Hop, state: HopProgress) -> int | None:
    """Returns the account whose turn it is among those that had passing trouble only."""
    count = len(hop.alternates) + 1
    turns = ((state.account + step) % count for step in range(1, count + 1))
    return next((place for place in turns if place not in state.shut), None)


def _untroubled(hop: Hop, state: HopProgress) -> int | None:
    """Returns the next account that had no trouble yet."""
    others = (place for place in range(len(hop.alternates) + 1) if place != state.account)
    return next((place for place in others if place not in state.troubled), None)


def _after_hold(plan: Plan, progress: Progress, hop: Hop, held: Delivered, now: datetime) -> Step:
    if held.until is None:
        return _in_trouble(plan, progress, hop, held.reason or Reason.PROVIDER_UNAVAILABLE, now)
    state = progress.hop(progress.current)
    # Who finds no place again and again comes back less often, up to about a minute.
    until = held.at + (held.until - held.at) * 2 ** min(max(state.crowded - 1, 0), 5)
    if now < until:
        return Wait(until=until, reason=held.reason or Reason.RATE_LIMITED, hop=hop)
    return _send(plan, hop, state)


def _in_trouble(plan: Plan, progress: Progress, hop: Hop, reason: Reason, now: datetime) -> Step:
    """Returns the step after an account could not do it: another account, else another channel, else wait for help."""
    state = progress.hop(progress.current)
    account = _untroubled(hop, state)
    if account is not None:
        return _send(plan, hop, state, account=account)
    other = _usable(hop, state)
    if other is not None and state.last is not None and state.attempts - state.spent < hop.max_attempts:
        return _retry(plan, hop, state, state.last, now, account=other)
    if reason is Reason.UNAVAILABLE:
        reason = Reason.PROVIDER_UNAVAILABLE
    if hop.index + 1 == len(plan.hops):
        return Park(reason=reason, hop=hop)
    if reason not in _PASSES:
        return NextHop(reason=reason, hop=hop)
    patience = timedelta(seconds=OUTAGE_PATIENCE if hop.within is None else hop.within)
    until = (state.trouble_since or now) + patience
    return Park(reason=reason, hop=hop, until=until) if now < until else NextHop(reason=reason, hop=hop)


def _resends(plan: Plan, hop: Hop, attempts: int) -> bool:
    return plan.on_unknown is OnUnknown.PREFER_DUPLICATE and attempts < hop.max_attempts


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
    wait = _follow_up_turn(hop, state)
    if wait is None:
        return None
    if now < wait.until:
        return wait
    reserved_for = state.follow_up.reserved_for if state.follow_up is not None else None
    return Send(
        hop=_by_account(hop, state.account),
        number=state.follow_up_attempts + 1,
        part=1,
        closes=not _waits(plan, hop),
        account=state.account,
        reserved_for=reserved_for,
    )


def _follow_up_turn(hop: Hop, state: HopProgress) -> Wait | None:
    """Returns until when the image that follows has to wait, or None when nothing more is tried."""
    former = state.follow_up
    if former is None:
        return Wait(until=datetime.min.replace(tzinfo=UTC), reason=Reason.RETRY_LATER, hop=hop)
    if former.outcome is Outcome.HELD and former.until is not None:
        return Wait(until=former.until, reason=former.reason or Reason.RATE_LIMITED, hop=hop)
    if former.outcome is not Outcome.NOT_SENT or state.follow_up_attempts >= FOLLOW_UP_ATTEMPTS:
        return None
    due = former.at + backoff(former.message_id or "", state.follow_up_attempts, former.retry_after)
    return Wait(until=due, reason=Reason.RETRY_LATER, hop=hop)


def _after_stop(plan: Plan, progress: Progress, hop: Hop, last: Delivered, now: datetime) -> Step:
    if last.reason is Reason.CANCELLED:
        return _end(progress, Status.CANCELLED, Reason.CANCELLED)
    if last.reason is Reason.EXPIRED:
        return _end(progress, Status.EXPIRED, Reason.EXPIRED)
    if last.reason is Reason.QUIET_HOURS:  # on every channel, and so it was wanted
        return _end(progress, Status.CANCELLED, Reason.QUIET_HOURS)
    if last.reason in ACCOUNT_TROUBLE:
        return _in_trouble(plan, progress, hop, last.reason, now)
    return _give_up(plan, progress, last.reason or Reason.REJECTED)


def _after_not_sent(plan: Plan, progress: Progress, hop: Hop, last: Delivered, now: datetime) -> Step:
    state = progress.hop(progress.current)
    made = state.attempts - state.spent
    if last.reason in ACCOUNT_TROUBLE:
        return _in_trouble(plan, progress, hop, last.reason, now)
    if made >= hop.max_attempts:
        return _give_up(plan, progress, Reason.ATTEMPTS_EXHAUSTED)
    return _retry(plan, hop, state, last, now, account=state.account)


def _retry(plan: Plan, hop: Hop, state: HopProgress, last: Delivered, now: datetime, *, account: int) -> Step:
    due = last.at + backoff(last.message_id or "", max(state.attempts - state.spent, 1), last.retry_after)
    if now < due:
        return Wait(until=due, reason=Reason.RETRY_LATER, hop=hop)
    return _send(plan, hop, state, account=account)


def _after_unknown(plan: Plan, progress: Progress, hop: Hop, last: Delivered, now: datetime) -> Step:
    state = progress.hop(progress.current)
    settled_by = last.at + timedelta(seconds=hop.quarantine)
    if now < settled_by:
        return Wait(until=settled_by, reason=Reason.OUTCOME_UNKNOWN, hop=hop)
    if _resends(plan, hop, state.attempts - state.spent):
        return _send(plan, hop, state)
    if hop.after_unknown and hop.index + 1 < len(plan.hops):
        return NextHop(reason=Reason.OUTCOME_UNKNOWN, hop=hop)
    return _end(progress, Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)


def _give_up(plan: Plan, progress: Progress, reason: Reason) -> Step:
    if progress.current + 1 < len(plan.hops) and not progress.cancelled:
        return NextHop(reason=reason, hop=plan.hops[progress.current])
    return _end(progress, Status.FAILED, reason)


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


def _without_hops(plan: Plan, progress: Progress, now: datetime, expires_at: datetime | None) -> Step:
    if (ended := _stopped(progress, now, expires_at)) is not None:
        return ended
    mendable = [skipped.reason for skipped in plan.skipped if skipped.reason in ACCOUNT_TROUBLE]
    if mendable:
        return Park(reason=mendable[0], until=expires_at)
    reason = plan.skipped[-1].reason if plan.skipped else Reason.NO_TEMPLATE_PART
    return Finish(status=Status.REJECTED, reason=reason)
