"""Which members an expression names, such as `event.data.amount`.

The compiled program tells the variables that it reads, not what it reads of them. So the words of an expression are
read here once more, after `conditions.check` took it: no comments, plain quotes, one level of macros.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s+|(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<number>0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>.)""",
    re.DOTALL,
)
_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_WORDS = frozenset({"true", "false", "null", "in"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_END = ("end", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A member that an expression names.

    Attributes:
        variable: What it is a member of; empty for the variable of a macro over something that was computed.
        path: How to get there; None stands for an entry of a list, or for a name that is computed.
    """

    variable: str
    path: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Macro:
    """A macro: from where to where its variable is seen, and what that stands for."""

    start: int
    end: int
    variable: str
    means: Named


def members(expression: str) -> tuple[Named, ...]:
    """Returns the members that an expression names, in the order in which they stand; each as far as it goes."""
    return tuple(_Reading(expression).read())


class _Reading:
    """Reads the words of one expression."""

    def __init__(self, expression: str) -> None:
        found = ((one.lastgroup, one.group()) for one in _TOKEN.finditer(expression))
        self._tokens = [(kind, text) for kind, text in found if kind is not None]
        self._macros: dict[int, _Macro] = {}

    def read(self) -> Iterator[Named]:
        """Yields what is named."""
        for place, (kind, text) in enumerate(self._tokens):
            if kind != "name" or text in _WORDS:
                continue
            if self._token(place - 1) == ("sign", "."):
                self._note(place, Named(variable="", path=()))
            elif self._token(place + 1) != ("sign", "("):
                yield self._chain(place + 1, self._meant(place, text))

    def _token(self, place: int) -> tuple[str, str]:
        return self._tokens[place] if 0 <= place < len(self._tokens) else _END

    def _meant(self, place: int, name: str) -> Named:
        """Returns what a name stands for where it stands."""
        seen = (one.means for one in self._macros.values() if one.variable == name and one.start < place < one.end)
        return next(seen, Named(variable=name, path=()))

    def _chain(self, place: int, named: Named) -> Named:
        """Returns what follows a name: members, entries of lists, and lists of which `filter` leaves some out."""
        while True:
            sign, following = self._token(place)[1], self._token(place + 1)
            if sign == "[":
                named = _inside(named, self._index(place))
                place = self._closing(place) + 1
            elif sign != "." or following[0] != "name":
                return named
            elif self._token(place + 2) != ("sign", "("):
                named = _inside(named, following[1])
                place += 2
            else:
                self._note(place + 1, _inside(named, None))
                if following[1] != "filter":
                    return named
                place = self._closing(place + 2) + 1

    def _index(self, opening: int) -> str | None:
        """Returns the name that stands in brackets; None for a number or what is computed."""
        kind, text = self._token(opening + 1)
        is_plain = kind == "text" and "\\" not in text and self._token(opening + 2) == ("sign", "]")
        return text[1:-1] if is_plain else None

    def _note(self, place: int, means: Named) -> None:
        """Notes what the variable of a macro stands for, where the name at a place is one; what is known stays."""
        kind, variable = self._token(place + 2)
        is_macro = self._token(place)[1] in _MACROS and self._token(place + 1) == ("sign", "(") and kind == "name"
        if is_macro and self._token(place + 3) == ("sign", ",") and place not in self._macros:
            end = self._closing(place + 1)
            self._macros[place] = _Macro(start=place + 1, end=end, variable=variable, means=means)

    def _closing(self, opening: int) -> int:
        """Returns where a bracket is closed."""
        depth = 0
        for place in range(opening, len(self._tokens)):
            kind, text = self._tokens[place]
            if kind == "sign":
                depth += (text in _OPENING) - (text in _CLOSING)
            if depth == 0:
                return place
        return len(self._tokens)


def _inside(named: Named, step: str | None) -> Named:
    return Named(variable=named.variable, path=(*named.path, step))
