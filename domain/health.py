"""The health of an account: judged window after window, and changed only when several of them agree."""

from dataclasses import dataclass, replace
from enum import StrEnum

LEAST_ATTEMPTS = 20
"""So many attempts a window needs before it says anything about errors."""

LEAST_RECEIPTS = 20
"""So many accepted messages a window needs before it says anything about receipts."""

TROUBLE_FAILING = 0.30
TROUBLE_SLOW = 0.10
LATE_SLOW = 0.50
LATE_AFTER = 120.0
"""Seconds after which a message without any receipt counts as late."""

DELAY_BOUND = 60.0
"""Seconds that nine of ten first receipts may take, whatever the account is used to."""

DELAY_FACTOR = 4.0
"""How many times its usual delay an account may take before it is slow."""

WINDOWS_DOWN = 2
WINDOWS_UP = 3
_USUAL_SHARE = 0.1


class Level(StrEnum):
    """How well an account works; the better ones are used first."""

    HEALTHY = "healthy"
    SLOW = "slow"
    FAILING = "failing"

    @property
    def severity(self) -> int:
        """Returns 0 for healthy, more for worse."""
        return _SEVERITY[self]


_SEVERITY = {Level.HEALTHY: 0, Level.SLOW: 1, Level.FAILING: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was measured in a stretch of time.

    Attributes:
        attempts: Attempts that ended.
        troubled: Those of them that found the provider unavailable, or ended in doubt.
        receiptable: Messages that were accepted long enough ago to have a receipt; 0 for providers that give none.
        late: Those of them that have none, or had to wait for it too long.
        delay: Seconds within which nine of ten first receipts came.
    """

    attempts: int = 0
    troubled: int = 0
    receiptable: int = 0
    late: int = 0
    delay: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where an account stands.

    Attributes:
        streak: How many windows in a row said something else, all of them better or all of them worse.
        towards: The level nearest to the present one that these windows said.
        reasons: Why the last window was not healthy.
        usual: Seconds that nine of ten first receipts take while all is well.
    """

    level: Level = Level.HEALTHY
    streak: int = 0
    towards: Level | None = None
    reasons: tuple[str, ...] = ()
    usual: float | None = None


def judge(former: Health, window: Window) -> Health:
    """Returns the health after a window: worse after two that agree, better after three.

    A window too small to say anything counts as good: an account that is passed over must get its chance again.
    """
    found, reasons = verdict(window, former.usual)
    usual = _usual(former.usual, window) if found is Level.HEALTHY else former.usual
    after = replace(former, reasons=reasons, usual=usual)
    if found is former.level:
        return replace(after, streak=0, towards=None)
    is_worse = found.severity > former.level.severity
    goes_on = former.towards is not None and (former.towards.severity > former.level.severity) == is_worse
    streak = former.streak + 1 if goes_on else 1
    towards = _nearest(former.level, found, former.towards) if goes_on else found
    if streak < (WINDOWS_DOWN if is_worse else WINDOWS_UP):
        return replace(after, streak=streak, towards=towards)
    return replace(after, level=towards, streak=0, towards=None)


def verdict(window: Window, usual: float | None = None) -> tuple[Level, tuple[str, ...]]:
    """Returns what one window says, and why."""
    level, reasons = Level.HEALTHY, []
    if window.attempts >= LEAST_ATTEMPTS:
        share = window.troubled / window.attempts
        if share >= TROUBLE_SLOW:
            level = Level.FAILING if share >= TROUBLE_FAILING else Level.SLOW
            reasons.append("attempts_troubled")
    if window.receiptable >= LEAST_RECEIPTS:
        if window.late / window.receiptable >= LATE_SLOW:
            reasons.append("receipts_missing")
        if window.delay is not None and window.delay > _bound(usual):
            reasons.append("receipts_slow")
    if reasons and level is Level.HEALTHY:
        level = Level.SLOW
    return level, tuple(reasons)


def _bound(usual: float | None) -> float:
    """Returns the seconds that receipts may take: what the account is used to counts only above the fixed bound."""
    return max(DELAY_BOUND, DELAY_FACTOR * usual) if usual is not None else DELAY_BOUND


def _usual(former: float | None, window: Window) -> float | None:
    if window.delay is None or window.receiptable < LEAST_RECEIPTS:
        return former
    return window.delay if former is None else (1 - _USUAL_SHARE) * former + _USUAL_SHARE * window.delay


def _nearest(level: Level, *others: Level | None) -> Level:
    given = [other for other in others if other is not None]
    return min(given, key=lambda other: abs(other.severity - level.severity))
