"""What a series did, decided and will do, in words; and what to do about one that cannot go on."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from api.flows import PreviewEntry
from api.series_models import SeriesLine
from web.rendering import in_zone

_Facts = Mapping[str, Any]

WAYS_OUT: Mapping[str, str] = {
    "anchor_missing": "Give it the date (“Move a date”), then resume.",
    "condition_failed": "Mend the condition in the flow and publish it with “migrate”, or skip the step, then resume.",
    "data_refused": "Give the series what the template needs (PATCH /v1/series/{id} with data), then resume.",
    "in_circles": "Mend the flow so that it waits on its way round, publish it with “migrate”, then resume.",
    "key_in_use": "Skip the step: a notification with its key was accepted from elsewhere.",
    "no_such_instant": "Move the date that the wait counts from, then resume.",
    "recipient_missing": "Create the recipient, or skip the step, then resume.",
    "template_missing": "Publish the template with a part for its channel, then resume.",
    "topic_missing": "Create the topic, then resume.",
}
"""What lets a parked series go on, by what keeps it."""
_CALL = "See that the service answers, then resume: it is asked again. Or skip the step."


def way_out(cause: str | None) -> str:
    """Returns what to do about a parked series."""
    if cause is not None and cause.startswith("call_"):
        return _CALL
    return WAYS_OUT.get(cause or "", "Mend what it says, then resume.")


def said(line: SeriesLine, zone: str) -> str:
    """Returns what a series did or decided, as a sentence with the times of a zone."""
    saying = _SAYINGS.get(line.kind)
    return saying(_timed(line.detail, zone)) if saying else f"{line.kind.replace('_', ' ').capitalize()}."


def expected(entry: PreviewEntry, zone: str) -> str:
    """Returns what a series will do if nothing more is heard, as a sentence with the times of a zone."""
    detail = _timed(entry.detail if isinstance(entry.detail, dict) else {}, zone)
    saying = _COMING.get(entry.kind) or _SAYINGS.get(entry.kind)
    return saying(detail) if saying else f"{entry.kind.replace('_', ' ').capitalize()}."


def judged(line: SeriesLine) -> list[tuple[str, bool]]:
    """Returns every condition of a line with the values that it saw, and whether it held."""
    told = line.detail.get("judged") or ([line.detail] if "holds" in line.detail else [])
    return [(_condition(one), bool(one.get("holds"))) for one in told]


def _timed(facts: _Facts, zone: str) -> _Facts:
    """Returns facts with their instants as the clocks of a zone show them."""
    until = facts.get("until")
    if isinstance(until, str):
        until = datetime.fromisoformat(until)
    told = {name: in_zone(datetime.fromisoformat(text), zone) for name, text in (facts.get("anchors") or {}).items()}
    moments = {"until": in_zone(until, zone)} if isinstance(until, datetime) else {}
    return {**facts, **moments, **({"anchors": told} if told else {})}


def _until(facts: _Facts) -> str:
    return f" until {facts['until']}" if facts.get("until") else ""


def _waiting(facts: _Facts) -> str:
    awaited = " or ".join(str(one) for one in facts.get("awaited") or ())
    return f"Waits for {awaited}{_until(facts)}." if awaited else f"Waits{_until(facts)}."


def _heard(facts: _Facts) -> str:
    name = f" “{facts['name']}”" if facts.get("name") else ""
    return f"Heard what it waited for: {facts.get('heard') or facts.get('kind')}{name}."


def _full(facts: _Facts) -> str:
    what = ":".join(str(facts[part]) for part in ("kind", "name") if facts.get(part))
    bounds = f"{facts.get('most', 0):,} things or {facts.get('most_bytes', 0) // 2**20} MiB"
    return f"Did not hear {what}: it had heard as much as a series keeps, {bounds}."


def _branch(facts: _Facts) -> str:
    if facts.get("case") is None:
        return "No case held; it took the other way."
    judged = facts.get("judged") or [facts]
    return f"Case {facts['case'] + 1} held: {_condition({**facts, **judged[-1]})}"


def _condition(facts: _Facts) -> str:
    """Returns a condition with the values that it saw."""
    saw = ", ".join(f"{path} was {_value(value)}" for path, value in (facts.get("saw") or {}).items())
    return f"{facts.get('when')} ({saw})" if saw else str(facts.get("when"))


def _value(value: Any) -> str:
    return "not there" if value is None else str(value)


def _quiet(facts: _Facts) -> str:
    what = {"hold": "The message is held", "skip": "The message was left out"}.get(str(facts.get("mode")), "Held")
    return f"Quiet hours{_until(facts)}. {what}."


def _skipped(facts: _Facts) -> str:
    if "by" in facts:
        return f"The step {facts.get('step') or 'at its end'} was left out by a person."
    return f"Left out: the wait was over already{_until(facts).replace(' until', ' at')}."


def _throttle(facts: _Facts) -> str:
    return f"The recipient had {facts.get('sent')} of the flow's messages" + (
        "; that is enough." if facts.get("stop") else "."
    )


def _updated(facts: _Facts) -> str:
    if facts.get("skipped"):
        return "Nobody known has this address; nothing to change."
    names = [str(one) for member in ("attributes", "profile", "consents") for one in facts.get(member) or ()]
    return f"Changed the recipient: {', '.join(names)}."


def _ended(facts: _Facts) -> str:
    detail = f": {facts['detail']}" if facts.get("detail") else ""
    reason = facts.get("reason")
    why = f" ({reason}{detail})" if reason and reason != facts.get("status") else detail
    return f"Ended as {facts.get('status') or 'stopped'}{why}."


def _changed(facts: _Facts) -> str:
    moved = [f"{name} to {value}" for name, value in (facts.get("anchors") or {}).items()]
    told = [f"moved {', '.join(moved)}"] if moved else []
    told += [f"changed {', '.join(facts['data'])}"] if facts.get("data") else []
    text = " and ".join(told) or "changed nothing"
    return f"{text[0].upper()}{text[1:]}."


_SAYINGS: Mapping[str, Callable[[_Facts], str]] = {
    "started": lambda facts: f"Began by the flow {facts.get('flow')}.",
    "sent": lambda facts: f"Sent {facts.get('template')}, version {facts.get('template_version')}.",
    "waiting": _waiting,
    "heard": _heard,
    "timeout": lambda facts: f"Heard nothing{_until(facts)}.",
    "branch": _branch,
    "round": lambda facts: f"Began round {facts.get('round')}.",
    "until": lambda facts: f"Enough rounds: {_condition(facts)}",
    "missed": lambda facts: f"Left out {facts.get('rounds')} rounds whose time had passed.",
    "quiet": _quiet,
    "skipped": _skipped,
    "throttle": _throttle,
    "updated": _updated,
    "called": lambda facts: f"The service answered with {facts.get('status')}.",
    "parked": lambda facts: f"Parked ({facts.get('reason')}): {facts.get('detail')}",
    "full": _full,
    "paused": lambda _: "Paused.",
    "resumed": lambda facts: f"Resumed{' from ' + str(facts['from']) if facts.get('from') else ''}.",
    "changed": _changed,
    "taken_again": lambda facts: f"Put to the step {facts.get('step')}, as if it came there then.",
    "migrated": lambda _: "Went over to another version of the flow.",
    "ended": _ended,
}
_COMING: Mapping[str, Callable[[_Facts], str]] = {
    "do": lambda facts: f"Sends {facts['send']}." if "send" in facts else f"Does {facts.get('call') or 'the step'}.",
    "wait": lambda facts: f"Waits{_until(facts)}." if facts.get("until") else "Waits until something is heard.",
    "done": lambda facts: f"Ends as {facts.get('reason')}{': ' + str(facts['detail']) if facts.get('detail') else ''}.",
    "stuck": lambda facts: f"Cannot go on ({facts.get('reason')}): {facts.get('detail')}",
    "cut": lambda _: "Goes on; more is not shown.",
}
