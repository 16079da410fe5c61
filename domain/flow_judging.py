"""Judging the conditions of a flow within one decision."""

from collections.abc import Callable, Mapping
from typing import Any

from domain.flow_state import SeriesState

Holds = Callable[[str, Mapping[str, Any]], bool]
"""Tells whether a condition holds for the facts given."""


class Judge:
    """Judges conditions within one decision, during which nothing new is heard."""

    def __init__(self, holds: Holds, state: SeriesState) -> None:
        self._holds = holds
        self._heard = [{"kind": one.kind, "name": one.name, "data": dict(one.data)} for one in state.heard]
        self._ends: tuple[Mapping[str, Any], bool] | None = None

    def holds(self, condition: str, state: SeriesState) -> bool:
        """Tells whether a condition holds."""
        return self._holds(condition, {**state.facts, "outcomes": dict(state.outcomes), "heard": self._heard})

    def ends(self, condition: str, state: SeriesState) -> bool:
        """Tells whether the condition that ends the series holds; asked again only where an outcome came since."""
        if self._ends is None or self._ends[0] is not state.outcomes:
            self._ends = state.outcomes, self.holds(condition, state)
        return self._ends[1]
