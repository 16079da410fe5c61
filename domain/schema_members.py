"""What a schema says about members of the data: which ones there cannot be, and which ones it does not know.

Only what a schema says outright counts. Where it leaves a choice (`anyOf`, `if`, `patternProperties` and the like), or
says nothing, every member may be there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from heapq import nsmallest
from typing import Any
from urllib.parse import unquote

_VAGUE = frozenset(
    {
        "allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "patternProperties",
        "prefixItems", "then",
    }
)  # fmt: skip
_SAID_BESIDE = frozenset({"$comment", "default", "deprecated", "description", "examples", "readOnly", "title"})
"""What may stand beside a reference without changing what it refers to."""
_MOST_REFERENCES = 100
_NEAR = 0.75
"""How alike two names are, of 1, for one to be taken for a misprint of the other."""
_LONGEST = 100
MOST_KNOWN = 1000
"""Names among which a near one is looked for."""
_NOTHING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A member that a schema does not know.

    Attributes:
        depth: How many steps of the path lead up to it.
        known: The members that the schema knows in its place.
        is_closed: Whether there can be no other ones.
    """

    depth: int
    known: frozenset[str]
    is_closed: bool


def gap(schema: Mapping[str, Any], path: Sequence[str | None]) -> Gap | None:
    """Returns the first member of a path that a schema does not know, or None where all may be there."""
    place: Any = schema
    for depth, step in enumerate(path):
        found = _resolved(schema, place)
        if not isinstance(found, Mapping) or _VAGUE & {*found}:
            return None
        place = found.get("items") if step is None else _member(found, step)
        if place is _NOTHING:
            known = found.get("properties", {}) if _takes_members(found) else {}
            is_closed = not _takes_members(found) or _others(found) is False
            names = frozenset(name for name, one in known.items() if one is not False)
            return Gap(depth=depth, known=names, is_closed=is_closed)
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the name that somebody may have meant; capitals and dashes make no difference.

    Very long names are passed over, and of very many only the first ones by the alphabet are looked at.
    """
    plain = {
        _plain(one): one for one in reversed(nsmallest(MOST_KNOWN, (one for one in known if len(one) <= _LONGEST)))
    }
    found = get_close_matches(_plain(name), plain, n=1, cutoff=_NEAR)
    return plain[found[0]] if found else None


def _member(schema: Mapping[str, Any], name: str) -> Any:
    """Returns the schema of a member: None where anything may be there, nothing where the schema does not know it."""
    if not _takes_members(schema):
        return _NOTHING
    known = schema.get("properties", {})
    if name in known:
        return _NOTHING if known[name] is False else known[name]
    others = _others(schema)
    if others is _NOTHING:
        return _NOTHING if known else None
    return _NOTHING if others is False else others


def _takes_members(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type", "object")
    return "object" in ([types] if isinstance(types, str) else types)


def _others(schema: Mapping[str, Any]) -> Any:
    """Returns what a schema says of members that it does not name, if anything."""
    return schema.get("additionalProperties", schema.get("unevaluatedProperties", _NOTHING))


def _resolved(root: Mapping[str, Any], schema: Any) -> Any:
    """Returns what a schema refers to, or None where it says more than that."""
    for _ in range(_MOST_REFERENCES):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        if {*schema} - _SAID_BESIDE - {"$ref", "$defs", "definitions", "$schema", "$id"}:
            return None
        schema = _referred(root, schema["$ref"])
    return None


def _referred(root: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        return None
    found: Any = root
    for step in unquote(reference[2:]).split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
