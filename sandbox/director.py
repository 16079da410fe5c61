"""Decides, send by send, which effects the rules in force have."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from sandbox import magic
from sandbox.behaviour import Behaviour, Effect, Match, Quota, Rule

ORDINARY = Effect()
_PHONE_ENDING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The facts of a send that rules look at."""

    channel: Literal["whatsapp", "email"]
    number: str
    recipient: str
    template: str | None = None


class Director:
    """Holds the behaviour in force, counts what rules count, and merges the effects of all rules that match.

    Where two matching rules set the same field, the earlier one prevails; magic recipients come last.
    """

    def __init__(self, behaviour: Behaviour, changed: Callable[[], None]) -> None:
        self.behaviour = behaviour
        self._changed = changed
        self._history: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        self.direct(behaviour)

    def direct(self, behaviour: Behaviour) -> None:
        """Puts another behaviour in force; counters and chances start anew."""
        self.behaviour = behaviour
        self._magic = {rule.match.recipient: rule for rule in magic.rules()} if behaviour.magic else {}
        self._draws: dict[int, int] = defaultdict(int)
        self._turns: dict[tuple[str, str], int] = defaultdict(int)

    def effect_for(self, subject: Subject) -> Effect:
        """Returns the merged effect of every rule that matches, and counts the send."""
        chosen: dict[str, Any] = {}
        for index, rule in enumerate(self.behaviour.rules):
            if _concerns(rule.match, subject) and self._due(rule, index, subject):
                _merge(chosen, rule.effect)
        for rule in self._magic_rules(subject):
            if self._due(rule, None, subject):
                _merge(chosen, rule.effect)
        return Effect(**chosen) if chosen else ORDINARY

    def exceeds(self, kind: Literal["number", "pair"], key: str, now: float) -> bool:
        """Tells whether one more send at `now` (seconds) exceeds the quota of a number or pair; if not, counts it."""
        quota: Quota | None = getattr(self.behaviour.limits, kind)
        if quota is None:
            return False
        past = self._history[kind, key]
        while past and past[0] <= now - quota.seconds:
            past.popleft()
        if len(past) >= quota.count:
            return True
        past.append(now)
        return False

    def _magic_rules(self, subject: Subject) -> list[Rule]:
        if subject.channel == "whatsapp":
            keys = [f"*{subject.recipient[-_PHONE_ENDING:]}"]
        else:
            local = subject.recipient.partition("@")[0].lower()
            keys = [f"{local}@*"] if "+" not in local else [f"{local.partition('+')[0]}+*@*"]
        return [self._magic[key] for key in keys if key in self._magic]

    def _due(self, rule: Rule, index: int | None, subject: Subject) -> bool:
        match = rule.match
        if index is not None and match.probability < 1 and self._chance(index) >= match.probability:
            return False
        if match.first is not None:
            key = (f"{index}/{rule.name}", subject.recipient)
            turn = self._turns[key]
            self._turns[key] = (turn + 1) % (match.first + 1)
            return turn < match.first
        if match.next is not None:
            if match.next == 0:
                return False
            match.next -= 1
            self._changed()
        return True

    def _chance(self, index: int) -> float:
        self._draws[index] += 1
        drawn = hashlib.sha256(f"{self.behaviour.seed}/{index}/{self._draws[index]}".encode()).digest()
        return int.from_bytes(drawn[:8]) / 2**64


def _concerns(match: Match, subject: Subject) -> bool:
    return (
        match.channel in {None, subject.channel}
        and match.number in {None, subject.number}
        and match.template in {None, subject.template}
        and (match.recipient is None or fnmatchcase(subject.recipient.lower(), match.recipient.lower().lstrip("+")))
    )


def _merge(chosen: dict[str, Any], effect: Effect) -> None:
    for name in effect.model_fields_set:
        chosen.setdefault(name, getattr(effect, name))
