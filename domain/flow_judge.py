"""Judges the conditions of one decision, and tells what each of them saw."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from domain.flow_state import SeriesState

Holds = Callable[[str, Mapping[str, Any]], bool]
"""Tells whether a condition holds for the facts given."""

_LONGEST = 200
_MOST = 20
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_PATH = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


class Judge:
    """Judges conditions within one decision, during which nothing new is heard."""

    def __init__(self, holds: Holds, state: SeriesState) -> None:
        self._holds = holds
        self._heard = [{"kind": one.kind, "name": one.name, "data": dict(one.data)} for one in state.heard]
        self._ends: tuple[Mapping[str, Any], bool] | None = None

    def holds(self, condition: str, state: SeriesState) -> bool:
        """Tells whether a condition holds."""
        return self._holds(condition, self._facts(state))

    def told(self, condition: str, state: SeriesState) -> dict[str, Any]:
        """Returns a condition with whether it holds, and what it saw."""
        facts = self._facts(state)
        return {"when": condition, "holds": self._holds(condition, facts), "saw": seen(condition, facts)}

    def ends(self, condition: str, state: SeriesState) -> bool:
        """Tells whether the condition that ends the series holds; asked again only where an outcome came since."""
        if self._ends is None or self._ends[0] is not state.outcomes:
            self._ends = state.outcomes, self.holds(condition, state)
        return self._ends[1]

    def _facts(self, state: SeriesState) -> Mapping[str, Any]:
        return {**state.facts, "outcomes": dict(state.outcomes), "heard": self._heard}


def seen(condition: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values that a condition names, by their paths; null where there is none, of a list its length."""
    paths = dict.fromkeys(_PATH.findall(_LITERAL.sub("''", condition)))
    found = [_looked_up(path.split("."), facts) for path in paths if path.partition(".")[0] in facts]
    return dict(found[:_MOST])


def _looked_up(names: list[str], facts: Mapping[str, Any]) -> tuple[str, Any]:
    """Returns how far a path leads, and what is there."""
    value: Any = facts
    for place, name in enumerate(names):
        if not isinstance(value, Mapping):  # what follows is a function of the value
            return ".".join(names[:place]), _in_short(value)
        value = value.get(name)
    return ".".join(names), _in_short(value)


def _in_short(value: Any) -> Any:
    match value:
        case str():
            return value[:_LONGEST]
        case bool() | int() | float() | None:
            return value
        case Mapping() | list() | tuple():
            return f"{len(value)} entries"
        case _:
            return str(value)[:_LONGEST]
