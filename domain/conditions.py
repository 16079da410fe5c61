"""Conditions of flows, written in CEL: checked when a flow is read, judged while a series runs.

What a condition may see is a set of names; a misspelt one is found at once, not on the day it matters. CEL has no
limits of its own: a macro within a macro over long lists takes seconds, so only one level of them is taken, over lists
of a thousand entries, and what `map` makes is made of its own variable.
"""

import math
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import cel

LONGEST = 1000
LONGEST_LIST = 1000
"""Entries of a list that a condition with a macro sees; of what was heard it sees the last ones."""
_DEEPEST = 60
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w*)")
_FUNCTIONS = frozenset(
    {
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "int",
        "uint",
        "double",
        "string",
        "bool",
        "bytes",
        "timestamp",
        "duration",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    }
)
_ODD_LITERAL = re.compile(r"""\b(?:r|b|br|rb)["']|\"\"\"|'''""", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?!\w*\s*\()")
_WORDS = frozenset({"true", "false", "null", "in"})
_UNKNOWN = "Undefined variable or function"


class ConditionError(ValueError):
    """A condition cannot be read, or cannot be judged for the facts at hand; the message says why."""


def check(condition: str, known: Collection[str]) -> None:
    """Raises what is wrong with a condition that may see the variables `known`.

    Raises:
        ConditionError: It is too long, is no CEL, names something that is not there, or nests macros.
    """
    if len(condition) > LONGEST:
        raise ConditionError(f"the condition has {len(condition):,} characters; {LONGEST:,} are possible")
    if _ODD_LITERAL.search(_LITERAL.sub(_emptied, condition)):
        raise ConditionError("texts stand in plain quotes, 'so' or \"so\", without letters before them")
    program = _compiled(condition)
    bare = _LITERAL.sub("''", condition)
    if "//" in bare:
        raise ConditionError("comments are not read in conditions; write them beside")
    if foreign := sorted(name for name in program.functions() if name[0].isalpha() and name not in _FUNCTIONS):
        raise ConditionError(f"there is no function {foreign[0]!r}; there are {', '.join(sorted(_FUNCTIONS))}")
    bound = {found.group(1) for found in _MACRO.finditer(bare)}
    if unknown := sorted(set(program.variables()) - set(known) - bound):
        raise ConditionError(f"nothing is called {unknown[0]!r} here; known are {', '.join(sorted(known))}")
    if _nests(bare):
        raise ConditionError("a macro (all, exists, exists_one, map, filter) stands inside another one; use one level")
    if (name := _foreign_to_map(bare)) is not None:
        raise ConditionError(f"what `map` makes is made of its own variable; take {name!r} out of it")


def holds(condition: str, facts: Mapping[str, Any]) -> bool:
    """Tells whether a condition holds for the facts given.

    Raises:
        ConditionError: Something it names is not there, types do not fit, or it gives no truth value.
    """
    found = value_of(condition, facts)
    if not isinstance(found, bool):
        raise ConditionError(f"the condition gives {type(found).__name__}, not true or false")
    return found


def value_of(expression: str, facts: Mapping[str, Any]) -> Any:
    """Returns what an expression gives for the facts given, as it can be kept in JSON.

    Raises:
        ConditionError: Something it names is not there, types do not fit, or what it gives cannot be kept.
    """
    program = _compiled(expression)
    seen = _seen(expression, {name: facts[name] for name in program.variables() if name in facts})
    try:
        return _kept(program.execute(seen), _DEEPEST)
    except KeyError as error:
        raise ConditionError(f"{error.args[0]!r} is not there; guard it with has(…)") from error
    except LookupError as error:
        raise ConditionError(f"{_in_short(error)}; guard it with size(…)") from error
    except (TypeError, ArithmeticError, ValueError, RuntimeError) as error:
        raise ConditionError(_in_short(error)) from error


def _seen(expression: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts that an expression may look through; without a macro their length does not matter."""
    if not _has_macro(expression):
        return facts
    if "heard" in facts:
        facts["heard"] = facts["heard"][-LONGEST_LIST:]
    if any(_is_long(value) for value in facts.values()):
        raise ConditionError(f"a list has more than {LONGEST_LIST:,} entries; a macro does not look through it")
    return facts


def _is_long(value: Any) -> bool:
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            pending += found.values()
        elif isinstance(found, (list, tuple)):
            if len(found) > LONGEST_LIST:
                return True
            pending += found
    return False


def _kept(value: Any, depth: int) -> Any:
    """Returns a value as JSON has it."""
    if isinstance(value, bool | None) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and "\x00" not in value:
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list) and depth:
        return [_kept(inner, depth - 1) for inner in value]
    if isinstance(value, dict) and depth and all(isinstance(name, str) for name in value):
        return {name: _kept(inner, depth - 1) for name, inner in value.items()}
    raise ConditionError(f"it gives {type(value).__name__}, which cannot be kept; make it a text or a number")


@lru_cache(maxsize=1024)
def _has_macro(expression: str) -> bool:
    return _MACRO.search(_LITERAL.sub("''", expression)) is not None


@lru_cache(maxsize=1024)
def _compiled(condition: str) -> cel.Program:
    try:
        return cel.compile(condition)
    except ValueError as error:
        raise ConditionError(_in_short(error)) from error


def _in_short(error: Exception) -> str:
    """Returns the first line of what CEL says, without the expression, which stands beside it anyway."""
    text = str(error)
    syntax = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", text)
    if syntax is not None:
        line, column, what = syntax.groups()
        return f"line {line}, column {column}: {what[:120]}"
    if _UNKNOWN in text:
        return f"{text.partition('.')[0]}"
    if isinstance(error, TypeError):
        return "the types do not fit; a whole number and one with a fraction need int(…) or double(…)"
    return text.partition("\n")[0][:160]


def _emptied(literal: re.Match[str]) -> str:
    """Returns the quotes of a text alone, so that what it says is not taken for something else."""
    return literal.group(0)[0] * 2


def _nests(bare: str) -> bool:
    ends: list[int] = []
    for found in _MACRO.finditer(bare):
        ends = [end for end in ends if end > found.start()]
        if ends:
            return True
        ends.append(_closing(bare, bare.index("(", found.start())))
    return False


def _foreign_to_map(bare: str) -> str | None:
    """Returns a name within a `map` that is not its own variable, if there is one."""
    for found in _MACRO.finditer(bare):
        if "map" in found.group(0).partition("(")[0]:
            body = bare[found.end() : _closing(bare, bare.index("(", found.start()))]
            names: set[str] = set(_NAME.findall(body))
            foreign = sorted(names - _WORDS - {found.group(1)})
            if foreign:
                return foreign[0]
    return None


def _closing(text: str, opening: int) -> int:
    depth, place = 1, opening
    while depth and place + 1 < len(text):
        place += 1
        depth += {"(": 1, ")": -1}.get(text[place], 0)
    return place
