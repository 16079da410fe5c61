"""The lines of a series' timeline and of a preview, in the same words."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from db.series_lists import Line as Noted
from domain.flow_preview import Entry
from testing.transcript import Line

# What a preview does not tell, or tells of its script.
_UNTOLD = frozenset({"started", "heard"})


def of_timeline(noted: Iterable[Noted]) -> Iterator[Line]:
    """Yields the lines of what a series noted, the oldest first."""
    for one in noted:
        match one.kind:
            case "sent":
                yield Line(at=one.at, kind="sends", step=one.step or "", told=str(one.detail["template"]))
            case "waiting":
                yield _waits(one.at, one.step, one.detail.get("until"))
            case "ended":
                yield Line(at=one.at, kind="ends", told=_why(one.detail))
            case "parked":
                yield Line(at=one.at, kind="parked", step=one.step or "", told=_why(one.detail))
            case _ if one.kind not in _UNTOLD:
                yield Line(at=one.at, kind=one.kind, step=one.step or "")
            case _:
                pass


def of_preview(entries: Iterable[Entry]) -> Iterator[Line]:
    """Yields the lines of what a preview foretells."""
    last: Line | None = None
    for one in entries:
        line = _foretold(one)
        if line is None or (last is not None and last.kind == line.kind == "waits" and _same_wait(last, line)):
            continue
        last = line
        yield line


def _foretold(one: Entry) -> Line | None:
    detail = one.detail or {}
    match one.kind:
        case "do" if "send" in detail:
            return Line(at=one.at, kind="sends", step=one.step_id or "", told=str(detail["send"]))
        case "do":
            step = str(detail.get("step", "called"))
            return Line(at=one.at, kind={"update": "updated"}.get(step, step), step=one.step_id or "")
        case "wait":
            return _waits(one.at, one.step_id, detail.get("until"))
        case "done":
            return Line(at=one.at, kind="ends", told=_why(detail))
        case "stuck":
            return Line(at=one.at, kind="parked", step=one.step_id or "", told=_why(detail))
        case kind:
            return None if kind in _UNTOLD else Line(at=one.at, kind=kind, step=one.step_id or "")


def _same_wait(one: Line, other: Line) -> bool:
    """Tells whether somebody looked again meanwhile, and waits on for the same."""
    return (one.step, one.until) == (other.step, other.until)


def _waits(at: datetime, step: str | None, until: Any) -> Line:
    moment = datetime.fromisoformat(until) if isinstance(until, str) else until
    return Line(at=at, kind="waits", step=step or "", until=moment)


def _why(detail: Mapping[str, Any]) -> str:
    return ": ".join(str(detail[name]) for name in ("reason", "detail") if detail.get(name))
