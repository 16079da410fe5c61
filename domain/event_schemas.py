"""Schemas of event types: JSON Schema 2020-12, of a size and shape whose judgement is never slow.

A schema names nothing outside itself, does not lead back to itself, and its patterns are small. So what it costs to
judge an event is at most the schema's parts, references written out, times the event's own, and its patterns times the
event's characters; what would cost too much is not judged but told.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
MOST_MATCHES = 1_000
"""Patterns with every reference written out, a large one counting for up to four."""
DEEPEST = 100
MOST_FAULTS = 50
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LARGEST_PATTERN = 10_000
"""Bytes of a pattern that is ready to be matched; what it costs per character grows with them."""
_WEIGHTS = {_LARGEST_PATTERN // 4: 1, _LARGEST_PATTERN // 2: 2}
"""What a pattern up to so many bytes counts for; a larger one counts for four."""
_HEAVIEST = 4
_MATCHING_MEMORY = 64 * 1024
"""Bytes that a pattern remembers of what it matched; without a bound it is megabytes."""
_MOST_WORK = 2_000_000
"""Parts of a schema times parts of the data: some tenths of a second."""
_MOST_MATCHING = 1_000_000
"""Patterns times characters of the data: about a second for the worst of them."""
_MOST_TO_TELL = 2_000_000
"""As much work is done to find the first fault, which looks again at every level; beyond it, only that there is one."""
_MOST_TO_LIST = 100_000
"""As much work is done to find every fault."""
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
        if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):  # no set: it may be a list
            raise SchemaError("/$schema", f"schemas are those of {DIALECT}; name that one, or none")
        measure = _Measure(schema)
        self._cost = measure.measured(schema, "", 0)
        if measure.patterns > MOST_PATTERNS:
            raise SchemaError("", f"the schema has more than {MOST_PATTERNS} patterns; leave some out")
        if self._cost.matches > MOST_MATCHES:
            message = f"the schema has more than {MOST_MATCHES:,} patterns, each reference written out; leave some out"
            raise SchemaError("", message)
        self.patterns = measure.patterns
        try:
            self._validator = Draft202012Validator(
                dict(schema),
                validate_formats=True,
                mask=_MASK,
                pattern_options=_options(_LARGEST_PATTERN),
                offline=True,
            )
        except ValidationError as error:
            raise SchemaError(_pointer(error.instance_path), f"this is no JSON Schema: {_said(error)}") from error

    def faults(self, data: Any) -> tuple[Fault, ...]:
        """Returns what of the data does not fit, at most fifty things; pointers start inside the data."""
        cost = self._cost
        most_characters = _MOST_MATCHING // cost.matches if cost.matches else _MOST_WORK * _CHARACTERS
        values, characters = _size(data, _MOST_WORK // cost.parts, most_characters)
        work, matching = values * cost.parts, characters * cost.matches
        if work > _MOST_WORK:
            return (Fault(pointer="", message="the data has more values than are judged by such a schema; send less"),)
        if matching > _MOST_MATCHING:
            return (Fault(pointer="", message="the data has more text than is judged by such a schema; send less"),)
        telling = max(work, matching) * cost.height
        if telling > _MOST_TO_TELL:
            message = "the data does not fit the schema; send less at once to be told where"
            return () if self._validator.is_valid(data) else (Fault(pointer="", message=message),)
        errors = self._validator.iter_errors(data) if telling <= _MOST_TO_LIST else self._first(data)
        return tuple(islice((fault for error in errors for fault in _faults(error)), MOST_FAULTS))

    def _first(self, data: Any) -> Iterator[ValidationError]:
        try:
            self._validator.validate(data)
        except ValidationError as error:
            yield error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What a schema costs with every reference written out: its parts, how deep it goes, and what it matches."""

    parts: int = 1
    height: int = 0
    matches: int = 0


class _Measure:
    """Measures a schema with every reference written out."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._known: dict[str, _Cost] = {}
        self._open: set[str] = {"#"}
        self._weights: dict[str, int] = {}
        self.patterns = 0

    def measured(self, schema: Any, pointer: str, depth: int) -> _Cost:
        """Returns what a schema costs."""
        if not isinstance(schema, Mapping):
            return _Cost()
        if foreign := sorted({*schema} & _FOREIGN or ({"$id"} & {*schema} if pointer else ())):
            raise SchemaError(f"{pointer}/{foreign[0]}", f"{foreign[0]} is not read; refer with $ref to #/$defs/…")
        patterns = _patterns(schema)
        self.patterns += len(patterns)
        found = [self.measured(one, f"{pointer}{step}", depth + 1) for step, one in _inner(schema)]
        if "$ref" in schema:
            found.append(self._referred(schema["$ref"], f"{pointer}/$ref", depth + 1))
        times = 2 if _LOOKING_AGAIN & {*schema} else 1
        parts = 1 + _length(schema.get("enum")) + sum(one.parts for one in found) * times
        matches = (sum(map(self._weight, patterns)) + sum(one.matches for one in found)) * times
        height = 1 + max((one.height for one in found), default=0)
        if depth + height > DEEPEST:
            raise SchemaError(pointer, f"the schema goes deeper than {DEEPEST} levels; make it flatter")
        if parts > MOST_PARTS:
            message = f"the schema has more than {MOST_PARTS:,} parts, each reference written out; say less here"
            raise SchemaError(pointer, message)
        return _Cost(parts=parts, height=height, matches=matches)

    def _referred(self, reference: Any, pointer: str, depth: int) -> _Cost:
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

    def _weight(self, pattern: str) -> int:
        if pattern not in self._weights:
            fitting = (weight for size, weight in _WEIGHTS.items() if _is_within(pattern, size))
            self._weights[pattern] = next(fitting, _HEAVIEST)
        return self._weights[pattern]

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


def _patterns(schema: Mapping[str, Any]) -> list[str]:
    """Returns the patterns that stand right inside a schema; what is no text is refused later."""
    named = schema.get("patternProperties")
    found = [schema.get("pattern"), *(named if isinstance(named, Mapping) else ())]
    return [pattern for pattern in found if isinstance(pattern, str)]


def _options(largest: int) -> RegexOptions:
    return RegexOptions(size_limit=largest, dfa_size_limit=_MATCHING_MEMORY)


def _is_within(pattern: str, largest: int) -> bool:
    """Tells whether a pattern that is ready to be matched has at most so many bytes."""
    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=_options(largest), offline=True)
    except ValidationError:
        return False
    return True


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | Mapping) else 0


def _size(data: Any, most: int, most_characters: int) -> tuple[int, int]:
    """Returns how many values data has, long texts counting for more, and characters; stops beyond the most."""
    size, characters, pending = 0, 0, [data]
    while pending and size + characters // _CHARACTERS <= most and characters <= most_characters:
        value = pending.pop()
        size += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, Mapping):
            characters += sum(map(len, value))
            pending += value.values()
    return size + characters // _CHARACTERS, characters


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
