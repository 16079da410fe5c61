"""What came of a notification so far, as its workflow remembers it: frozen values, one changed copy per event."""

from dataclasses import dataclass, replace
from datetime import datetime

from domain.notifications import Decision, Delivered, Hop, NotificationInput, Outcome, Plan
from domain.reasons import Reason
from domain.status import Status, advance

ACCOUNT_TROUBLE = frozenset(
    {
        Reason.UNAVAILABLE,
        Reason.PROVIDER_UNAVAILABLE,
        Reason.MISCONFIGURED,
        Reason.TEMPLATE_UNAVAILABLE,
        Reason.ACCOUNT_SUSPENDED,
        Reason.DAILY_CAP,
    }
)
"""Reasons that speak of the account and not of this message: another account may well succeed."""

_LONG = frozenset({Reason.QUIET_HOURS, Reason.FREQUENCY_CAP})
_NEWS = {Outcome.ACCEPTED: Status.ACCEPTED, Outcome.REFUSED: Status.REJECTED, Outcome.UNKNOWN: Status.UNKNOWN}


def after_outcome(outcome: Outcome, reason: Reason | None) -> Status:
    """Returns what an attempt's outcome says about its message; trouble of the account leaves it where it was."""
    if outcome is Outcome.REFUSED and reason in ACCOUNT_TROUBLE:
        return Status.QUEUED
    return _NEWS.get(outcome, Status.QUEUED)


@dataclass(frozen=True, slots=True, kw_only=True)
class HopProgress:
    """What came of one hop: its attempts so far, the last outcome, and where its message stands.

    Attributes:
        doubtful: Some attempt's outcome stayed unknown.
        held: What the last order was told, where it was not attempted.
        reserved_for: The instant that the limits gave to the next attempt.
        crowded: How often in a row there was no place.
        account: Which of the hop's accounts is used: 0 its own, then its alternates.
        troubled: The accounts that had trouble since the last resumption.
        shut: Those of them that nothing is asked of any more: held, suspended or refused themselves.
        doubts: Attempts whose outcome is still unknown.
        trouble_since: When an account had trouble first.
        spent: Attempts made before the last resumption; they do not count any more.
        resumed: The hop may try again, whatever came of its last attempt.
    """

    attempts: int = 0
    last: Delivered | None = None
    status: Status = Status.QUEUED
    doubtful: bool = False
    follow_up: Delivered | None = None
    follow_up_attempts: int = 0
    held: Delivered | None = None
    reserved_for: datetime | None = None
    crowded: int = 0
    account: int = 0
    troubled: frozenset[int] = frozenset()
    shut: frozenset[int] = frozenset()
    doubts: int = 0
    trouble_since: datetime | None = None
    spent: int = 0
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Everything that happened to a notification so far, as its workflow knows it."""

    current: int = 0
    hops: tuple[HopProgress, ...] = ()
    cancelled: bool = False
    dropped: bool = False

    def hop(self, index: int) -> HopProgress:
        """Returns the progress of a hop, empty where it was not tried."""
        return self.hops[index] if index < len(self.hops) else HopProgress()

    def with_hop(self, index: int, progress: HopProgress) -> "Progress":
        """Returns this progress with one hop replaced."""
        filled = [self.hop(place) for place in range(max(len(self.hops), index + 1))]
        filled[index] = progress
        return replace(self, hops=tuple(filled))

    def heard(self, index: int, status: Status) -> "Progress":
        """Returns this progress after news about the message of a hop."""
        state = self.hop(index)
        return self.with_hop(index, replace(state, status=advance(state.status, status)))

    def settled(self, index: int, number: int) -> "Progress":
        """Returns this progress after a person found out that an attempt in doubt was not sent."""
        state = self.hop(index)
        if state.last is None or state.last.outcome is not Outcome.UNKNOWN or state.attempts != number:
            return self
        last = replace(state.last, outcome=Outcome.NOT_SENT, status=Status.QUEUED, reason=Reason.SETTLED_NOT_SENT)
        left = max(state.doubts - 1, 0)
        status = Status.QUEUED if state.status is Status.UNKNOWN and not left else state.status
        return self.with_hop(index, replace(state, last=last, status=status, doubts=left, doubtful=left > 0))

    def resumed(self) -> "Progress":
        """Returns this progress as it goes on after it was parked: every account may be tried again."""
        state = self.hop(self.current)
        fresh = replace(state, held=None, account=0, troubled=frozenset(), shut=frozenset())
        fresh = replace(fresh, spent=state.attempts, resumed=True)
        return self.with_hop(self.current, fresh)

    def follow_up(self, index: int, number: int, delivered: Delivered) -> "Progress":
        """Returns this progress after an order for the image that follows a message."""
        made = number - 1 if delivered.outcome is Outcome.HELD else number
        return self.with_hop(index, replace(self.hop(index), follow_up=delivered, follow_up_attempts=made))

    def after(self, index: int, number: int, account: int, delivered: Delivered) -> "Progress":
        """Returns this progress after an order for the message of a hop."""
        state = replace(self.hop(index), account=account, resumed=False)
        if delivered.reason in ACCOUNT_TROUBLE:
            since = state.trouble_since or delivered.at
            shut = state.shut if delivered.outcome is Outcome.NOT_SENT else state.shut | {account}
            state = replace(state, troubled=state.troubled | {account}, shut=shut, trouble_since=since)
        if delivered.outcome is Outcome.HELD:
            is_busy = delivered.reason is Reason.ACCOUNT_BUSY
            if delivered.reason in _LONG:  # whatever troubled an account has a night to pass
                state = replace(state, troubled=frozenset(), shut=frozenset(), trouble_since=None)
                delivered = replace(delivered, reserved_for=state.reserved_for)  # missed, but counted
            reserved = state.reserved_for if is_busy else delivered.reserved_for
            crowded = state.crowded + 1 if is_busy else 0
            return self.with_hop(index, replace(state, held=delivered, reserved_for=reserved, crowded=crowded))
        is_doubt = delivered.outcome is Outcome.UNKNOWN
        changed = replace(
            state,
            attempts=number,
            last=delivered,
            held=None,
            reserved_for=None,
            crowded=0,
            status=advance(state.status, delivered.status),
            doubtful=state.doubtful or is_doubt,
            doubts=state.doubts + is_doubt,
        )
        return self.with_hop(index, changed)


def renewed(plan: Plan, fresh: Plan) -> Plan:
    """Returns a plan that was made earlier with the accounts and addresses of one made now; its hops stay the same."""
    if not plan.hops:
        return fresh
    by_channel = {hop.channel: hop for hop in fresh.hops}
    return replace(plan, hops=tuple(_renewed(hop, by_channel.get(hop.channel)) for hop in plan.hops))


def _renewed(hop: Hop, fresh: Hop | None) -> Hop:
    if fresh is None:
        return hop
    return replace(
        hop,
        provider=fresh.provider,
        account_id=fresh.account_id,
        alternates=fresh.alternates,
        address_id=fresh.address_id,
        quarantine=fresh.quarantine,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What the workflow of a notification hands to its next run when its history has grown long.

    Attributes:
        decisions: Those that nobody wrote down yet.
        sequence: The number of the last decision.
    """

    plan: Plan
    progress: Progress
    decisions: tuple[Decision, ...]
    sequence: int
    visible_status: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRun(NotificationInput):
    """What a run of the workflow of a notification starts with; the first one carries nothing yet."""

    carried: Carried | None = None
