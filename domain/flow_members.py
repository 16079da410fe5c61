"""Members that the expressions of a flow name and that no event has which starts it: told as warnings, never as faults.

A schema that closes the door (`additionalProperties: false`) is believed. One that merely lists members may not list
all of them, so there only a name that is nearly one of those is told. `data` of a series that somebody starts by hand
is whatever they give, so of that, too, only what is nearly a name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.expression_members import Named, members
from domain.schema_members import Gap, gap, nearest

MOST_JUDGED = 200
"""Different names of a flow that are looked up; of those that follow nothing is told."""
_MOST_LISTED = 3
Near = Callable[[str, Iterable[str]], str | None]
"""Finds the name that may be meant by another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An expression of a flow, and where it stands as a JSON pointer."""

    pointer: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A member that is named and that no event has.

    Attributes:
        path: The member as it is written, such as `event.data.amuont`.
        near: The member that may be meant, written alike.
    """

    pointer: str
    path: str
    near: str | None
    message: str


def doubts(
    expressions: Sequence[Placed], schemas: Mapping[str, Mapping[str, Any]], *, near: Near = nearest
) -> Iterator[Doubt]:
    """Yields what expressions name and what none of the events has, given the schemas of their types' data.

    Each member is judged once, however often it stands there, and no more of them than `MOST_JUDGED`.
    """
    judged: dict[Named, Doubt | None] = {}
    for one in expressions if schemas else ():
        told: set[str] = set()
        for named in members(one.expression):
            if named not in judged:
                if len(judged) >= MOST_JUDGED:
                    return
                judged[named] = _doubt(named, schemas, near)
            found = judged[named]
            if found is not None and found.path not in told:
                told.add(found.path)
                yield replace(found, pointer=one.pointer)


def _doubt(named: Named, schemas: Mapping[str, Mapping[str, Any]], near: Near) -> Doubt | None:
    """Returns what is wrong with a member, wherever it stands: it counts only where no type has it."""
    prefix, path = _of_data(named)
    gaps = [found for one in schemas.values() if path and (found := gap(one, path)) is not None]
    if not gaps or len(gaps) < len(schemas):
        return None
    deepest = max(found.depth for found in gaps)
    name = str(path[deepest])
    like = near(name, {known for found in gaps if found.depth == deepest for known in found.known})
    is_certain = named.variable == "event" and all(map(_is_closed, gaps))
    if like is None and not is_certain:
        return None
    place = _written(prefix, path[:deepest])
    meant = _written(place, (like,)) if like else None
    written = _written(place, (name,))
    message = f"{_types(schemas)}: {place} has no member {name!r}{f'; did you mean {like!r}?' if like else ''}"
    return Doubt(pointer="", path=written, near=meant, message=message)


def _of_data(named: Named) -> tuple[str, tuple[str | None, ...]]:
    """Returns how the data of an event is called, and the path within it; an empty one for what is something else."""
    match named.variable, named.path:
        case "event", ("data", *path):
            return "event.data", tuple(path)
        case "data", path:
            return "data", path
        case _:
            return "", ()


def _is_closed(found: Gap) -> bool:
    return found.is_closed


def _written(place: str, path: Sequence[str | None]) -> str:
    return place + "".join(
        "[]" if step is None else f".{step}" if step.isidentifier() else f"[{step!r}]" for step in path
    )


def _types(schemas: Mapping[str, Any]) -> str:
    named = sorted(schemas)
    more = f" and {len(named) - _MOST_LISTED} more" if len(named) > _MOST_LISTED else ""
    return f"by the schema of {', '.join(named[:_MOST_LISTED])}{more}"
