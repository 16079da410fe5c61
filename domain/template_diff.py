"""What changed between two versions of a template."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from domain.faults import escape_pointer
from domain.templates import Part, TemplateVersion
from domain.variables import ABSENT, Variable


class ChangeKind(StrEnum):
    """What happened to a field."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs.

    Attributes:
        part: `channel/locale`, or `variables`.
        pointer: The field within it as a JSON pointer; empty when the whole part came or went.
        kind: What happened.
        before: The old value; None when it was added.
        after: The new value; None when it was removed.
        lines: A unified diff without its two header lines, for texts of more than one line.
    """

    part: str
    pointer: str
    kind: ChangeKind
    before: Any = None
    after: Any = None
    lines: tuple[str, ...] = ()


def diff(old: TemplateVersion, new: TemplateVersion) -> tuple[Change, ...]:
    """Returns what changed from `old` to `new`: variables first, then part by part, field by field."""
    changes = _compare("variables", "", _variables(old.variables), _variables(new.variables))
    before, after = _by_key(old.parts), _by_key(new.parts)
    for key in sorted(before.keys() | after.keys()):
        changes += _compare(key, "", before.get(key, ABSENT), after.get(key, ABSENT))
    return tuple(changes)


def _by_key(parts: tuple[Part, ...]) -> dict[str, Any]:
    return {part.key: part.content for part in parts}


def _variables(schema: tuple[Variable, ...]) -> dict[str, Any]:
    return {variable.name: _variable(variable) for variable in schema}


def _variable(variable: Variable) -> dict[str, Any]:
    values = {item.name: getattr(variable, item.name) for item in fields(variable) if item.name != "name"}
    return {name: value for name, value in values.items() if value is not ABSENT}


def _compare(part: str, pointer: str, before: Any, after: Any) -> list[Change]:
    if before is ABSENT:
        return [Change(part=part, pointer=pointer, kind=ChangeKind.ADDED, after=after)]
    if after is ABSENT:
        return [Change(part=part, pointer=pointer, kind=ChangeKind.REMOVED, before=before)]
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _compare_fields(part, pointer, before, after)
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return _compare_fields(part, pointer, _numbered(before), _numbered(after))
    if _canonical(before) == _canonical(after):
        return []
    lines = _unified(before, after) if isinstance(before, str) and isinstance(after, str) else ()
    return [Change(part=part, pointer=pointer, kind=ChangeKind.CHANGED, before=before, after=after, lines=lines)]


def _compare_fields(part: str, pointer: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    changes: list[Change] = []
    for key in [*before, *(key for key in after if key not in before)]:
        inner = f"{pointer}/{escape_pointer(key)}"
        changes += _compare(part, inner, before.get(key, ABSENT), after.get(key, ABSENT))
    return changes


def _numbered(items: list[Any] | tuple[Any, ...]) -> dict[str, Any]:
    return {str(index): item for index, item in enumerate(items)}


def _canonical(value: Any) -> str:
    # 1 and true are equal in Python, but not in a template
    return json.dumps(value, sort_keys=True, default=str)


def _unified(before: str, after: str) -> tuple[str, ...]:
    if "\n" not in before and "\n" not in after:
        return ()
    return tuple(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[2:]
