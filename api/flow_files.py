"""Flow files in YAML or JSON: read without surprises, and whatever is wrong is told with its line.

YAML is read as its JSON subset is: `on` and `no` are words, `10:30` is a text, a key stands once, and there are no
anchors, which could make a small file huge.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import ValidationError

from api.flow_models import FlowFile
from api.flow_reading import flow_of
from api.json_body import parse
from api.problems import Problem
from domain.faults import Fault, escape_pointer
from domain.flow_members import Placed
from domain.flow_steps import Flow

LARGEST = 256 * 1024
DEEPEST = 60
_WORDS = {
    "extra_forbidden": "there is no such member here; correct its name or leave it out",
    "missing": "this is missing",
    "model_type": "this must be a mapping of names to values",
    "model_attributes_type": "this must be a mapping of names to values",
}
_TAG = "tag:yaml.org,2002:"
_PLAIN = (
    ("null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""]),
    ("bool", re.compile(r"^(?:true|false)$"), ["t", "f"]),
    ("int", re.compile(r"^-?(?:0|[1-9][0-9]{0,17})$"), list("-0123456789")),
    ("float", re.compile(r"^-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}$"), list("-0123456789")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misprint:
    """Something that is wrong with a file, and where: line and column count from 1."""

    line: int
    column: int
    pointer: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowText:
    """What a file says: the flow, or everything that is wrong with it in the order of its lines.

    Attributes:
        expressions: The conditions and expressions of the flow, as far as they can be read.
        places: The line and the column of each part, by its pointer.
    """

    flow: Flow | None = None
    misprints: tuple[Misprint, ...] = ()
    expressions: tuple[Placed, ...] = ()
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    def at(self, pointer: str, message: str) -> Misprint:
        """Returns words about a part of the file, with the line of that part or of what it should stand in."""
        return _placed(Fault(pointer=pointer, message=message), self.places)


class _Loader(yaml.SafeLoader):
    """Reads plain words as JSON does."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Returns the next node, which must stand for itself."""
        event = self.peek_event()  # type: ignore[no-untyped-call] # the library is not typed
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise yaml.MarkedYAMLError(problem="anchors are not read; write it out", problem_mark=event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem="tags are not read; leave it out", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {}  # what follows is all that it knows
for _name, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, _first)


def read(text: str) -> tuple[Flow | None, tuple[Misprint, ...]]:
    """Returns the flow that a file defines, or None and everything that is wrong with it, in the order of its lines."""
    found = read_text(text)
    return found.flow, found.misprints


def read_text(text: str) -> FlowText:
    """Returns all that a file says, with the places of its parts."""
    if len(text.encode("utf-8", "replace")) > LARGEST:
        return FlowText(misprints=(_at(1, 1, "the file is larger than 256 KiB"),))
    places: dict[str, tuple[int, int]] = {}
    wrong: list[Misprint] = []
    try:
        node = yaml.compose(text, Loader=_Loader)
        value = _value(node, "", places, wrong, DEEPEST)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        # What YAML does not read may be JSON, which takes tabs and halves of characters; its lines are not known then.
        places, value, found = {}, _json(text), _unreadable(error, text)
        wrong = [] if value is not None else [found]
    return FlowText(misprints=tuple(wrong)) if wrong else _understood(value, places)


def _unreadable(error: Exception, text: str) -> Misprint:
    """Returns what the reader of YAML found, at its place."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return _at(line, column, error.problem or "this is no YAML")
    if isinstance(error, yaml.reader.ReaderError):
        return _at(text.count("\n", 0, error.position) + 1, 1, f"no text has such a character: {error.reason}")
    return _at(1, 1, str(error).partition("\n")[0] or "this is no YAML")


def _at(line: int, column: int, message: str) -> Misprint:
    return Misprint(line=line, column=column, pointer="", message=message)


def _json(text: str) -> Any:
    """Returns the value of JSON that YAML does not read (tabs, halves of characters), or None where it is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return parse(text.encode("utf-8", "replace"))
    except Problem:
        return None


def _understood(value: Any, places: dict[str, tuple[int, int]]) -> FlowText:
    try:
        found, faults, expressions = flow_of(FlowFile.model_validate(value))
    except ValidationError as error:
        faults = tuple(_fault(item, value) for item in error.errors(include_url=False, include_input=False))
        found, expressions = None, ()
    if not faults:
        return FlowText(flow=found, expressions=expressions, places=places)
    misprints = sorted((_placed(fault, places) for fault in faults), key=lambda one: (one.line, one.column))
    return FlowText(misprints=tuple(misprints), expressions=expressions, places=places)


def _value(
    node: yaml.Node | None, pointer: str, places: dict[str, tuple[int, int]], wrong: list[Misprint], depth: int
) -> Any:
    """Returns the value of a node and notes where each part of it stands."""
    if node is None:
        return None
    mark = node.start_mark
    places.setdefault(pointer, (mark.line + 1, mark.column + 1))
    if depth == 0:
        raise yaml.YAMLError("the file is nested too deeply")
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, f"{pointer}/{index}", places, wrong, depth - 1) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, pointer, places, wrong, depth)
    return _scalar(node)


def _mapping(
    node: yaml.MappingNode, pointer: str, places: dict[str, tuple[int, int]], wrong: list[Misprint], depth: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a name must be one word", problem_mark=key.start_mark)
        name, mark = key.value, key.start_mark
        place = f"{pointer}/{escape_pointer(name)}"
        line, column = mark.line + 1, mark.column + 1
        if name in found:
            message = f"{name[:60]!r} stands twice here"
            wrong.append(Misprint(line=line, column=column, pointer=place, message=message))
            continue
        places[place] = (line, column)
        found[name] = _value(value, place, places, wrong, depth - 1)
    return found


def _scalar(node: yaml.Node) -> Any:
    match node.tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return node.value == "true"
        case "int":
            return int(node.value)
        case "float":
            return float(node.value)
        case _ if "\0" in node.value:
            raise yaml.MarkedYAMLError(problem="no text has a NUL character", problem_mark=node.start_mark)
        case _:
            return str(node.value)


def _fault(item: Any, value: Any) -> Fault:
    """Returns what pydantic found, without the names of union members in its path."""
    pointer, inner = "", value
    for step in item["loc"]:
        if _has(inner, step):
            inner = inner[step]
        elif item["type"] != "missing" or step != item["loc"][-1]:
            continue  # the tag of a union, no part of the file
        pointer += f"/{escape_pointer(str(step))}"
    message = _WORDS.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    return Fault(pointer=pointer, message=message[:1].lower() + message[1:])


def _has(value: Any, step: Any) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def _placed(fault: Fault, places: Mapping[str, tuple[int, int]]) -> Misprint:
    """Returns a fault with the line of what it points at, or of what that should stand in."""
    pointer = fault.pointer
    while pointer and pointer not in places:
        pointer = pointer.rpartition("/")[0]
    line, column = places.get(pointer, (1, 1))
    return Misprint(line=line, column=column, pointer=fault.pointer, message=fault.message)


def listed(faults: Sequence[Misprint], name: str) -> list[str]:
    """Returns misprints as lines that editors and terminals can follow."""
    return [f"{name}:{one.line}:{one.column}: {one.pointer or 'the file'}: {one.message}" for one in faults]
