"""Which account of a channel goes first, and which ones take over: the same answer for the same notification."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from domain.health import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An active account of a channel.

    Attributes:
        is_held: Its circuit, or that of the template there, lets nothing through at the moment.
        weight: Its share among accounts of the same priority; 0 is only used when no other is left.
    """

    account_id: str
    is_held: bool = False
    level: Level = Level.HEALTHY
    priority: int = 0
    weight: int = 1


def order(candidates: Iterable[Candidate], *, key: str) -> list[Candidate]:
    """Returns the candidates, the preferred ones first: those that work, then by health, priority and share.

    Among equals chance decides by weight, with dice that `key` throws: a notification that asks twice is told the same.
    """
    return sorted(candidates, key=lambda candidate: _rank(candidate, key))


def _rank(candidate: Candidate, key: str) -> tuple[bool, int, int, float, str]:
    return (
        candidate.is_held,
        candidate.level.severity,
        -candidate.priority,
        _lot(candidate, key),
        candidate.account_id,
    )


def _lot(candidate: Candidate, key: str) -> float:
    """Returns a lot whose smallest of several falls to each with the probability of its weight.

    These are exponential waiting times; see Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    """
    if candidate.weight <= 0:
        return math.inf
    digest = hashlib.sha256(f"{key}/{candidate.account_id}".encode()).digest()
    fraction = (int.from_bytes(digest[:8]) + 1) / (2**64 + 1)
    return -math.log(fraction) / candidate.weight
