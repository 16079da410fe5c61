"""What the steps of housekeeping share: the order of a sweep, its answer, and how both are counted."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

from prometheus_client import Counter

_SWEEPS = Counter("carillon_housekeeping_sweeps_total", "Sweeps of housekeeping", ["step", "result"])
_SEEN = Counter("carillon_housekeeping_rows_total", "Rows that housekeeping looked at", ["step"])

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of housekeeping: the wire name of its activity, and how many seconds one sweep may take."""

    name: str
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One bounded sweep to make; `cursor` is what the last one of this step answered, of this run or an earlier one."""

    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What came of a sweep.

    Attributes:
        cursor: Where the next one goes on; None begins anew.
        more: Whether something is left that is better done at once than in the next run.
        seen: Rows that were looked at.
        found: Findings that were recorded.
    """

    cursor: str | None = None
    more: bool = False
    seen: int = 0
    found: int = 0


def counted(step: str) -> Callable[[Callable[[S, Sweep], Awaitable[Swept]]], Callable[[S, Sweep], Awaitable[Swept]]]:
    """Returns the decorator that counts the sweeps of a step, and those that failed."""

    def decorate(activity: Callable[[S, Sweep], Awaitable[Swept]]) -> Callable[[S, Sweep], Awaitable[Swept]]:
        @wraps(activity)
        async def sweeping(self: S, sweep: Sweep) -> Swept:
            try:
                swept = await activity(self, sweep)
            except BaseException:
                _SWEEPS.labels(step, "failed").inc()
                raise
            _SWEEPS.labels(step, "done").inc()
            _SEEN.labels(step).inc(swept.seen)
            return swept

        return sweeping

    return decorate
