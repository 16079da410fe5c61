"""How many text messages a text takes: the GSM 7-bit alphabet (3GPP TS 23.038) or UCS-2."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_SIZES = {"gsm7": (160, 153), "ucs2": (70, 67)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a text travels.

    Attributes:
        encoding: `gsm7`, or `ucs2` as soon as one character is outside the GSM alphabet.
        units: Septets, or UTF-16 code units.
        segments: Text messages that are paid for.
        left: Units that still fit into the last segment.
    """

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int
    left: int


def measure(text: str) -> Measure:
    """Returns how a text travels; a character that takes two units never straddles two segments."""
    if all(character in _BASIC or character in _EXTENDED for character in text):
        return _packed("gsm7", [2 if character in _EXTENDED else 1 for character in text])
    return _packed("ucs2", [2 if ord(character) > 0xFFFF else 1 for character in text])  # noqa: PLR2004 - the BMP's end


def _packed(encoding: Literal["gsm7", "ucs2"], costs: Iterable[int]) -> Measure:
    alone, each = _SIZES[encoding]
    costs = list(costs)
    units = sum(costs)
    if units <= alone:
        return Measure(encoding=encoding, units=units, segments=1, left=alone - units)
    segments, used = 1, 0
    for cost in costs:
        if used + cost > each:
            segments, used = segments + 1, 0
        used += cost
    return Measure(encoding=encoding, units=units, segments=segments, left=each - used)
