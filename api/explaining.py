"""The explanation of a notification over HTTP: where it stands, what it waits for, and why all else did not happen."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import Principal, needs
from api.explanations import Why, causes
from api.models import Shown
from api.notification_models import NotificationId
from api.problems import not_found
from api.routing import noun_router
from api.scopes import Scope
from api.sentences import readable
from api.services import ServicesOf
from api.timeline import MOST_ENTRIES
from db import notifications, outlook, timeline
from db.notifications import Notification
from db.timeline import Entry
from domain.outlook import Awaits, LastAttempt, Ledger, Outlook, look_ahead
from domain.reasons import SENTENCES, Reason
from domain.remedies import REMEDIES
from domain.status import Status
from providers import PROVIDERS

router = noun_router("/v1/notifications", "Notifications")

Reader = Annotated[Principal, needs(Scope.NOTIFICATIONS_READ)]
QUARANTINES = {name: provider.quarantine for name, provider in PROVIDERS.items()}


class Wait(Shown):
    """What a notification waits for now."""

    awaits: Awaits
    code: Reason | None = Field(description="Why it waits, where there is a reason.")
    sentence: str
    until: datetime | None = Field(description="When it goes on by itself; null where nobody can say.")


class Explanation(Shown):
    """Where a notification stands, what it waits for, and why whatever was not sent was not."""

    notification_id: UUID
    status: Status
    code: Reason | None = Field(description="The reason of the status, or of its being parked.")
    sentence: str = Field(description="Where it stands, in words.")
    next: str | None = Field(description="What to do about it; null where nothing is wrong.")
    waits_for: Wait | None = Field(description="Null once it has ended.")
    entries: list[Why] = Field(description="From the beginning.")
    complete: bool = Field(description=f"False when more than {MOST_ENTRIES:,} things happened.")


@router.get("/{notification_id}/explain", summary="Explain a notification")
async def explain_notification(notification_id: NotificationId, principal: Reader, services: ServicesOf) -> Explanation:
    """Says where a notification stands and what it waits for, and gives every reason for what was not sent."""
    async with services.database.snapshot(principal.tenant_id) as connection:
        found = await explanation(connection, principal.tenant_id, notification_id, services.now())
    if found is None:
        raise not_found("notification")
    return found


async def explanation(
    connection: AsyncConnection, tenant_id: UUID, notification_id: UUID, now: datetime
) -> Explanation | None:
    """Returns the explanation of a notification, none where there is no such thing."""
    row = await notifications.get(connection, tenant_id, notification_id)
    ledger = await outlook.read(connection, tenant_id, notification_id, quarantines=QUARANTINES, now=now)
    if row is None or ledger is None:
        return None
    entries = await timeline.of_notification(connection, tenant_id, notification_id, limit=MOST_ENTRIES + 1)
    return explained(row, ledger, entries, now)


def explained(row: Notification, ledger: Ledger, entries: Sequence[Entry], now: datetime) -> Explanation:
    """Returns the explanation that follows from all that is known of a notification."""
    waits_for = look_ahead(ledger, now)
    code = _code(row)
    return Explanation(
        notification_id=row.id,
        status=Status(row.status),
        code=code,
        sentence=_standing(row, code),
        next=REMEDIES[code] if code else None,
        waits_for=_wait(waits_for, ledger.last, now) if waits_for else None,
        entries=causes(entries[:MOST_ENTRIES]),
        complete=len(entries) <= MOST_ENTRIES,
    )


def _code(row: Notification) -> Reason | None:
    named = row.parked_cause or row.reason
    return Reason(named) if named in set(Reason) else None


_STANDINGS = {
    Status.QUEUED: "No provider has taken it yet.",
    Status.ACCEPTED: "A provider took it{over}; that it went out was not reported.",
    Status.SENT: "The provider sent it{over}; that it arrived was not reported.",
    Status.DELIVERED: "It was delivered{over}.",
    Status.READ: "It was read{over}.",
    Status.REJECTED: "It could not be attempted.",
    Status.FAILED: "It failed: nothing reached the person.",
    Status.BOUNCED: "It went out{over} and came back.",
    Status.EXPIRED: "It expired and was not sent.",
    Status.CANCELLED: "It was cancelled and not sent.",
    Status.UNKNOWN: "Its outcome is unknown.",
}


def _standing(row: Notification, code: Reason | None) -> str:
    over = f" over {row.channel}" if row.channel else ""
    said = "It is parked." if row.parked_at else _STANDINGS[Status(row.status)].format(over=over)
    return f"{said} {SENTENCES[code]}" if code else said


_WAITS = {
    Awaits.ITS_TIME: "It waits for its time",
    Awaits.A_WORKER: "It waits in line for a worker",
    Awaits.SOMEBODY: "It waits until somebody mends what keeps it and resumes it",
    Awaits.AN_ANSWER: "It waits for the provider's answer to attempt {number} over {channel}",
    Awaits.A_RETRY: "It waits before it tries again over {channel}",
    Awaits.EVIDENCE: "It waits for evidence of attempt {number} over {channel}, which is in doubt",
    Awaits.CONFIRMATION: "It waits for the provider to report over {channel} that it is {success}",
    Awaits.ITS_TURN: "It waits for its turn",
    Awaits.THE_NEXT_STEP: "A worker goes on with it",
}
_WAITS_BECAUSE = {
    Reason.QUIET_HOURS: "It waits for the end of the recipient's quiet hours",
    Reason.FREQUENCY_CAP: "It waits until a cap leaves room for one more message to its recipient",
}


def _wait(found: Outlook, last: LastAttempt | None, now: datetime) -> Wait:
    facts = {"number": last.number, "channel": last.channel, "success": last.success.value} if last else {}
    because = _WAITS_BECAUSE.get(found.reason) if found.reason is not None else None
    said = because or _WAITS[found.awaits].format(**facts)
    if found.until is not None:
        said += f", until {readable(found.until)}" if found.until > now else ", which is over: a worker goes on with it"
    return Wait(awaits=found.awaits, code=found.reason, sentence=f"{said}.", until=found.until)
