"""What the texts of a template use, held against what it declares and against the data of a notification."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.faults import Fault, escape_pointer
from domain.variables import ABSENT, Variable

LINKS = frozenset({"preferences_url", "unsubscribe_url"})
"""Names of links that every message brings along."""
GIVEN = frozenset({"attachments", "confirm_url"}) | LINKS
"""Names that need not be declared."""


def check_uses(schema: Sequence[Variable], required: Sequence[str], optional: Sequence[str]) -> tuple[Fault, ...]:
    """Returns what is wrong with the variables that a part uses, given those that its version declares.

    Args:
        schema: The declared variables.
        required: Paths that must be there (`order.total`, `items[].name`).
        optional: Paths that are only tested, have a default, or stand in a branch.
    """
    declared = [(variable, variable.name.split(".")) for variable in schema]
    faults: list[Fault] = []
    for path in sorted({*required, *optional}):
        steps = path.replace("[]", "").split(".")
        if steps[0] in GIVEN:
            continue
        covering = [variable for variable, name in declared if _meet(name, steps)]
        if not covering:
            message = f"{path!r} is used but not declared in `variables`; declare it, or correct its name"
            faults.append(Fault(pointer="", message=message))
        elif path in required and any(_may_be_missing(variable, steps) for variable in covering):
            message = f"{path!r} is optional but written without `default` and without `if`"
            faults.append(Fault(pointer="", message=message))
    return tuple(faults)


def check_paths(paths: Sequence[str], data: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Returns a fault for each place in the data where one of the paths finds nothing, or null."""
    asked = (path for path in paths if path not in LINKS)
    pointers = {pointer for path in asked for pointer in _gaps(data, path.replace("[]", ".[]").split("."), "")}
    return tuple(
        Fault(pointer=pointer, message="the template writes this, and it is missing") for pointer in sorted(pointers)
    )


def _meet(name: list[str], steps: list[str]) -> bool:
    shorter = min(len(name), len(steps))
    return name[:shorter] == steps[:shorter]


def _may_be_missing(variable: Variable, steps: list[str]) -> bool:
    return not variable.required and variable.default is ABSENT and len(variable.name.split(".")) <= len(steps)


def _gaps(value: Any, steps: list[str], pointer: str) -> Iterator[str]:
    if value is None:
        yield pointer
        return
    if not steps:
        return
    if steps[0] == "[]":
        for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
            yield from _gaps(item, steps[1:], f"{pointer}/{index}")
        return
    length = _key_length(value, steps) if isinstance(value, Mapping) else 0
    if length == 0:
        yield pointer + "".join(f"/{escape_pointer(step)}" for step in _until_items(steps))
        return
    key = ".".join(steps[:length])
    yield from _gaps(value[key], steps[length:], f"{pointer}/{escape_pointer(key)}")


def _key_length(value: Mapping[str, Any], steps: list[str]) -> int:
    """Returns how many steps the key of an object takes: a key may itself hold dots."""
    keys = (length for length in range(1, len(steps) + 1) if ".".join(steps[:length]) in value)
    return next(keys, 0)


def _until_items(steps: list[str]) -> list[str]:
    return steps[: steps.index("[]")] if "[]" in steps else steps
