"""Schemas of event types: JSON Schema 2020-12, of a size and shape whose judgement is never slow.

A schema names nothing outside itself, does not lead back to itself, and its patterns are matched in linear time. So
what it costs to judge an event is at most the schema's parts, references written out, times the event's own; what
would cost too much is not judged but told.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import unquote

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from domain.faults import Fault, escape_pointer

LARGEST = 64 * 1024
"""Bytes of a schema as JSON."""
MOST_PARTS = 5_000
"""Schemas and listed values within a schema, each reference counted as what it refers to."""
MOST_PATTERNS = 100
DEEPEST = 100
MOST_FAULTS = 50
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LARGEST_PATTERN = 100_000
"""Bytes of a pattern that is ready to be matched."""
_MOST_WORK = 2_000_000
"""Parts of a schema times parts of the data: some tenths of a second."""
_MOST_TO_LIST = 20_000
"""As much work is done to find every fault; beyond it, the first one is told."""
_CHARACTERS = 64
"""So many of a text count as one part of the data."""
_LONGEST_MESSAGE = 300
_SINGLE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties")
_FOREIGN = frozenset({"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"})
_LOOKING_AGAIN = frozenset({"unevaluatedItems", "unevaluatedProperties"})
_MASK = "the value"
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")
_NOTHING = object()


class SchemaError(ValueError):
    """A schema cannot be taken; says where and why."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(pointer=pointer, message=message)


class EventSchema:
    """A schema that can be taken, ready to judge data.

    Raises:
        SchemaError: It is none, or one that could be slow.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        if schema.get("$schema", DIALECT) not in {DIALECT, f"{DIALECT}#"}:
            raise SchemaError("/$schema", f"schemas are those of {DIALECT}; name that one, or none")
        measure = _Measure(schema)
        self._parts, _ = measure.measured(schema, "", 0)
        if measure.patterns > MOST_PATTERNS:
            raise SchemaError("", f"the schema has more than {MOST_PATTERNS} patterns; leave some out")
        options = RegexOptions(size_limit=_LARGEST_PATTERN)
        try:
            self._validator = Draft202012Validator(
                dict(schema), validate_formats=True, mask=_MASK, pattern_options=options, offline=True
            )
        except ValidationError as error:
            raise SchemaError(_pointer(error.instance_path), f"this is no JSON Schema: {_said(error)}") from error

    def faults(self, data: Any) -> tuple[Fault, ...]:
        """Returns what of the data does not fit, at most fifty things; pointers start inside the data."""
        work = self._parts * _size(data, _MOST_WORK // self._parts)
        if work > _MOST_WORK:
            return (Fault(pointer="", message="the data has more values than are judged by such a schema; send less"),)
        if self._validator.is_valid(data):
            return ()
        errors = self._validator.iter_errors(data) if work <= _MOST_TO_LIST else self._first(data)
        return tuple(islice((fault for error in errors for fault in _faults(error)), MOST_FAULTS))

    def _first(self, data: Any) -> Iterator[ValidationError]:
        try:
            self._validator.validate(data)
        except ValidationError as error:
            yield error


class _Measure:
    """Measures a schema with every reference written out: how many parts it has, and how deep it goes."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._known: dict[str, tuple[int, int]] = {}
        self._open: set[str] = {"#"}
        self.patterns = 0

    def measured(self, schema: Any, pointer: str, depth: int) -> tuple[int, int]:
        """Returns how many parts a schema has and how deep it is."""
        if not isinstance(schema, Mapping):
            return 1, 0
        if foreign := sorted({*schema} & _FOREIGN or ({"$id"} & {*schema} if pointer else ())):
            raise SchemaError(f"{pointer}/{foreign[0]}", f"{foreign[0]} is not read; refer with $ref to #/$defs/…")
        self.patterns += ("pattern" in schema) + _length(schema.get("patternProperties"))
        found = [self.measured(one, f"{pointer}{step}", depth + 1) for step, one in _inner(schema)]
        if "$ref" in schema:
            found.append(self._referred(schema["$ref"], f"{pointer}/$ref", depth + 1))
        parts = (
            1
            + _length(schema.get("enum"))
            + sum(count for count, _ in found) * (2 if _LOOKING_AGAIN & {*schema} else 1)
        )
        height = 1 + max((height for _, height in found), default=0)
        if depth + height > DEEPEST:
            raise SchemaError(pointer, f"the schema goes deeper than {DEEPEST} levels; make it flatter")
        if parts > MOST_PARTS:
            message = f"the schema has more than {MOST_PARTS:,} parts, each reference written out; say less here"
            raise SchemaError(pointer, message)
        return parts, height

    def _referred(self, reference: Any, pointer: str, depth: int) -> tuple[int, int]:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise SchemaError(pointer, "a schema refers to its own parts only, like #/$defs/money; copy it in")
        name = unquote(reference)
        if name in self._open:
            raise SchemaError(pointer, "the reference leads back to itself; write down how deep it may go")
        if depth > DEEPEST:
            raise SchemaError(pointer, f"the schema goes deeper than {DEEPEST} levels; make it flatter")
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self.measured(self._found(name, pointer), name[1:], depth)
            self._open.discard(name)
        return self._known[name]

    def _found(self, name: str, pointer: str) -> Any:
        found: Any = self._root
        for step in name[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(key)] if _INDEX.fullmatch(key) and int(key) < len(found) else _NOTHING
            else:
                found = found.get(key, _NOTHING) if isinstance(found, Mapping) else _NOTHING
        if found is _NOTHING or not name.startswith("#/"):
            raise SchemaError(pointer, "the reference leads nowhere; it begins like #/$defs/")
        return found


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the schemas that stand right inside a schema, with how to get to them."""
    for name in _SINGLE:
        if name in schema:
            yield f"/{name}", schema[name]
    for name in _LISTS:
        listed = schema.get(name)
        yield from ((f"/{name}/{place}", one) for place, one in enumerate(listed if isinstance(listed, list) else ()))
    for name in _NAMED:
        named = schema.get(name)
        found = named.items() if isinstance(named, Mapping) else ()
        yield from ((f"/{name}/{escape_pointer(key)}", one) for key, one in found)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | Mapping) else 0


def _size(data: Any, most: int) -> int:
    """Returns how many values data has, long texts counting for more; stops to count beyond `most`."""
    size, pending = 0, [data]
    while pending and size <= most:
        value = pending.pop()
        size += 1
        if isinstance(value, str):
            size += len(value) // _CHARACTERS
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, Mapping):
            size += sum(map(len, value)) // _CHARACTERS
            pending += value.values()
    return size


def _faults(error: ValidationError) -> Iterator[Fault]:
    """Yields what an error says, one fault for each member that is missing or too much."""
    place = _pointer(error.instance_path)
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            yield Fault(pointer=f"{place}/{escape_pointer(str(name))}", message="this is missing")
        case (
            ValidationErrorKind.AdditionalProperties(unexpected=names)
            | ValidationErrorKind.UnevaluatedProperties(unexpected=names)
        ):
            for name in names:
                yield Fault(pointer=f"{place}/{escape_pointer(name)}", message="the schema knows no such member")
        case _:
            yield Fault(pointer=place, message=_said(error))


def _pointer(path: Sequence[str | int]) -> str:
    return "".join(f"/{escape_pointer(str(step))}" for step in path)


def _said(error: ValidationError) -> str:
    return error.message[:_LONGEST_MESSAGE]
