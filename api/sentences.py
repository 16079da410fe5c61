"""What happened, in words: one sentence for each entry of a timeline."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from db.timeline import Entry
from domain.findings import SENTENCES as FINDINGS
from domain.findings import Kind
from domain.reasons import SENTENCES, Reason
from domain.status import Status

_Facts = Mapping[str, Any]


def summary(entry: Entry) -> str:
    """Returns what happened, and why where there is a reason, in words."""
    family, _, what = entry.kind.partition(".")
    said = _SAYINGS[family](what, entry.detail)
    why = SENTENCES[Reason(entry.reason)] if entry.reason in set(Reason) else None
    return f"{said} {why}" if why else said


def readable(moment: datetime) -> str:
    """Returns a moment for people, such as `21 Nov 2026, 10:18:03 UTC`."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def _notification(what: str, facts: _Facts) -> str:
    match what:
        case "accepted":
            again = (
                f", sending {facts['original_notification_id']} again" if "original_notification_id" in facts else ""
            )
            return f"Accepted with the template {facts['template']}{again}."
        case "ended":
            # The status is that of today: a receipt may have advanced it since.
            handed_over = Status(facts["status"]).reaches(Status.ACCEPTED)
            return "Nothing is left to decide." if handed_over else f"Ended as {facts['status']}."
        case _:
            return f"Sent again as {facts['notification_id']}."


_DECISIONS = {
    "delayed": "Waits{until}.",
    "retry": "Tries again after a wait{until}.",
    "fallback": "Goes on to {channel}.",
    "skipped": "Left {channel} out.",
    "doubt": "Waits for news{until}.",
    "parked": "Parked{until}.",
    "resumed": "Resumed.",
    "failover": "Goes on through another account of {channel}.",
    "settled": "Attempt {number} over {channel} was settled by {by}, who said: “{note}”.",
    "duplicate": "Attempts {numbers} over {channel} were all accepted.",
}


def _decision(what: str, facts: _Facts) -> str:
    until = f" until {readable(datetime.fromisoformat(facts['until']))}" if "until" in facts else ""
    numbers = " and ".join(str(number) for number in facts.get("numbers", ()))
    said = _DECISIONS.get(what, f"Decided: {what}{{until}}.")
    return said.format(**{"channel": None, **facts, "until": until, "numbers": numbers})


def _attempt(what: str, facts: _Facts) -> str:
    name = f"attempt {facts['number']} over {facts['channel']}"
    match what:
        case "claimed":
            twice = ", knowing that the former one may have arrived" if facts.get("possible_duplicate") else ""
            return f"Began {name} by {facts['provider']}{twice}."
        case "accepted":
            proof = ", as a receipt proved" if facts.get("settled_by") == "receipt" else ""
            return f"The provider took {name}{proof}."
        case "not_sent":
            return f"The provider did not take {name}."
        case "refused":
            return f"The provider refused {name}."
        case _:
            return f"Nobody can say whether the provider took {name}."


def _receipt(what: str, facts: _Facts) -> str:
    news = "" if facts.get("advanced") else ", which was known or outdated"
    return f"{facts['provider']} reported {what} over {facts['channel']}{news}."


def _reply(_: str, facts: _Facts) -> str:
    return f"The person answered over {facts['channel']} ({facts['kind']})."


def _cancel(_: str, __: _Facts) -> str:
    return "Cancelling was asked for."


def _finding(what: str, facts: _Facts) -> str:
    repair = facts.get("repair")
    return f"{FINDINGS[Kind(what)]} {f'Repair: {repair}.' if repair else 'Nothing was done yet.'}"


_SAYINGS: dict[str, Callable[[str, _Facts], str]] = {
    "notification": _notification,
    "decision": _decision,
    "attempt": _attempt,
    "receipt": _receipt,
    "reply": _reply,
    "cancel": _cancel,
    "finding": _finding,
}
