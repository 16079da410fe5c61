"""What the JSON Schema of flow files says beyond the models: shapes of words, and members that need each other."""

from typing import Any

from pydantic.config import JsonDict

from domain import calendar_rules

_SHORT = "([0-9]{1,4}w)?([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?"
_ISO = (
    "P([0-9]{1,3}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,5}D)?(T(?=[0-9])([0-9]{1,6}H)?([0-9]{1,7}M)?([0-9]{1,9}S)?)?"
)
_NO_TIME = "(0+h)?(0+m)?(0+s)?"
_NO_ISO_TIME = "(T(?=[0-9])(0+H)?(0+M)?(0+S)?)?"
_WHOLE_DAYS = f"^(([0-9]+w)?([0-9]+d)?{_NO_TIME}|P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?{_NO_ISO_TIME})$"
_BELOW_A_MINUTE = "^((0+w)?(0+d)?(0+h)?(0+m)?0*[0-5]?[0-9]s|P(0+Y)?(0+M)?(0+W)?(0+D)?T(0+H)?(0+M)?0*[0-5]?[0-9]S)$"
_DAY = "(0[1-9]|[12][0-9]|3[01])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
INSTANT = (
    rf"[0-9]{{4}}-(0[1-9]|1[0-2])-{_DAY}[T ]{_TIME}(:[0-5][0-9](\.[0-9]{{1,6}})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
)
PLAIN_DURATION = f"(P(?=[0-9T])([0-9]+W)?([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+S)?)?|(?=[0-9]){_SHORT})"
"""How `within` is written as a text: weeks to seconds, since months have no one length."""

LENGTH: JsonDict = {"type": "string", "maxLength": 60, "pattern": f"^(?=.*[1-9])({_SHORT}|{_ISO})$"}
OFFSET: JsonDict = {"type": "string", "maxLength": 60, "pattern": f"^(?=.*[0-9])[+-]?({_SHORT}|{_ISO})$"}
MOMENT: JsonDict = {"type": "string", "maxLength": 64, "pattern": f"^([a-z][a-z0-9_]{{0,63}}|{INSTANT})$"}
WITHIN: JsonDict = {
    "description": "Seconds, an ISO 8601 duration, or `10m`, `2h`, `1d`.",
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 7_776_000},
        {"type": "string", "pattern": f"^(?=.*[1-9]){PLAIN_DURATION}$"},
    ],
}


def _rule() -> str:
    """Returns the pattern of a calendar rule: each part once, one of them its frequency."""
    parts = "|".join(f"{name}={value}" for name, value in calendar_rules.SHAPES.items())
    return rf"^(?!(.*;)?([A-Z]+)=.*;\2=)(?=(.*;)?FREQ=)({parts})(;({parts}))*$"


RULE: JsonDict = {"type": "string", "maxLength": 200, "pattern": _rule()}


def _given(name: str, **schema: Any) -> JsonDict:
    """Returns the schema of what has a member, which is not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}, **schema}}}


_LEAVES_OUT_BOTH: JsonDict = {"not": {"anyOf": [_given("every"), _given("rule")]}}
ROUNDS: JsonDict = {
    "allOf": [
        {"not": {"allOf": [_given("every"), _given("rule")]}},
        {"not": _given("every", pattern=_BELOW_A_MINUTE, type="string")},
        {"if": _given("at"), "then": {"anyOf": [_given("rule"), _given("every", pattern=_WHOLE_DAYS)]}},
        {"if": _LEAVES_OUT_BOTH, "then": {"properties": {"repeat": {"prefixItems": [{"required": ["wait_for"]}]}}}},
    ]
}
"""A repetition has one clock at most, comes not too often, and without one begins with what it waits for."""

CHANGES: JsonDict = {"anyOf": [_given(name, minProperties=1) for name in ("update", "profile", "consents")]}
"""A step that changes somebody says what is to be changed."""

TIMES_OUT: JsonDict = {"if": _given("on_timeout", minItems=1), "then": _given("timeout")}
"""What is done at a timeout needs one."""

QUIET: JsonDict = {
    "allOf": [
        {"if": _given("from"), "then": _given("to")},
        {"if": _given("to"), "then": _given("from")},
        {"anyOf": [_given("from"), _given("holidays")]},
        {"if": _given("spread"), "then": {"properties": {"mode": {"enum": ["hold", "hold_series"]}}}},
    ]
}
"""Quiet hours have both ends or holidays, and only what is held is spread."""

ONE_OF_THESE: JsonDict = {"minProperties": 1, "maxProperties": 1}

STARTED_BY_EVENTS: JsonDict = {
    "if": {"required": ["on"], "properties": {"on": {"anyOf": [{"type": "string"}, {"minItems": 1}]}}},
    "then": _given("to", additionalProperties={"type": "string"}),
}
"""A flow that events start says whom its series are for."""
