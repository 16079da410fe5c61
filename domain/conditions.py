"""Conditions of flows, written in CEL: checked when a flow is read, judged while a series runs.

What a condition may see is a set of names; a misspelt one is found at once, not on the day it matters. CEL has no
limits of its own: a macro within a macro over long lists takes seconds, so only one level of them is taken.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import cel

LONGEST = 1000
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
    """Returns what an expression gives for the facts given.

    Raises:
        ConditionError: Something it names is not there, or types do not fit.
    """
    try:
        return _compiled(expression).execute(dict(facts))
    except KeyError as error:
        raise ConditionError(f"{error.args[0]!r} is not there; guard it with has(…)") from error
    except LookupError as error:
        raise ConditionError(f"{_in_short(error)}; guard it with size(…)") from error
    except (TypeError, ArithmeticError, ValueError, RuntimeError) as error:
        raise ConditionError(_in_short(error)) from error


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


def _nests(bare: str) -> bool:
    ends: list[int] = []
    for found in _MACRO.finditer(bare):
        ends = [end for end in ends if end > found.start()]
        if ends:
            return True
        ends.append(_closing(bare, bare.index("(", found.start())))
    return False


def _closing(text: str, opening: int) -> int:
    depth, place = 1, opening
    while depth and place + 1 < len(text):
        place += 1
        depth += {"(": 1, ")": -1}.get(text[place], 0)
    return place
