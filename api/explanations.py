"""Why: what was not sent, skipped, delayed or doubted, out of all that happened, and what to do about each."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import Field

from api.models import Shown
from api.sentences import summary
from db.timeline import Entry
from domain.reasons import Reason
from domain.remedies import REMEDIES
from domain.status import Status


class What(StrEnum):
    """What happened, as far as it needs a reason."""

    NOT_SENT = "not_sent"
    NOT_DELIVERED = "not_delivered"
    SKIPPED = "skipped"
    DELAYED = "delayed"
    DOUBTED = "doubted"
    PARKED = "parked"
    RESUMED = "resumed"
    FALLBACK = "fallback"
    DUPLICATE = "duplicate"
    SETTLED = "settled"
    CANCELLED = "cancelled"
    ENDED = "ended"


class Why(Shown):
    """Something that was not sent, skipped, delayed or doubted, and why."""

    at: datetime
    what: What
    code: Reason
    sentence: str = Field(description="What happened and why, in words.")
    next: str = Field(description="What to do about it.")
    hop: int | None = Field(default=None, description="The channel's place in the plan.")
    channel: str | None = None
    provider: str | None = None
    account: str | None = Field(default=None, description="The account's name.")
    attempt: int | None = Field(default=None, description="The attempt's number.")
    attempt_id: UUID | None = Field(default=None, description="The attempt, as settling names it.")
    reference: str | None = Field(default=None, description="What the provider knows the attempt by.")
    provider_code: str | None = None
    detail: str | None = Field(default=None, description="What the provider, or a person, said.")
    until: datetime | None = None


class _Cause(NamedTuple):
    what: What
    code: Reason


_DECISIONS = {
    "skipped": What.SKIPPED,
    "delayed": What.DELAYED,
    "retry": What.DELAYED,
    "doubt": What.DOUBTED,
    "fallback": What.FALLBACK,
    "failover": What.FALLBACK,
    "parked": What.PARKED,
    "resumed": What.RESUMED,
    "settled": What.SETTLED,
    "duplicate": What.DUPLICATE,
}
_ATTEMPTS = {
    "not_sent": _Cause(What.NOT_SENT, Reason.NOT_SENT),
    "refused": _Cause(What.NOT_SENT, Reason.REJECTED),
    "unknown": _Cause(What.DOUBTED, Reason.OUTCOME_UNKNOWN),
}
_ENDS = {
    "cancelled": Reason.CANCELLED,
    "expired": Reason.EXPIRED,
    "unknown": Reason.OUTCOME_UNKNOWN,
    "failed": Reason.NOT_SENT,
    "rejected": Reason.REJECTED,
    "bounced": Reason.DELIVERY_FAILED,
}


def causes(entries: Sequence[Entry]) -> list[Why]:
    """Returns what needs a reason among the entries of a timeline, in their order."""
    tried = {entry.detail["hop"]: entry.detail for entry in entries if entry.kind == "attempt.claimed"}
    return [_why(entry, cause, tried) for entry in entries for cause in _cause(entry)]


def _cause(entry: Entry) -> Iterator[_Cause]:
    family, _, what = entry.kind.partition(".")
    match family:
        case "decision":
            yield _Cause(_DECISIONS.get(what, What.DELAYED), _code(entry, Reason.RETRY_LATER))
        case "attempt" if what in _ATTEMPTS:
            yield _Cause(_ATTEMPTS[what].what, _code(entry, _ATTEMPTS[what].code))
        case "attempt" if entry.detail.get("possible_duplicate"):
            yield _Cause(What.DUPLICATE, Reason.POSSIBLE_DUPLICATE)
        case "receipt" if Status(what).is_failure and entry.detail.get("advanced"):
            yield _Cause(What.NOT_DELIVERED, _code(entry, Reason.DELIVERY_FAILED))
        case "cancel":
            yield _Cause(What.CANCELLED, Reason.CANCELLED)
        case "notification" if what == "ended" and entry.detail["status"] in _ENDS:
            yield _Cause(What.ENDED, _code(entry, _ENDS[entry.detail["status"]]))


def _code(entry: Entry, usual: Reason) -> Reason:
    return Reason(entry.reason) if entry.reason in set(Reason) else usual


def _why(entry: Entry, cause: _Cause, tried: Mapping[int, Mapping[str, Any]]) -> Why:
    facts = entry.detail
    # Where a decision names a hop and no channel, the attempts over it tell which one that is.
    place = facts if "channel" in facts else tried.get(facts.get("hop", -1), {})
    return Why(
        at=entry.at,
        what=cause.what,
        code=cause.code,
        sentence=summary(entry),
        next=REMEDIES[cause.code],
        hop=facts.get("hop"),
        channel=place.get("channel"),
        provider=place.get("provider"),
        account=place.get("account"),
        attempt=facts.get("number"),
        attempt_id=facts.get("attempt_id"),
        reference=facts.get("reference"),
        provider_code=facts.get("provider_code"),
        detail=facts.get("detail") or facts.get("note"),
        until=facts.get("until"),
    )
