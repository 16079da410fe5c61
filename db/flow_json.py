"""Flows and the state of series as JSON documents: what is written today is read the same in two years.

The tags of steps are contracts, written out here, and every class keeps its members' names.
"""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

from cattrs import Converter
from cattrs.preconf.orjson import make_converter
from cattrs.strategies import configure_tagged_union

from domain import flow_steps as steps
from domain.flow_state import SeriesState
from domain.quiet_hours import Rest

_STEPS = {
    steps.Send: "send",
    steps.Wait: "wait",
    steps.WaitFor: "wait_for",
    steps.Confirm: "confirm",
    steps.Branch: "branch",
    steps.Repeat: "repeat",
    steps.Digest: "digest",
    steps.Throttle: "throttle",
    steps.Call: "call",
    steps.Update: "update",
    steps.Stop: "stop",
}
_MOMENTS = {steps.For: "for", steps.Until: "until", steps.NextLocal: "next_local"}
# What has a column of its own, comes from other rows, or is looked up anew each time.
_ELSEWHERE = ("started_at", "zone", "calendars", "consents", "place", "anchors", "facts", "heard")


def _converter() -> Converter:
    made = make_converter()
    made.register_unstructure_hook(time, time.isoformat)
    made.register_structure_hook(time, lambda text, _: time.fromisoformat(text))
    made.register_unstructure_hook(timedelta, timedelta.total_seconds)
    made.register_structure_hook(timedelta, lambda seconds, _: timedelta(seconds=float(seconds)))
    # The inner ones first: how a step is read is settled when the steps are.
    configure_tagged_union(steps.Moment, made, tag_generator=_MOMENTS.__getitem__, tag_name="when")
    configure_tagged_union(steps.FlowStep, made, tag_generator=_STEPS.__getitem__, tag_name="do")
    return made


_CONVERTER = _converter()


def flow_document(flow: steps.Flow) -> dict[str, Any]:
    """Returns a flow as a JSON document."""
    found: dict[str, Any] = _CONVERTER.unstructure(flow)
    return found


def flow_of(document: Mapping[str, Any]) -> steps.Flow:
    """Returns the flow that was stored as a document."""
    return _CONVERTER.structure(document, steps.Flow)


def rest_document(rest: Rest) -> dict[str, Any]:
    """Returns the quiet hours that go with a message as a JSON document."""
    found: dict[str, Any] = _CONVERTER.unstructure(rest)
    return found


def rest_of(document: Mapping[str, Any]) -> Rest:
    """Returns the quiet hours that went with a message as a document."""
    return _CONVERTER.structure(document, Rest)


def state_document(state: SeriesState) -> dict[str, Any]:
    """Returns what only the state itself holds as a JSON document."""
    found: dict[str, Any] = _CONVERTER.unstructure(state)
    return {name: value for name, value in found.items() if name not in _ELSEWHERE}


def state_of(document: Mapping[str, Any], **elsewhere: Any) -> SeriesState:
    """Returns a state from its document, and from what stands `elsewhere`."""
    held = {name: _CONVERTER.structure(document[name], kind) for name, kind in _HELD.items() if name in document}
    return SeriesState(**{**held, **elsewhere})


_HELD: Mapping[str, Any] = {name: kind for name, kind in SeriesState.__annotations__.items() if name not in _ELSEWHERE}
