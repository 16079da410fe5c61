"""Small checks of JSON parameters that refuse as the Graph API does, naming the parameter by its path."""

from typing import Any
from urllib.parse import urlsplit

from sandbox.graph_errors import GraphError, malformed

Json = dict[str, Any]


def an_object(holder: Json, key: str, path: str, *, of: str) -> Json:
    """Returns the object under a key; its absence is 131008, another type is 100."""
    if key not in holder:
        raise GraphError(code=131008, details=f"Parameter '{path}' is mandatory for type '{of}'")
    value = holder[key]
    if not isinstance(value, dict):
        raise malformed(f'Param {path} must be a JSON object - got "{value}".')
    return value


def a_list(holder: Json, key: str, path: str, *, least: int, most: int) -> list[Json]:
    """Returns the list of objects under a key and checks its length."""
    value = holder.get(key)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise malformed(f"Param {path} must be an array of JSON objects.")
    if not least <= len(value) <= most:
        raise GraphError(code=131009, details=f"Invalid {path} count. Min allowed: {least}, Max allowed: {most}")
    return value


def a_text(holder: Json, key: str, path: str, *, most: int, optional: bool = False) -> str:
    """Returns the text under a key; it must not be empty nor longer than `most` characters."""
    value = holder.get(key)
    if value is None and optional:
        return ""
    if value is None:
        raise GraphError(code=131008, details=f"Parameter '{path}' is mandatory")
    if not isinstance(value, str):
        raise malformed(f'Param {path} must be a string - got "{value}".')
    if not value.strip():
        raise GraphError(code=131009, details=f"Parameter '{path}' must not be empty")
    if len(value) > most:
        raise malformed(f"Param {path} must be at most {most} characters long.")
    return value


def one_of(value: object, path: str, allowed: tuple[str, ...]) -> str:
    """Returns the value if it is among the allowed ones, whatever its case."""
    if isinstance(value, str) and value.lower() in allowed:
        return value.lower()
    names = ", ".join(name.upper() for name in allowed)
    raise malformed(f'Param {path} must be one of {{{names}}} - got "{value}".')


def a_link(holder: Json, key: str, path: str) -> str:
    """Returns the http(s) address under a key."""
    link = a_text(holder, key, path, most=2000)
    parts = urlsplit(link)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise malformed(f"Param {path} is not a valid URI.")
    return link


def unique(values: list[str], path: str) -> None:
    """Refuses values that are not all different."""
    if len(set(values)) != len(values):
        raise GraphError(code=131009, details=f"Duplicated values in {path}")
