"""Settling doubt: a person found out whether a provider took an attempt of which nobody could say."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.audit import record
from api.auth import Principal, needs
from api.models import Body, Shown
from api.notification_models import NotificationId
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import settlement
from db.settlement import Ground, Tried, Word
from domain.settlement import Verdict
from domain.status import Status

router = noun_router("/v1/notifications", "Notifications")

Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]


class Finding(Body):
    """What a person found out about an attempt in doubt, and how."""

    outcome: Verdict = Field(description="`sent`: the provider took it. `not_sent`: it certainly did not.")
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] = Field(
        description="How it was found out; kept in the timeline and in the audit trail.",
        examples=["The provider's support finds the reference in its log."],
    )
    attempt: UUID | None = Field(default=None, description="Which attempt; needed when several are in doubt.")


class SettledAttempt(Shown):
    """The attempt as it stands now."""

    id: UUID
    message_id: UUID
    number: int
    channel: str
    provider: str
    state: Literal["sending", "accepted", "not_sent", "refused", "unknown"]
    settled_by: str | None


class Settlement(Shown):
    """What settling achieved: where the attempt and the notification stand now."""

    notification_id: UUID
    outcome: Verdict
    attempt: SettledAttempt
    status: Status
    reason: str | None
    repeated: bool = Field(description="The same had been said before; nothing was changed.")


@router.post(
    "/{notification_id}/settle", summary="Settle an attempt in doubt", responses=problem_responses(Kind.WRONG_STATE)
)
async def settle_notification(
    notification_id: NotificationId, body: Finding, principal: Sender, services: ServicesOf
) -> Settlement:
    """Says whether a provider took an attempt whose outcome is unknown.

    `sent` counts as accepted. `not_sent` lets the notification go on while its workflow waits; one that ended becomes
    `failed` when no attempt is in doubt any more. A receipt that comes later still wins.
    """
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        ground = await settlement.lock(connection, tenant_id, notification_id)
        if ground is None:
            raise not_found("notification")
        chosen = _chosen(ground, body)
        repeated = chosen.state != "unknown"
        if not repeated:
            word = Word(verdict=body.outcome, actor=principal.actor, note=body.reason)
            await settlement.settle(connection, tenant_id, ground, chosen, word)
            noted = {"outcome": body.outcome.value, "reason": body.reason, "attempt": str(chosen.id)}
            await record(connection, principal, "notification.settled", notification_id, **noted)
            ground = await settlement.lock(connection, tenant_id, notification_id) or ground
    services.wake()
    return _shown(ground, chosen.id, body.outcome, repeated=repeated)


def _chosen(ground: Ground, body: Finding) -> Tried:
    """Returns the attempt that is meant: one in doubt, or one of which the same was said before."""
    named = [one for one in ground.attempts if body.attempt in {None, one.id}]
    if body.attempt is not None and not named:
        raise not_found("attempt of this notification")
    doubtful = [one for one in named if one.state == "unknown"]
    if len(doubtful) > 1:
        raise _refusal(ground, "Several attempts are in doubt; name the one that you mean as `attempt`.")
    same = [one for one in named if one.verdict is body.outcome]
    if not doubtful and not same:
        raise _refusal(ground, _why_not(ground, named))
    return (doubtful or same)[-1]


def _why_not(ground: Ground, named: list[Tried]) -> str:
    if not named:
        return f"Nothing was attempted, so nothing is in doubt; the notification is {ground.status.value}."
    if any(one.state == "sending" for one in named):
        return (
            "The attempt is being made at this moment, or its process died. It counts as unknown, and can be settled, "
            "as soon as a worker or the housekeeping finds that nobody finished it."
        )
    if len(named) > 1:
        return "No attempt is in doubt; `attempts` says how each of them ended."
    return (
        f"The attempt is not in doubt: it is {named[0].state}{_how_known(named[0])}. A receipt may still change that."
    )


def _how_known(attempt: Tried) -> str:
    match attempt.settled_by:
        case "receipt":
            return ", as a receipt of the provider proves"
        case "person":
            return ", as a person found out before"
        case _:
            return ", as the provider answered"


def _refusal(ground: Ground, detail: str) -> Problem:
    return Problem(
        Kind.WRONG_STATE, detail, state=ground.status.value, attempts=[_facts(attempt) for attempt in ground.attempts]
    )


def _facts(attempt: Tried) -> dict[str, Any]:
    shown = SettledAttempt.model_validate(attempt).model_dump(mode="json")
    return {**shown, "claimed_at": attempt.claimed_at.isoformat()}


def _shown(ground: Ground, attempt_id: UUID, outcome: Verdict, *, repeated: bool) -> Settlement:
    attempt = next(one for one in ground.attempts if one.id == attempt_id)
    return Settlement(
        notification_id=ground.notification_id,
        outcome=outcome,
        attempt=SettledAttempt.model_validate(attempt),
        status=ground.status,
        reason=ground.reason,
        repeated=repeated,
    )
