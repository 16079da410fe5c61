"""Plays flows on a clock that jumps."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.durations import parse
from domain.flow_preview import simulate
from domain.flow_program import compiled
from domain.flow_state import Heard, SeriesState
from domain.flow_steps import Awaited, Flow, FlowStep, For, Send, Wait

START = datetime(2026, 6, 1, 4, 30, tzinfo=UTC)  # 10:00 in Kolkata, a Monday
REPLY, TAP = Awaited(kind="reply"), Awaited(kind="tap", name="accept")


def holds(condition: str, facts: Mapping[str, Any]) -> bool:
    """Judges conditions of the form `name == value` over the data, and `replied`."""
    if condition == "replied":
        return any(one["kind"] == "reply" for one in facts["heard"])
    name, _, value = condition.partition(" == ")
    return str(facts.get("data", {}).get(name)) == value


def flow(*steps: FlowStep, **parts: Any) -> Flow:
    return Flow(name="reminder", steps=steps, **parts)


def send(name: str) -> Send:
    return Send(id=name, template="hello")


def wait(name: str, length: str) -> Wait:
    return Wait(id=name, moment=For(span=parse(length)))


def at(length: str) -> datetime:
    span = parse(length)
    return START + timedelta(days=span.days) + span.exact


def reply(after: str) -> Heard:
    return Heard(kind="reply", at=at(after))


def state(**fields: Any) -> SeriesState:
    return SeriesState(**{"started_at": START, "entered_at": START, "zone": "Asia/Kolkata", **fields})


def played(definition: Flow, *script: Heard, **fields: Any) -> list[tuple[str, str]]:
    """Returns what is done and why it ends, as `(when after the start, what)`."""
    entries = simulate(compiled(definition), state(**fields), holds, script)
    told = [
        (entry.at, entry.step_id if entry.kind == "do" else (entry.detail or {}).get("reason", entry.kind))
        for entry in entries
        if entry.kind in {"do", "done", "cut"}
    ]
    return [(str(moment - START), str(what)) for moment, what in told]
