"""What a measurement says: a name, a number with its unit, and beside what it stands."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        group: The part of the report it belongs to.
        value: The median of all rounds.
        beside: The name of the figure, measured in the same run, that it is compared with.
        rounds: What each round gave.
        aim: What it should reach, in words.
    """

    group: str
    name: str
    value: float
    unit: str
    beside: str | None = None
    rounds: tuple[float, ...] = ()
    aim: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the figure for a file of results."""
        return asdict(self)


def median_of(group: str, name: str, unit: str, rounds: Sequence[float], **more: Any) -> Figure:
    """Returns the figure of several rounds."""
    return Figure(group=group, name=name, unit=unit, value=statistics.median(rounds), rounds=tuple(rounds), **more)


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which a share (0 to 1) of all values lies, by the nearest rank."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]
