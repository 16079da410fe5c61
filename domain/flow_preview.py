"""What a series would do, when and why, without doing anything: the same decisions, and a clock that jumps."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from domain.flow_judge import Holds
from domain.flow_program import Program
from domain.flow_state import Heard, SeriesState
from domain.flow_steps import Call, Confirm, FlowStep, Send
from domain.flows import Do, Done, Note, Stuck, Wait, decide, taken

MOST_ENTRIES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a transcript.

    Attributes:
        kind: `do` for a step, `wait` for a pause, `heard` for what the script says, `done` for the end, `cut` where
            the transcript became too long, `stuck` where it cannot go on, or the kind of a `Note`.
    """

    at: datetime
    kind: str
    step_id: str | None = None
    detail: Mapping[str, Any] | None = None


def _nothing(_: FlowStep) -> Mapping[str, Any]:
    return {}


def simulate(
    program: Program,
    state: SeriesState,
    holds: Holds,
    script: Sequence[Heard] = (),
    outcome_of: Callable[[FlowStep], Mapping[str, Any]] = _nothing,
    begin: datetime | None = None,
) -> tuple[Entry, ...]:
    """Returns the transcript of a series from its state on.

    Args:
        program: The flow.
        state: Where the series stands.
        holds: Judges conditions.
        script: What is heard, and when.
        outcome_of: What comes of a step.
        begin: When the clock starts; at the series' `entered_at` by default.
    """
    now, entries = begin or state.entered_at, list[Entry]()
    left = deque(sorted(script, key=lambda heard: heard.at))
    while len(entries) < MOST_ENTRIES:
        decision = decide(program, state, now, holds)
        state, following = decision.state, decision.next
        entries += [*(_noted(now, note) for note in decision.notes), _told(now, following)]
        if isinstance(following, Done | Stuck):
            return tuple(entries)
        if isinstance(following, Do):
            state = taken(program, state, outcome_of(following.step), now)
        elif left and (following.until is None or left[0].at <= following.until):
            heard = left.popleft()
            now, state = max(now, heard.at), state.hear(heard)
            entries.append(Entry(at=now, kind="heard", detail={"kind": heard.kind, "name": heard.name}))
        elif following.until is None:
            return tuple(entries)
        else:
            now = following.until
    return (*entries, Entry(at=now, kind="cut"))


def _told(now: datetime, following: Do | Wait | Done | Stuck) -> Entry:
    match following:
        case Do():
            return Entry(at=now, kind="do", step_id=following.step.id, detail=_about(following.step))
        case Stuck():
            detail = {"reason": following.reason, "detail": following.detail}
            return Entry(at=now, kind="stuck", step_id=following.step_id, detail=detail)
        case Wait():
            spread = {} if following.spread is None else {"spread": str(following.spread)}
            return Entry(at=now, kind="wait", step_id=following.step_id, detail={"until": following.until, **spread})
        case Done():
            return Entry(at=now, kind="done", detail={"reason": following.reason, "detail": following.detail})
        case _ as never:
            assert_never(never)


def _about(step: FlowStep) -> Mapping[str, Any]:
    match step:
        case Send():
            return {"send": step.template}
        case Confirm():
            return {"send": step.template, "confirms": step.topic}
        case Call():
            return {"call": step.url}
        case _:
            return {"step": type(step).__name__.lower()}


def _noted(now: datetime, note: Note) -> Entry:
    return Entry(at=now, kind=note.kind, step_id=note.step_id, detail=note.detail)
